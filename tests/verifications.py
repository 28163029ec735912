"""Mirrors to spoil, comparisons of them with Asana, and what those found."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from truth import differences, unsound
from worlds import IN_PROCESS, Mirrored, mirrored, value

from asana_mirror.differences import print_verification
from asana_mirror.run import SyncOptions
from asana_mirror.sandbox import World, generate
from asana_mirror.verify import Verification, verify

ALL = 100_000  # a sample large enough for everything


def small() -> World:
    return generate(51, 40, projects=4, stories_per_task=1.5, tags=4)


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    return mirrored(tmp_path, small())


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    return mirrored(tmp_path_factory.mktemp("pristine"), small())


@pytest.fixture
def ours(pristine: Mirrored, tmp_path: Path) -> Mirrored:
    """A copy of the mirror to spoil; the world it shows is everyone's and stays as it is."""
    path = tmp_path / "mirror.db"
    shutil.copyfile(pristine.path, path)
    return Mirrored(pristine.world, pristine.app, path)


def compared(both: Mirrored, app: Any = None, sample: int = ALL, **options: Any) -> Verification:
    asked = {name: options.pop(name) for name in ("seed", "repair", "stop") if name in options}
    wanted = {"mirror": both.path, "token": both.world.token, "base_url": IN_PROCESS, "per_minute": 0}
    transport = httpx.ASGITransport(app or both.app)
    return asyncio.run(
        verify(SyncOptions(**(wanted | options)), sample=sample, transport=transport, **asked)  # type: ignore[arg-type]
    )


def told(found: Verification) -> str:
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_verification(found, console)
    return console.export_text()


def spoil(both: Mirrored, sql: str, *values: Any) -> None:
    """Write into the mirror what no run would write."""
    with closing(sqlite3.connect(both.path)) as db, db:
        assert db.execute(sql, values).rowcount, sql


def is_equal(both: Mirrored, besides: Collection[str] = ()) -> bool:
    """Equal but for what may lag."""
    lags = {"position", "display_value", *besides}
    found = differences(both.world, both.path, besides=lambda table, key, column: column in lags)
    assert found == [], found
    assert (found := unsound(both.path)) == [], found
    return True


def assert_found_and_repaired(both: Mirrored, what: str, gid: str, column: str | None) -> None:
    found = compared(both, repair=True)
    assert (what, gid, column) in {(one.what, one.gid, one.column) for one in found.differences}, found
    assert gid in told(found), told(found)
    assert (column or what) in told(found), told(found)
    assert found.repair is not None, found
    assert found.repair.left == [], found.repair.left
    assert is_equal(both)


def project_of_some(both: Mirrored) -> str:
    return str(value(both.path, "SELECT project_gid FROM task_projects"))
