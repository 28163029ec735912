"""What is left of a record once a person in it is erased: pure.

One rule for the rows that stand in the mirror and for the records that come, so that what was erased stays erased:
a sync after a purge writes exactly what the purge has left.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Any

import orjson

from asana_mirror.catalog import RESOURCES, Json, Links, Resource, Row
from asana_mirror.words import Batch, UndecodedRecord

MARK = "[purged]"
PEOPLE = ("users", "agents")
_IDENTITY = frozenset({"name", "email", "photo"})
# What is said in words by the person a record names, or by Asana about that person. What happened stands elsewhere.
_WORDS = {
    "stories": ("text", "html_text", "previews", "sticker_name"),
    "status_updates": ("title", "text", "html_text"),
    "project_statuses": ("title", "text", "html_text"),
    "time_tracking_entries": ("description",),
    "access_requests": ("message",),
}
# What is a person's alone: the column that says whose.
_OWN = {"ooo_entries": "user_gid", "user_task_lists": "owner_gid"}

# Scripts without spaces give one word per character, so that a name is found in the midst of a sentence.
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
# https://developers.asana.com/docs/rich-text#links
_MENTION = re.compile(r'(<a\b[^>]*\bdata-asana-gid="([^"]+)"[^>]*>)(.*?)(</a>)', re.DOTALL)
Trace = tuple[int, int, str]  # how many words of how many letters together, and their salted hash
# Columns of fixed words, which need not be searched for names.
_FIXED = ("_at", "_on", "type", "_level", "_setting", "_status", "color")


@dataclass(frozen=True)
class Purged:
    """Someone erased for good, and by what texts would give them away: hashes, never the name itself."""

    gid: str
    salt: str
    traces: frozenset[Trace]


def traces_of(names: Iterable[str], salt: str) -> frozenset[Trace]:
    """The traces of a person's names and addresses, in plain text and in HTML."""
    found = set()
    for name in names:
        for spelled in {name, html.escape(name)}:
            words = _WORD.findall(unicodedata.normalize("NFC", spelled))
            if sum(map(len, words)) > 1:  # a lone letter would be found everywhere
                found.add((len(words), sum(map(len, words)), _hash(words, salt)))
    return frozenset(found)


def _hash(words: Sequence[str], salt: str) -> str:
    """Of a full name in any case, of a single word only as it is written: else Will would take every will."""
    said = " ".join(words) if len(words) == 1 else " ".join(words).casefold()
    return hashlib.blake2b(said.encode(), key=salt.encode(), digest_size=16).hexdigest()


class Erasure:
    """Takes people out of texts, rows, links and batches. They stay as bare gids, so that references hold."""

    def __init__(self, purged: Iterable[Purged]) -> None:
        everyone = list(purged)
        self._gids = frozenset(person.gid for person in everyone)
        self._traces: dict[str, frozenset[Trace]] = {}
        for person in everyone:
            self._traces[person.salt] = self._traces.get(person.salt, frozenset()) | person.traces
        shapes: dict[int, set[int]] = {}
        for words, letters, _ in frozenset().union(*self._traces.values()):
            shapes.setdefault(words, set()).add(letters)
        self._shapes = sorted(shapes.items(), reverse=True)

    def batch(self, batch: Batch) -> Batch:
        """The batch as it may be written."""
        if not self._gids:
            return batch
        return replace(
            batch,
            rows={name: dict(self._rows(RESOURCES[name], rows)) for name, rows in batch.rows.items()},
            links={
                links.table: dict(self._owners(resource, links, batch.links[links.table]))
                for resource in RESOURCES.values()
                for links in resource.links
                if links.table in batch.links
            },
            stubs={
                table: {gid: self._stub(known) for gid, known in stubs.items()}
                for table, stubs in batch.stubs.items()
            },
            actors={gid: (None, None) if gid in self._gids else known for gid, known in batch.actors.items()},
        )

    def keeps_out(self, resource: str) -> bool:
        """Whether records of this kind may be missing for a person's sake."""
        return bool(self._gids) and (
            resource in PEOPLE or resource in _OWN or resource.endswith("_memberships")
        )

    def row(self, resource: Resource, gid: str, row: Row) -> Row | None:
        """A row in the order of `column_names()`, then `_extra`; None where nothing of it may stay."""
        if (resource.name in PEOPLE and gid in self._gids) or self._is_someones(resource, row):
            return None
        left = list(row)
        for index, is_json in _texts(resource.name):
            if isinstance(left[index], str):
                left[index] = self.json(left[index]) if is_json else self.text(left[index])
        words = _WORDS.get(resource.name, ())
        if words and self._tells_of_someone(resource, row):
            for column in words:
                left[_place(resource.name, column)] = None
        return tuple(left)

    @staticmethod
    def concerns(links: Links) -> bool:
        """Whether such links can name anyone at all."""
        return "actor_gid" in links.key or "display_value" in links.values

    def link(self, links: Links, key: Row, values: Row) -> Row | None:
        """The further columns of a link; None where the link itself names someone."""
        if "actor_gid" in links.key and key[links.key.index("actor_gid")] in self._gids:
            return None
        if "display_value" not in links.values:
            return values
        known = dict(zip(links.values, values, strict=True))
        for column in ("display_value", "text_value"):
            known[column] = self.text(known[column]) if known[column] else known[column]
        if self._names_someone(known["people_gids"]):
            known["display_value"] = None
        return tuple(known.values())

    def undecoded(self, record: UndecodedRecord) -> UndecodedRecord | None:
        """Where nothing is known of its shape, little may stay: of a record that names someone, only its gid."""
        if record.resource in PEOPLE and record.gid in self._gids:
            return None
        if self._names_someone(record.record):
            return replace(record, record=_dump({"gid": record.gid}), error=self.text(record.error))
        return replace(record, record=self.json(record.record), error=self.text(record.error))

    def json(self, text: str) -> str:
        """Small structures lose every name; of an erased person's record only the gid stays."""
        before = orjson.loads(text)
        after = self._walked(before)
        return text if after == before else _dump(after)

    def text(self, text: str) -> str:
        """A text with every mention of them replaced."""
        if "data-asana-gid" in text:
            text = _MENTION.sub(self._mention, text)
        if not self._shapes:
            return text
        normal = unicodedata.normalize("NFC", text)
        parts, end = [], 0
        for start, stop in self._found(normal):
            parts += [normal[end:start], MARK]
            end = stop
        return "".join([*parts, normal[end:]]) if parts else text

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Where someone is named: (start, end), the longest name at each place."""
        spans = [found.span() for found in _WORD.finditer(text)]
        letters = [0, *accumulate(end - start for start, end in spans)]
        at = 0
        while at < len(spans):
            # Hashing is dear: few passages have as many letters as a name of so many words.
            length = next(
                (
                    n
                    for n, fitting in self._shapes
                    if at + n <= len(spans)
                    and letters[at + n] - letters[at] in fitting
                    and self._is_name([text[start:end] for start, end in spans[at : at + n]])
                ),
                0,
            )
            if length:
                yield spans[at][0], spans[at + length - 1][1]
            at += length or 1

    def _is_name(self, words: Sequence[str]) -> bool:
        shape = len(words), sum(map(len, words))
        return any((*shape, _hash(words, salt)) in traces for salt, traces in self._traces.items())

    def _mention(self, found: re.Match[str]) -> str:
        return f"{found[1]}{MARK}{found[4]}" if found[2] in self._gids else found[0]

    def _walked(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._walked(item) for item in value]
        if isinstance(value, dict):
            gid = value.get("gid")
            if isinstance(gid, str) and gid in self._gids:
                return {"gid": gid}
            return {key: self._walked(item) for key, item in value.items()}
        return value

    def _rows(self, resource: Resource, rows: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
        for gid, row in rows.items():
            left = self.row(resource, gid, row)
            if left is not None:
                yield gid, left

    def _owners(
        self, resource: Resource, links: Links, owners: Mapping[str, Mapping[Row, Row]]
    ) -> Iterator[tuple[str, dict[Row, Row]]]:
        for owner, found in owners.items():
            if resource.name in PEOPLE and owner in self._gids:
                continue
            left = {key: self.link(links, key, values) for key, values in found.items()}
            yield owner, {key: values for key, values in left.items() if values is not None}

    def _stub(self, known: dict[str, str]) -> dict[str, str]:
        return {
            column: value if column.endswith("_gid") else self.text(value) for column, value in known.items()
        }

    def _is_someones(self, resource: Resource, row: Row) -> bool:
        """Who belongs where, and what is a person's alone, is said of a person: it goes with them."""
        own = _OWN.get(resource.name)
        if own is None and not resource.name.endswith("_memberships"):
            return False
        columns = (own,) if own else ("user_gid", "member_gid")
        return any(
            row[resource.places[column]] in self._gids for column in columns if column in resource.places
        )

    def _tells_of_someone(self, resource: Resource, row: Row) -> bool:
        return any(
            row[_place(resource.name, reference.column)] in self._gids
            for reference in resource.references
            if reference.table == "actors"
        ) or any(
            self._names_someone(row[_place(resource.name, column)])
            for column in ("old_people_value", "new_people_value")
            if column in resource.places
        )

    def _names_someone(self, json: Any) -> bool:
        return isinstance(json, str) and any(f'"{gid}"' in json for gid in self._gids)


@cache
def _place(resource_name: str, column: str) -> int:
    return RESOURCES[resource_name].column_names().index(column)


@cache
def _texts(resource_name: str) -> tuple[tuple[int, bool], ...]:
    """Places of a row that hold words, and whether as JSON. What others are called is theirs: namesakes stay."""
    resource = RESOURCES[resource_name]
    kept = _IDENTITY if resource_name in PEOPLE else frozenset()
    places = [
        (index, column.type == "json")
        for index, column in enumerate(resource.columns)
        if column.type in ("text", "json") and column.name not in kept and not column.name.endswith(_FIXED)
    ]
    return (*places, (len(resource.column_names()), True))


def _dump(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
