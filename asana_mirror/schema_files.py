"""Where the folder `schema` lies, inside the installed package or beside it in a checkout, and what is in it."""

from __future__ import annotations

from pathlib import Path


def schema_folder() -> Path:
    package = Path(__file__).resolve().parent
    inside = package / "schema"
    return inside if inside.is_dir() else package.parent / "schema"


def view_files() -> list[Path]:
    """The views that people browse: views.sql first, then what was put apart."""
    return sorted(schema_folder().glob("views*.sql"))


def description_files() -> list[Path]:
    """What Datasette says of tables and views: datasette.yaml first, then what was put apart."""
    return sorted(schema_folder().glob("datasette*.yaml"))
