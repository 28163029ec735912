"""Records to rows: pure. What does not fit is set aside whole, never dropped and never fatal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

import orjson

from asana_mirror.catalog import NAMED_BY, RESOURCES, Embedded, Json, Resource, Row
from asana_mirror.errors import Undecodable
from asana_mirror.words import Batch, UndecodedRecord

_SKIPPED_FIELDS = frozenset({"gid", "resource_type"})
_INTEGER_LIMIT = 2**63
Placed = tuple[int, Any, dict[str, Any]]  # place in the page, record, columns known from where it stands
_UNFIT = (Undecodable, UnicodeError, RecursionError, OverflowError, orjson.JSONEncodeError)


def decode(
    resource: Resource,
    records: Iterable[Any],
    *,
    fills: Mapping[str, Any] | None = None,
    position: tuple[str, int] | None = None,
) -> Batch:
    """Turn the records of one page into rows.

    `fills` are columns known from where the listing stands; `position` is a column of the resource that counts
    on from the given number.
    """
    known = dict(fills or {})
    placed = [
        (index, record, {**known, position[0]: position[1] + index} if position else known)
        for index, record in enumerate(records)
    ]
    try:
        return _decode_all(resource, placed)
    except _UNFIT:
        return _decode_what_fits(resource, placed)


def members(records: Iterable[Any]) -> dict[str, str | None]:
    """gid → type of the compact records in a list that is kept as links; what is no record is left out."""
    found: dict[str, str | None] = {}
    for record in records:
        gid = _gid_of(record) if isinstance(record, dict) else None
        if gid is not None:
            kind = record.get("resource_type")
            found[gid] = kind if isinstance(kind, str) else None
    return found


def differs_where_told(resource: Resource, record: Mapping[str, Any], row: Row, known: Row) -> bool:
    """Whether a record that tells only some fields says anything else than the row that is known."""
    told = {
        *(column.name for column in resource.columns if column.name in record),
        *(reference.column for reference in resource.references if reference.name in record),
    }
    return any(row[resource.places[column]] != known[resource.places[column]] for column in told)


def _decode_all(resource: Resource, placed: Iterable[Placed]) -> Batch:
    batch = Batch()
    for index, record, place in placed:
        batch.listed[_decode_record(resource, record, place, batch)] = index
    return batch


def _decode_what_fits(resource: Resource, placed: Iterable[Placed]) -> Batch:
    """Try each record alone first: one that fails half-way must leave nothing behind."""
    fit, undecoded = [], []
    for index, record, place in placed:
        try:
            _decode_record(resource, record, place, Batch())
            fit.append((index, record, place))
        except _UNFIT as error:
            undecoded.append(_set_aside(resource, record, str(error)))
    batch = _decode_all(resource, fit)
    batch.undecoded.extend(undecoded)
    return batch


def _decode_record(resource: Resource, record: Any, place: Mapping[str, Any], batch: Batch) -> str:
    if not isinstance(record, dict):
        raise Undecodable(f"a record is {type(record).__name__}, not an object")
    gid = _gid_of(record)
    if gid is None:
        raise Undecodable("a record has no gid")
    told = record.get
    row = [
        value if (value := told(name)) is None or type(value) is fits else convert(value)
        for name, fits, convert in _converters(resource.name)
    ]
    _add_references(row, resource, record, place, batch)
    _decode_links(resource, record, gid, batch)
    for embedded in resource.embedded:
        value = record.get(embedded.name)
        if value is None:  # not told is not empty
            continue
        named = _decode_embedded(embedded, gid, value, batch)
        if not embedded.many:
            row[resource.places[f"{embedded.name}_gid"]] = named
    if resource.name in ("users", "agents"):
        batch.actors[gid] = (resource.name.removesuffix("s"), _text(record.get("name")))
    batch.rows.setdefault(resource.name, {})[gid] = tuple(row)
    return gid


def _add_references(
    row: list[Any], resource: Resource, record: Mapping[str, Any], place: Mapping[str, Any], batch: Batch
) -> None:
    """What the record refers to, and what follows from where it stands, in the order of the columns."""
    told, known = record.get, place.get
    row += [
        None
        if (value := told(name)) is None and (value := known(column)) is None
        else _note(batch, value, table, {})
        for name, column, table in _reference_columns(resource.name)
    ]
    for open_reference in resource.open_references:
        row += _open_reference(told(open_reference.name), open_reference.name, place)
    row += map(known, resource.own_columns)
    row.append(_extra(resource, record))


def _decode_links(resource: Resource, record: Mapping[str, Any], gid: str, batch: Batch) -> None:
    def note(value: Json, table: str, **columns: str | None) -> str | None:
        return _note(batch, value, table, columns)

    for links in resource.links:
        values = record.get(links.name)
        if values is None:  # not told is not empty: what is known stays
            continue
        if not isinstance(values, list):
            raise Undecodable(f"{links.name} is {type(values).__name__}, not a list")
        width = len(links.key)
        found = {link[:width]: link[width:] for link in links.rows(values, note)} if values else {}
        batch.links.setdefault(links.table, {})[gid] = found


def _decode_embedded(embedded: Embedded, gid: str, value: Json, batch: Batch) -> str | None:
    """Decode whole records inside this one; returns the gid of the one where there is only one."""
    child = RESOURCES[embedded.resource]
    if not embedded.many:
        return _decode_child(child, value, {}, batch)
    if not isinstance(value, list):
        raise Undecodable(f"{embedded.name} is {type(value).__name__}, not a list")
    fills = {column: template.format(gid=gid) for column, template in embedded.within}
    gids = [
        _decode_child(child, record, {**fills, "position": index}, batch)
        for index, record in enumerate(value)
        if record is not None
    ]
    if embedded.parent:
        standing = {child_gid for child_gid in gids if child_gid}
        batch.children.setdefault((child.name, embedded.parent), {})[gid] = standing
    return None


def _decode_child(child: Resource, record: Any, place: Mapping[str, Any], batch: Batch) -> str | None:
    """A record inside another one: if it does not fit, it is set aside alone; what holds it is read."""
    try:
        return _decode_record(child, record, place, batch)
    except _UNFIT as error:
        aside = _set_aside(child, record, str(error))
        batch.undecoded.append(aside)
        return _note(batch, {"gid": aside.gid}, child.name, {}) if aside.has_gid else None


def _note(batch: Batch, value: Json, table: str, columns: Mapping[str, str | None]) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = {"gid": value}
    if not isinstance(value, dict):
        raise Undecodable(f"a reference to {table} is {type(value).__name__}, not an object")
    gid = _gid_of(value)
    if gid is None:
        return None
    if table == "actors":
        kind, name = value.get("resource_type"), _text(value.get("name"))
        known_kind, known_name = batch.actors.get(gid, (None, None))
        batch.actors[gid] = (known_kind or _actor_type(kind), known_name or name)
        return gid
    stub = batch.stubs.setdefault(table, {}).setdefault(gid, {})
    named_by = NAMED_BY.get(table, "name")
    if named_by and isinstance(value.get(named_by), str):
        stub[named_by] = value[named_by]
    if columns:
        stub.update({column: known for column, known in columns.items() if known is not None})
    return gid


def _actor_type(resource_type: Json) -> str | None:
    return resource_type if isinstance(resource_type, str) else None


def _open_reference(value: Json, name: str, place: Mapping[str, Any]) -> tuple[str | None, str | None]:
    gid = _gid_of(value) if isinstance(value, dict) else None
    if gid is None:
        return place.get(f"{name}_gid"), place.get(f"{name}_type")
    kind = value.get("resource_type")
    if kind is None and gid == place.get(f"{name}_gid"):
        kind = place.get(f"{name}_type")
    return gid, _text(kind, f"{name}.resource_type")


def _gid_of(record: Mapping[str, Any]) -> str | None:
    gid = record.get("gid")
    return None if gid is None or gid == "" else str(gid)


def _extra(resource: Resource, record: Mapping[str, Any]) -> str | None:
    """Fields that came and have no column."""
    known = _known_fields(resource.name)
    return None if record.keys() <= known else _json({name: record[name] for name in record.keys() - known})


@cache
def _known_fields(resource_name: str) -> frozenset[str]:
    resource = RESOURCES[resource_name]
    return _SKIPPED_FIELDS | set(resource.field_names()) | set(resource.leaves_out)


@cache
def _reference_columns(resource_name: str) -> tuple[tuple[str, str, str], ...]:
    """(field, column, table that it refers to)."""
    return tuple((one.name, one.column, one.table) for one in RESOURCES[resource_name].references)


@cache
def _converters(resource_name: str) -> tuple[tuple[str, type, Callable[[Json], Any]], ...]:
    """(field, the type that is taken as it is, what makes a column's value of any other but null)."""
    by_type: dict[str, Callable[..., Any]] = {
        "text": _text,
        "integer": _integer,
        "boolean": _integer,
        "real": _real,
    }
    return tuple(
        (
            column.name,
            {"text": str, "real": float}.get(column.type, type(None)),
            _json if column.type == "json" else partial(by_type[column.type], name=column.name),
        )
        for column in RESOURCES[resource_name].columns
    )


def _text(value: Json, name: str = "name") -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return str(value)
    raise Undecodable(f"{name} is {type(value).__name__}, not text")


def _integer(value: Json, name: str) -> int | None:
    if value is None:
        return None
    whole = isinstance(value, (bool, int)) or (isinstance(value, float) and value.is_integer())
    if whole and -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        return int(value)
    raise Undecodable(f"{name} is {value!r:.60}, not a whole number of 64 bits")


def _real(value: Json, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    raise Undecodable(f"{name} is {type(value).__name__}, not a number")


def _json(value: Json) -> str | None:
    """Keys in a fixed order, so that the same structure is the same text in every run."""
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _set_aside(resource: Resource, record: Any, error: str) -> UndecodedRecord:
    text = json.dumps(record, sort_keys=True, default=str)
    gid = _gid_of(record) if isinstance(record, dict) else None
    key = gid or hashlib.sha256(text.encode()).hexdigest()[:32]
    return UndecodedRecord(resource.name, key, error, text, has_gid=gid is not None)
