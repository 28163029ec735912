"""The sandbox stands alone: sharing code with what it tests would let both share a mistake."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import asana_mirror.sandbox

HOME = Path(asana_mirror.sandbox.__file__).parent
ALLOWED = {"httpx", "orjson", "starlette", "uvicorn"}


def test_it_imports_nothing_of_the_rest() -> None:
    for file in HOME.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [] if node.level == 1 else [str(node.module)]
            else:
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                root = name.partition(".")[0]
                assert root in ALLOWED or root in sys.stdlib_module_names, (file.name, name)


def test_everything_public_can_be_imported_by_name() -> None:
    names = "World generate create_app running serve Limits Faults random_edits"
    assert set(names.split()) <= set(asana_mirror.sandbox.__all__)
