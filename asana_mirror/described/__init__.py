"""What Asana describes of its API, reduced to names and types: paths, parameters, answers, fields, scopes.

A test holds the catalog against this, and `doctor` knows from it which scope a refused request would have needed.
`asana.json` is made by `asana_mirror.described.reduce`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

FILE = Path(__file__).with_name("asana.json")


@dataclass(frozen=True)
class Operation:
    """A GET that Asana describes."""

    path: str
    parameters: Mapping[str, bool]  # of its query, and whether they are required
    answers: str  # the schema's name, in brackets for a list of such
    next_page: bool
    scope: str | None  # of OAuth; None where the description names none
    opt_fields: frozenset[str]

    @property
    def schema(self) -> str:
        return self.answers.strip("[]")

    @property
    def takes_fields(self) -> bool:
        return bool(self.opt_fields)

    @property
    def takes_limit(self) -> bool:
        return "limit" in self.parameters


@dataclass(frozen=True)
class Schema:
    """The fields of a kind of record, with those of all `parts` of which it is made, or of which it may be one.

    A type is `string`, `integer`, `number`, `boolean`, `object`, the name of a schema, fields again, or `[…]` of these.
    """

    name: str
    fields: Mapping[str, Any]
    parts: tuple[str, ...] = ()


@cache
def _file() -> Mapping[str, Any]:
    read: Mapping[str, Any] = orjson.loads(FILE.read_bytes())
    return read


@cache
def operations() -> Mapping[str, Operation]:
    """Every GET that is described, by its path."""
    return {path: _operation(path, entry) for path, entry in _file()["operations"].items()}


@cache
def schemas() -> Mapping[str, Schema]:
    """Every schema that an answer leads to, by its name."""
    return {
        name: Schema(name, entry["fields"], tuple(entry.get("parts", ())))
        for name, entry in _file()["schemas"].items()
    }


def operation_at(path: str) -> Operation | None:
    """What is described of a path: with gids in it, with placeholders of any name, with a query or without."""
    asked = path.partition("?")[0].split("/")
    fitting = [
        (sum(part == said for part, said in zip(asked, parts, strict=True)), operation)
        for operation in operations().values()
        if len(parts := operation.path.split("/")) == len(asked)
        and all(part == said or said.startswith("{") for part, said in zip(asked, parts, strict=True))
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def _operation(path: str, entry: Mapping[str, Any]) -> Operation:
    return Operation(
        path,
        {name.removesuffix("*"): name.endswith("*") for name in entry["parameters"].split()},
        entry["answers"],
        entry["next_page"],
        entry["scope"] or None,
        frozenset(" ".join(entry.get("opt_fields", ())).split()),
    )
