"""The README is true: its commands are the ones CI runs, its queries answer."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from asana_mirror.cli import cli
from asana_mirror.run import SyncOptions, sync
from asana_mirror.sandbox import create_app, generate, running

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("readme") / "asana.db"
    world = generate(seed=7, tasks=80)
    with running(create_app(world)) as base_url:
        asyncio.run(sync(SyncOptions(mirror=path, token=world.token, base_url=base_url, per_minute=0)))
    return sqlite3.connect(path)


def test_ci_runs_the_test_command_word_for_word() -> None:
    (command,) = re.findall(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_its_queries_answer(mirror: sqlite3.Connection, number: int) -> None:
    for query in filter(str.strip, QUERIES[number].split(";")):
        mirror.execute(query).fetchall()


def test_it_has_five_of_them() -> None:
    assert len(QUERIES) == 5


def test_the_map_shows_every_room_and_no_other() -> None:
    (tree,) = re.findall(r"```\nschema/.*?\nasana_mirror/\n(.*?)\ntests/.*?```", README, re.DOTALL)
    shown = set(re.findall(r"(?<=  )(\w+(?:\.py|/))", tree))
    package = ROOT / "asana_mirror"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rooms |= {path.name for path in package.glob("[a-z]*.py")}
    assert shown == rooms - {"times.py", "schema_files.py"}


def block(kind: str) -> str:
    """The one block of a kind in the README."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)
    return str(found)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd on this machine")
def test_its_systemd_unit_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "asana-mirror.service"
    unit.write_text(block("ini").replace("/opt/asana-mirror/bin/asana-mirror", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "asana-mirror" in line]
    assert ours == []


def test_its_units_call_commands_that_exist() -> None:
    """Those of the unit, the image and its health check."""
    (start,) = re.findall(r"^ExecStart=\S+/asana-mirror (.*)$", block("ini"), re.MULTILINE)
    (default,) = re.findall(r"^CMD (\[.*\])$", block("dockerfile"), re.MULTILINE)
    (check,) = re.findall(r"^    CMD (\[.*\])$", block("dockerfile"), re.MULTILINE)
    for arguments in (start.split(), json.loads(default), json.loads(check)[1:]):
        with cli.make_context("asana-mirror", list(arguments), resilient_parsing=True) as context:
            name, command, rest = cli.resolve_command(context, list(arguments))
            assert command is not None
            command.make_context(name, rest, parent=context, resilient_parsing=False)


def test_its_litestream_file_is_yaml_and_names_the_same_mirror() -> None:
    (database,) = yaml.safe_load(block("yaml"))["dbs"]
    assert database["path"] in block("ini")
