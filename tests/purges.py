"""A world in which one person did and said much, a mirror of it to purge, and what remains in its files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from worlds import Mirrored, write

from asana_mirror.purge import PurgeOptions, PurgeReport, purge
from asana_mirror.sandbox import World, create_app, generate

NAME = "Zoë O'Quill"
EMAIL = "zoe.o@quillandsons.example"
SAID = "my knee aches whenever it rains"


def go_on(report: PurgeReport) -> None:
    """Nothing is asked."""


def purged(path: Path, **what: Any) -> PurgeReport:
    return purge(PurgeOptions(path, **what), agreed=go_on)


def remains_of(path: Path, *traces: str) -> list[str]:
    """Which of these are still somewhere in the files, in any case."""
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    text = content.decode(errors="ignore").casefold()
    return [trace for trace in traces if trace.casefold() in text]


def somebody(world: World) -> str:
    """A user who is not the one behind the token."""
    return list(world.members[world.workspaces[0]])[2]


@dataclass
class Office(Mirrored):
    """A world in which Zoë has said and done much, and others have spoken of her."""

    zoe: str
    planted: set[tuple[str, str]]  # (table, gid) of what others wrote about her

    @property
    def traces(self) -> tuple[str, ...]:
        return NAME, "quill", EMAIL, SAID, f"photos.example/{self.zoe}"


def _rename(world: World, gid: str) -> None:
    world.records[gid] |= {"name": NAME, "email": EMAIL}


def _review(world: World, people: list[str]) -> None:
    """Name people in a people field, which a story then tells."""
    for task in world.iter_records("tasks"):
        for field in task["custom_fields"]:
            if field.get("people_value"):
                world.set_custom_field(task["gid"], field["gid"], people)
                return


def _plant(world: World, app: Any, zoe: str) -> set[tuple[str, str]]:
    tasks = sorted(world.reachable_tasks())
    project = next(world.iter_records("projects"))["gid"]
    world.admit("zoe", zoe)
    her_own = SimpleNamespace(token=world.tokens["zoe"])
    write(her_own, app, "POST", "/tasks", name="hers", workspace=world.workspaces[0], assignee=zoe)  # type: ignore[arg-type]
    write(world, app, "PUT", f"/tasks/{tasks[0]}", assignee=zoe)
    team = next(world.iter_records("teams"))["gid"]
    write(world, app, "POST", f"/teams/{team}/addUser", user=zoe)
    _review(world, [zoe])
    write(world, app, "POST", f"/tasks/{tasks[1]}/addFollowers", followers=[zoe])
    shared = next(g for g in tasks if world.visible(world.tokens["zoe"], g))
    write(her_own, app, "POST", f"/tasks/{shared}/stories", text=SAID)  # type: ignore[arg-type]
    about = [
        write(
            world, app, "PUT", f"/tasks/{tasks[2]}", name=f"{NAME}'s list", notes=f"Call zoë o'quill: {EMAIL}"
        ),
        write(world, app, "PUT", f"/projects/{project}", notes=f"Led by {NAME}."),
        write(world, app, "POST", f"/tasks/{tasks[3]}/stories", text=f"Ask {NAME}, the lighthouse is hers"),
    ]
    renames = [
        record["gid"] for record in world.iter_records("stories") if NAME in str(record.get("new_name"))
    ]
    return {(f"{r['resource_type'].removesuffix('y')}ies"[:-3] + "s", r["gid"]) for r in about[:2]} | {
        ("stories", gid) for gid in (about[2]["gid"], *renames)
    }


@pytest.fixture(scope="module")
def mirrored_office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    world = generate(71, 120, stories_per_task=4.0)
    app, zoe = create_app(world), somebody(world)
    _rename(world, zoe)
    planted = _plant(world, app, zoe)
    office = Office(world, app, tmp_path_factory.mktemp("office") / "mirror.db", zoe, planted)
    office.sync()
    return office


@pytest.fixture
def office(mirrored_office: Office, tmp_path: Path) -> Office:
    """With a mirror of its own; the world is everyone's and stays as it is."""
    path = tmp_path / "mirror.db"
    shutil.copy(mirrored_office.path, path)
    return Office(
        mirrored_office.world, mirrored_office.app, path, mirrored_office.zoe, mirrored_office.planted
    )
