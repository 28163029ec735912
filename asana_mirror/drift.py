"""What a record of Asana's says that the catalog does not know: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asana_mirror.catalog import RESOURCES, Resource

_ALWAYS = frozenset({"gid", "resource_type"})
_FITS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "real": (int, float),
    "boolean": (bool,),
    "json": (dict, list, str, int, float, bool),
}
_OBJECT, _LIST = ((dict,), "an object"), ((list,), "a list")
_ONE_OF = {"text": "text", "integer": "a whole number", "real": "a number", "boolean": "true or false"}


@dataclass(frozen=True)
class Unknown:
    """A field that came and has no place in the mirror."""

    resource: str
    field: str
    type: str  # of what came, in JSON's words


@dataclass(frozen=True)
class Unfit:
    """A field that came as something else than what its place takes."""

    resource: str
    field: str
    type: str
    takes: str


def unknown_fields(resource_name: str, record: Mapping[str, Any]) -> list[Unknown]:
    """The fields that the catalog neither stores nor leaves out for a reason."""
    entry = RESOURCES[resource_name]
    known = _ALWAYS | set(entry.field_names()) | entry.leaves_out.keys()
    return [Unknown(resource_name, name, json_type(record[name])) for name in sorted(record.keys() - known)]


def unfit_fields(resource_name: str, record: Mapping[str, Any]) -> list[Unfit]:
    """The fields that would not go into their column, reference or list as they are."""
    return [
        Unfit(resource_name, name, json_type(value), takes)
        for name, types, takes in _takes(RESOURCES[resource_name])
        if (value := record.get(name)) is not None and not _is_one_of(value, types)
    ]


def json_type(value: Any) -> str:
    """`string`, `integer`, `number`, `boolean`, `object`, `array` or `null`."""
    names = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _takes(entry: Resource) -> Iterator[tuple[str, tuple[type, ...], str]]:
    """Each stored field, the types that it may come as, and what that is called."""
    for column in entry.columns:
        yield column.name, _FITS[column.type], _ONE_OF.get(column.type, "anything")
    for reference in entry.references:
        yield reference.name, *_OBJECT
    for open_reference in entry.open_references:
        yield open_reference.name, *_OBJECT
    for links in entry.links:
        yield links.name, *_LIST
    for embedded in entry.embedded:
        yield embedded.name, *(_LIST if embedded.many else _OBJECT)


def _is_one_of(value: Any, types: tuple[type, ...]) -> bool:
    """True and false are no numbers here, and a number without a fraction is a whole one."""
    if isinstance(value, bool):
        return bool in types
    if isinstance(value, float) and value.is_integer() and int in types:
        return True
    return isinstance(value, types)
