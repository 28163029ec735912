"""The wheel, installed into a fresh environment outside the checkout, does the main job."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_schema_travels_inside_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for file in (ROOT / "schema").iterdir():
        assert f"asana_mirror/schema/{file.name}" in inside


def test_what_asana_describes_travels_with_it(wheel: Path) -> None:
    assert "asana_mirror/described/asana.json" in zipfile.ZipFile(wheel).namelist()


def test_nothing_else_travels_with_it(wheel: Path) -> None:
    inside = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in inside if not name.endswith(".dist-info")} == {"asana_mirror"}


def test_an_installed_wheel_mirrors_the_sandbox(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    binaries = tmp_path / "env" / "bin"
    subprocess.run(
        [binaries / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel],
        check=True,
        capture_output=True,
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ASANA", "PYTHON"))}
    done = subprocess.run(
        [binaries / "asana-mirror", "demo", "there", "--tasks", "50", "--no-serve"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    status = subprocess.run(
        [binaries / "asana-mirror", "status", "there/demo.db"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert "complete" in status.stdout
