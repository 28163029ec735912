"""What cannot be read is said as long as it cannot be read, and no longer."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from worlds import Rewriter, always_refused, mirror, rows, write

from asana_mirror.sandbox import World, create_app, generate


def a_project(world: World) -> str:
    return str(next(world.iter_records("projects"))["gid"])


def problems(world: World, path: Path) -> list[tuple[str, int, int]]:
    """Those besides what no person's token is shown, which is asked for once and then by age."""
    found = [tuple(row) for row in rows(path, "SELECT listing, status, times FROM sync_problems")]
    usual = [(listing, status, 1) for listing, status in always_refused(world)]
    assert set(usual) <= set(found)
    return [problem for problem in found if problem not in usual]


def test_a_refusal_is_one_line_that_counts_and_goes_when_it_is_over(tmp_path: Path) -> None:
    world = generate(seed=31, tasks=40)
    path, app, listing = tmp_path / "mirror.db", create_app(world), f"/projects/{a_project(world)}/sections"
    world.refuse(listing, 403)
    mirror(world, path, app)
    mirror(world, path, app)
    assert problems(world, path) == [(listing, 403, 2)]
    world.allow(listing)
    mirror(world, path, app)
    assert problems(world, path) == []


def test_a_refusal_of_something_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    world = generate(seed=32, tasks=40)
    path, app, project = tmp_path / "mirror.db", create_app(world), a_project(world)
    world.refuse(f"/projects/{project}/sections", 403)
    mirror(world, path, app)
    assert len(problems(world, path)) == 1
    write(world, app, "DELETE", f"/projects/{project}")
    mirror(world, path, app)
    assert problems(world, path) == []


def test_announced_changes_are_kept_and_counted(tmp_path: Path) -> None:
    world = generate(seed=33, tasks=20)
    path, app = tmp_path / "mirror.db", create_app(world)
    app.announce("new_stories", "https://developers.example/changes", affected=True)
    report = mirror(world, path, app)
    (change,) = rows(path, "SELECT name, info, affected, times FROM sync_api_changes")
    assert tuple(change) == ("new_stories", "https://developers.example/changes", 1, report.requests)


def test_a_person_in_two_workspaces_keeps_the_custom_fields_of_both(tmp_path: Path) -> None:
    """Each workspace's list shows its own part of them."""
    world = generate(seed=34, tasks=30, workspaces=2)
    path, fields, lists = tmp_path / "mirror.db", ("811", "812"), count()

    def dress(asked: str, envelope: dict[str, Any]) -> None:
        if asked == "/users":
            field = fields[next(lists) % 2]
            for record in envelope["data"]:
                record["custom_fields"] = [{"gid": field, "name": f"Field {field}", "display_value": "yes"}]

    for _ in range(2):
        mirror(world, path, Rewriter(create_app(world), dress))
        held = rows(path, "SELECT user_gid, count(*) AS n FROM user_custom_fields GROUP BY 1")
        both = rows(path, "SELECT user_gid FROM user_workspaces GROUP BY 1 HAVING count(*) = 2")
        assert both
        assert {row["user_gid"] for row in held if row["n"] == 2} == {row["user_gid"] for row in both}
