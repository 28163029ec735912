"""Turns schema/datasette*.yaml, which know no names of mirrors, into Datasette's metadata for one database."""

from __future__ import annotations

from html import escape
from typing import Any

from datasette.utils import parse_metadata, tilde_encode  # type: ignore[import-untyped]

from asana_mirror.schema_files import description_files

STATIC_MOUNT = "asana-mirror-static"


def descriptions() -> dict[str, Any]:
    """The first file says what holds for all; the others add tables and queries."""
    first: dict[str, Any]
    first, *others = (parse_metadata(file.read_text(encoding="utf-8")) for file in description_files())
    for other in others:
        for part, entries in other.items():
            first[part].update(entries)
    return first


def metadata_for(database: str) -> dict[str, Any]:
    """Metadata of Datasette 0.65: https://docs.datasette.io/en/0.65.1/metadata.html"""
    described = descriptions()
    return {
        "title": described["title"],
        "description": described["description"],
        "extra_css_urls": [f"/{STATIC_MOUNT}/browse.css"],
        "databases": {
            database: {
                "description_html": overview(database, described),
                "tables": described["tables"],
                "queries": described["queries"],
            }
        },
    }


def overview(database: str, described: dict[str, Any]) -> str:
    """The database's page lists tables first and views last: this names where to begin."""
    places = [
        f'<li><a href="{tilde_encode(database)}/{tilde_encode(name)}">{escape(entry["title"])}</a> – '
        f"{escape(entry['description'])}</li>"
        for name, entry in described["tables"].items()
        if entry.get("begin_here")
    ]
    return f'<p>{escape(described["description"])}</p><ul class="bullets">{"".join(places)}</ul>'
