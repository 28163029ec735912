"""Everything that Asana describes is mirrored, or left out for a reason that is still one.

Held against names and types that travel with the package, and these against Asana's own file where it is at hand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asana_mirror import wire
from asana_mirror.catalog import LISTINGS, RESOURCES, Column, Listing, fields_of, listings_of, opt_fields
from asana_mirror.described import FILE, operation_at, operations, schemas
from asana_mirror.described.reasons import ASKED_BEYOND, OPERATIONS, SAME_RECORDS, SCHEMAS
from asana_mirror.described.reduce import reduced_text

DESCRIPTION = Path(__file__).resolve().parents[2] / "shared" / "asana-openapi.json"
COMMON = {"gid", "resource_type"}
SINGLE = [name for name, entry in RESOURCES.items() if entry.path]
FITS = {"text": {"string"}, "integer": {"integer"}, "boolean": {"boolean"}, "real": {"number", "integer"}}


# -- the facts ----------------------------------------------------------------------------------------


def test_the_facts_in_the_package_are_those_of_asanas_file() -> None:
    if not DESCRIPTION.exists():
        pytest.skip("Asana's description is not at hand")
    anew = "python -m asana_mirror.described.reduce asana-openapi.json"
    assert FILE.read_text(encoding="utf-8") == reduced_text(DESCRIPTION), f"Make it anew with: {anew}"


def test_the_facts_are_names_and_types_only() -> None:
    for schema in schemas().values():
        for word in words_in(dict(schema.fields)):
            assert re.fullmatch(r"\[*\w+\]*( \| \w+)*", word), (schema.name, word)


def words_in(described: Any) -> Iterator[str]:
    if isinstance(described, dict):
        yield from described
        described = list(described.values())
    if isinstance(described, list):
        for one in described:
            yield from words_in(one)
    else:
        yield described


def test_a_path_finds_its_operation_whatever_stands_for_the_gids() -> None:
    for path, wanted in (
        ("/tasks/12/stories", "/tasks/{task_gid}/stories"),
        ("/tasks?project={gid}", "/tasks"),
        ("/workspaces/{gid}/tasks/search", "/workspaces/{workspace_gid}/tasks/search"),
        ("/users/me/favorites?workspace=1", "/users/{user_gid}/favorites"),
    ):
        found = operation_at(path)
        assert found is not None
        assert found.path == wanted
    assert operation_at("/nothing/here") is None


# -- operations ---------------------------------------------------------------------------------------


def named_requests() -> Iterator[str]:
    """The paths of requests that `wire` writes for no entry of the catalog."""
    yield wire.search_request("1", {}, None)[0]
    yield wire.modified_request("1", "2026-01-01T00:00:00.000Z")[0]
    yield wire.task_counts_request("1")[0]
    yield wire.events_request("1", None)[0]
    yield wire.webhooks_request("1", None, "target")[0]
    yield wire.webhook_path("1")


def used() -> set[str]:
    """The described paths of all that is ever asked for."""
    paths = [
        *(listing.path for listing in LISTINGS.values()),
        *(RESOURCES[name].path or "" for name in SINGLE),
        *named_requests(),
    ]
    found = {path: operation_at(path) for path in paths}
    assert [path for path, operation in found.items() if operation is None] == []
    return {operation.path for operation in found.values() if operation}


def test_every_operation_is_used_or_left_out_for_a_reason() -> None:
    assert operations().keys() - used() - OPERATIONS.keys() == set()


def test_no_reason_is_given_for_an_operation_that_is_used_or_unknown() -> None:
    assert OPERATIONS.keys() & used() == set()
    assert OPERATIONS.keys() - operations().keys() == set()


def test_every_request_that_wire_names_is_counted_here() -> None:
    written = {name for name, _ in inspect.getmembers(wire, inspect.isfunction) if name.endswith("_request")}
    by_the_catalog = {"page_request", "gids_request", "record_request"}
    here = {name for name in written if f"wire.{name}(" in inspect.getsource(named_requests)}
    assert written - by_the_catalog == here


def test_reasons_are_sentences() -> None:
    beyond = [why for reasons in ASKED_BEYOND.values() for why in reasons.values()]
    for why in (*OPERATIONS.values(), *SCHEMAS.values(), *beyond):
        assert why[0].isupper()
        assert why.endswith(".")
        assert ". " not in why
    for entry in RESOURCES.values():
        assert all(entry.leaves_out.values())


# -- fields -------------------------------------------------------------------------------------------


def with_parts(name: str) -> Iterator[str]:
    """A schema, what it is made of, and what it may be."""
    yield name
    for part in schemas()[name].parts:
        yield from with_parts(part)


def names_in(described: Any) -> Iterator[str]:
    """The schemas that the type of a field names."""
    if isinstance(described, str):
        yield from (part for word in described.split("|") if (part := word.strip("[] ")) in schemas())
    elif isinstance(described, list):
        yield from names_in(described[0])


@cache
def shown_as(resource: str) -> frozenset[str]:
    """The schemas in which records of a resource come: alone, listed, and inside others."""
    paths = [listing.path for listing in listings_of(resource)]
    found = {
        operation.schema
        for path in (*paths, RESOURCES[resource].path)
        if path and (operation := operation_at(path))
    }
    for owner in RESOURCES.values():
        for embedded in owner.embedded:
            if embedded.resource == resource:
                for schema in shown_as(owner.name):
                    found |= set(names_in(schemas()[schema].fields.get(embedded.name)))
    return frozenset(found | {schema for schema, of in SAME_RECORDS.items() if of == resource})


def described_fields(resource: str) -> dict[str, list[Any]]:
    """Every field of a resource's records, with its types in all the schemas that have it."""
    found: dict[str, list[Any]] = {}
    for schema in shown_as(resource):
        for field, described in schemas()[schema].fields.items():
            found.setdefault(field, []).append(described)
    return {field: types for field, types in found.items() if field not in COMMON}


@pytest.mark.parametrize("name", RESOURCES)
def test_every_field_is_stored_or_left_out_for_a_reason(name: str) -> None:
    entry = RESOURCES[name]
    assert shown_as(name)
    assert described_fields(name).keys() - set(entry.field_names()) - entry.leaves_out.keys() == set()


@pytest.mark.parametrize("name", RESOURCES)
def test_no_reason_is_given_for_a_field_that_is_stored_or_unknown(name: str) -> None:
    entry = RESOURCES[name]
    assert entry.leaves_out.keys() & set(entry.field_names()) == set()
    alike = [
        other for other in RESOURCES if RESOURCES[other].leaves_out is entry.leaves_out
    ]  # one list for several
    assert entry.leaves_out.keys() - {field for other in alike for field in described_fields(other)} == set()


@pytest.mark.parametrize("name", RESOURCES)
def test_every_stored_field_is_described_or_announced(name: str) -> None:
    stored = set(RESOURCES[name].field_names())
    assert stored - described_fields(name).keys() <= ASKED_BEYOND.get(name, {}).keys()


@pytest.mark.parametrize("name", RESOURCES)
def test_every_field_fits_where_it_goes(name: str) -> None:
    entry, described = RESOURCES[name], described_fields(name)
    for column in entry.columns:
        if column.type != "json":
            assert set(described[column.name]) <= FITS[column.type], column.name
    for reference in (*entry.references, *entry.open_references):
        assert not any(is_list(described_type) for described_type in described.get(reference.name, ()))
    for links in entry.links:
        assert all(map(is_list, described[links.name])), links.name
    for embedded in entry.embedded:
        assert {is_list(one) for one in described[embedded.name]} == {embedded.many}, embedded.name


def is_list(described: Any) -> bool:
    return isinstance(described, list) or str(described).startswith("[")


def inner_fields(described: Any) -> set[str]:
    """The fields of a structure, or of each in a list of them."""
    if isinstance(described, list):
        return inner_fields(described[0])
    if isinstance(described, dict):
        return set(described)
    return {field for name in names_in(described) for field in schemas()[name].fields}


def documented(resource: str) -> set[str]:
    """The `opt_fields` that any request for these records is described to take."""
    paths = [listing.path for listing in listings_of(resource)]
    found = [operation_at(path) for path in (*paths, RESOURCES[resource].path) if path]
    return {field for operation in found if operation for field in operation.opt_fields}


def structures() -> Iterator[tuple[str, Column]]:
    for name, entry in RESOURCES.items():
        for column in entry.columns:
            if column.type == "json" and documented(name):
                yield name, column


@pytest.mark.parametrize(("name", "column"), list(structures()), ids=lambda one: getattr(one, "name", one))
def test_a_structure_is_asked_for_with_all_that_is_in_it(name: str, column: Column) -> None:
    """What comes by the structure's own name needs no names of its own."""
    inside = {field for described in described_fields(name)[column.name] for field in inner_fields(described)}
    by_name = {field for field in inside - COMMON if f"{column.name}.{field}" in documented(name)}
    assert by_name <= {ask.partition(".")[0] for ask in column.asks}


def test_every_answer_becomes_rows_or_is_left_out_for_a_reason() -> None:
    answers = {name for name in schemas() if name.endswith("Response")}
    answers |= {operation.schema for operation in operations().values()}
    assert answers - stored_schemas() - SCHEMAS.keys() == set()


def test_no_reason_is_given_for_an_answer_that_becomes_rows_or_is_unknown() -> None:
    assert SCHEMAS.keys() & stored_schemas() == set()
    assert SCHEMAS.keys() - schemas().keys() == set()
    assert SAME_RECORDS.keys() & (described_answers_of_the_catalog() | SCHEMAS.keys()) == set()


def described_answers_of_the_catalog() -> set[str]:
    paths = [listing.path for listing in LISTINGS.values() if listing.resource in RESOURCES]
    found = [operation_at(path) for path in (*paths, *(RESOURCES[name].path or "" for name in SINGLE))]
    return {operation.schema for operation in found if operation}


def stored_schemas() -> set[str]:
    """All that rows are made of: records, what they are made of, and structures kept as JSON inside them."""
    found = set()
    for name, entry in RESOURCES.items():
        found |= {part for schema in shown_as(name) for part in with_parts(schema)}
        for column in entry.columns:
            for described in described_fields(name).get(column.name, ()):
                found |= set(names_in(described))
    return found


# -- what requests send -------------------------------------------------------------------------------


def beyond(resource: str, fields: set[str]) -> set[str]:
    """Those of the fields that no reason covers."""
    reasons = ASKED_BEYOND.get(resource, {})
    prefixes = tuple(name if name.endswith(".") else f"{name}." for name in reasons)
    return {field for field in fields if field not in reasons and not field.startswith(prefixes or "\0")}


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=lambda listing: listing.name)
def test_a_list_is_asked_for_in_the_way_that_is_described(listing: Listing) -> None:
    operation = operation_at(listing.path)
    assert operation is not None
    assert listing.paged == operation.takes_limit
    assert listing.fields <= operation.takes_fields
    assert listing.fields or listing.kept or not operation.takes_fields  # compact is enough for a link
    assert listing.single == (not operation.answers.startswith("["))
    sent = {part.partition("=")[0] for part in listing.path.partition("?")[2].split("&") if part}
    assert sent <= operation.parameters.keys()
    since = {listing.since.parameter} if listing.since else set()
    assert since <= operation.parameters.keys()
    required = {name for name, is_required in operation.parameters.items() if is_required}
    assert required <= sent


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=lambda listing: listing.name)
def test_a_list_is_asked_only_for_fields_that_are_described(listing: Listing) -> None:
    operation = operation_at(listing.path)
    assert operation is not None
    asked = set(filter(None, fields_of(listing).split(",")))
    assert beyond(listing.resource, asked - operation.opt_fields) == set()


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_read_gives_what_a_list_gives(name: str) -> None:
    operation = operation_at(RESOURCES[name].path or "")
    assert operation is not None
    assert RESOURCES[name].fields == operation.takes_fields
    asked = set(opt_fields(name).split(",")) if RESOURCES[name].fields else set()
    assert beyond(name, asked - operation.opt_fields) == set()


def test_no_reason_is_given_for_a_field_that_is_described_or_not_asked_for() -> None:
    for resource, reasons in ASKED_BEYOND.items():
        paths = [listing.path for listing in listings_of(resource)]
        found = [operation_at(path) for path in (*paths, RESOURCES[resource].path) if path]
        asked = set(opt_fields(resource).split(","))
        needed = {field for one in found if one for field in asked - one.opt_fields}
        for name in reasons:
            prefix = name if name.endswith(".") else f"{name}."
            assert any(field == name or field.startswith(prefix) for field in needed), (resource, name)
