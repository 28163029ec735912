"""Where the folder `schema` lies: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def schema_folder() -> Path:
    package = Path(__file__).resolve().parent
    inside = package / "schema"
    return inside if inside.is_dir() else package.parent / "schema"
