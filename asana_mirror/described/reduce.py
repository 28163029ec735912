"""Reduces Asana's OpenAPI description to names and types, the part that code can be held against.

    python -m asana_mirror.described.reduce asana-openapi.json

writes `asana.json` beside this file. https://github.com/Asana/openapi
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from asana_mirror.described import FILE

Spec = Mapping[str, Any]

OF_PAGES = {"offset", "path", "uri"}  # fields of next_page, which the description counts among opt_fields
UNHEEDED = {"opt_fields", "opt_pretty"}  # parameters that are written down elsewhere, or mean nothing here
_CHOICES = ("allOf", "oneOf", "anyOf")


class Description:
    """The whole description, with its references followed."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def reduced(self) -> dict[str, Any]:
        """GET operations by path, and every schema that an answer leads to."""
        operations = {
            path: self._operation(entry)
            for path, entry in sorted(self.spec["paths"].items())
            if "get" in entry
        }
        answers = [operation["answers"].strip("[]") for operation in operations.values()]
        responses = [name for name in self.spec["components"]["schemas"] if name.endswith("Response")]
        return {"operations": operations, "schemas": self._reached_from([*answers, *responses])}

    # -- operations -----------------------------------------------------------------------------------

    def _operation(self, entry: Spec) -> dict[str, Any]:
        get = entry["get"]
        parameters = [
            self._followed(one) for one in (*entry.get("parameters", ()), *get.get("parameters", ()))
        ]
        query = {one["name"]: one for one in parameters if one["in"] == "query"}
        answer = self._answer(get)
        (oauth,) = (scheme["oauth2"] for scheme in get["security"] if "oauth2" in scheme)
        reduced: dict[str, Any] = {
            "parameters": " ".join(
                f"{name}*" if one.get("required") else name
                for name, one in sorted(query.items())
                if name not in UNHEEDED
            ),
            "answers": self._type(answer["data"]) if "data" in answer else "",
            "next_page": "next_page" in answer,
            "scope": " ".join(oauth),
        }
        if "opt_fields" in query:
            named = set(query["opt_fields"]["schema"]["items"]["enum"]) - OF_PAGES
            reduced["opt_fields"] = [
                " ".join(fields)
                for _, fields in groupby(sorted(named), lambda field: field.partition(".")[0])
            ]
        return reduced

    def _answer(self, get: Spec) -> Spec:
        """The envelope: `data`, and `next_page` where there may be one."""
        response = self._followed(get["responses"]["200"])
        envelope = dict(self._fields(response["content"]["application/json"]["schema"]))
        return envelope if "data" in envelope else {"data": response["content"]["application/json"]["schema"]}

    # -- schemas --------------------------------------------------------------------------------------

    def _reached_from(self, names: list[str]) -> dict[str, Any]:
        """These schemas, what they are put together from, and what their fields refer to."""
        reached: dict[str, Any] = {}
        while names:
            name = names.pop()
            if name in reached or name not in self.spec["components"]["schemas"]:
                continue
            schema = self.spec["components"]["schemas"][name]
            parts = sorted(set(self._parts(schema)))
            fields = {field: self._type(value) for field, value in sorted(dict(self._fields(schema)).items())}
            reached[name] = {**({"parts": parts} if parts else {}), "fields": fields}
            names += [*parts, *_names_in(fields)]
        return dict(sorted(reached.items()))

    def _followed(self, node: Spec) -> Spec:
        while "$ref" in node:
            place: Any = self.spec
            for key in node["$ref"].removeprefix("#/").split("/"):
                place = place[key]
            node = place
        return node

    def _fields(self, schema: Spec) -> Iterator[tuple[str, Spec]]:
        """All fields, also of what a schema is put together from or may be."""
        schema = self._followed(schema)
        for choice in _CHOICES:
            for part in schema.get(choice, ()):
                yield from self._fields(part)
        yield from schema.get("properties", {}).items()

    def _parts(self, schema: Spec) -> Iterator[str]:
        """The named schemas of which one is put together, or of which it may be one."""
        for choice in _CHOICES:
            for part in schema.get(choice, ()):
                if "$ref" in part:
                    yield _name(part)
                else:
                    yield from self._parts(part)

    def _type(self, schema: Spec) -> Any:
        """A JSON type, the name of a schema, the fields of an object, or `[…]` around any of these."""
        if "$ref" in schema and "properties" not in (pointed := self._followed(schema)) and "type" in pointed:
            return self._type(pointed)  # a name for nothing more than a scalar or an array
        if "$ref" in schema:
            return _name(schema)
        if schema.get("type") == "array":
            inner = self._type(schema.get("items", {}))
            return f"[{inner}]" if isinstance(inner, str) else [inner]
        choices = [part for choice in ("oneOf", "anyOf") for part in schema.get(choice, ())]
        if choices and all("$ref" in part for part in choices):
            return " | ".join(sorted(map(_name, choices)))
        fields = {field: self._type(value) for field, value in sorted(dict(self._fields(schema)).items())}
        alone = [part for part in schema.get("allOf", ()) if "$ref" in part or "properties" in part]
        if len(alone) == 1 and "$ref" in alone[0]:
            return _name(alone[0])
        return fields or schema.get("type", "object")


def _name(reference: Spec) -> str:
    return str(reference["$ref"].rpartition("/")[2])


def _names_in(node: Any) -> Iterator[str]:
    """What may be a schema's name in the type of a field."""
    if isinstance(node, str):
        yield from (part.strip("[] ") for part in node.split("|"))
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _names_in(inner)
    else:
        for inner in node:
            yield from _names_in(inner)


def reduced_text(path: Path) -> str:
    """What `asana.json` should hold, from the OpenAPI file."""
    spec = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps(Description(spec).reduced(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(reduced_text(Path(sys.argv[1])), encoding="utf-8")
