"""A narrowed run brings up to date what it is narrowed to, and leaves the rest and its cursors alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from narrowed import (
    changed_outside,
    differences_in,
    everything,
    of_projects,
    tokens,
    unlike,
    with_what_is_on,
)
from truth import differences, sound
from worlds import Mirrored, mirror, mirrored, rows, value

from asana_mirror.errors import Interrupted, WrongUsage
from asana_mirror.run import Stop
from asana_mirror.sandbox import World, create_app, generate, random_edits
from asana_mirror.words import Scope

# Edits of which the stream of a task's own project tells all.
ON_TASKS = (
    *("create", "create_below", "rename", "rewrite", "complete", "schedule", "assign", "fill", "like"),
    *("follow", "tag", "comment", "comment_edit", "comment_gone", "attach", "detach", "delete"),
    *("section_new", "section_rename", "project_change"),
)


@pytest.fixture
def both(tmp_path: Path) -> Mirrored:
    """Tasks in several projects and teams, mirrored once."""
    return mirrored(tmp_path, generate(91, 160, projects=8, stories_per_task=3.0))


def projects_of(world: World) -> list[str]:
    """Living projects, those with most tasks first."""
    gids = [record["gid"] for record in world.iter_records("projects")]
    return sorted(gids, key=lambda gid: -len(world.project_order(gid)))


def only(*projects: str, **more: tuple[str, ...]) -> Scope:
    return Scope(projects=projects, **more)


def fields_of(path: Path, *projects: str) -> set[str]:
    """Custom fields and options that come with the projects themselves."""
    fields = {
        row[0]
        for gid in projects
        for row in rows(path, "SELECT custom_field_gid FROM custom_field_settings WHERE parent_gid = ?", gid)
    }
    return fields | {
        row[0] for row in rows(path, "SELECT gid, custom_field_gid FROM enum_options") if row[1] in fields
    }


def rehome(both: Mirrored, number: int) -> None:
    """A task leaves its project for another one, or stands in both from now on."""
    gids = [record["gid"] for record in both.world.iter_records("projects")]
    there, here = gids[number % len(gids)], gids[(number // 5) % len(gids)]
    for gid in both.world.project_order(here)[:1]:
        both.write("POST", f"/tasks/{gid}/addProject", project=there)
        if number % 2 and here != there:
            both.write("POST", f"/tasks/{gid}/removeProject", project=here)


def edited(both: Mirrored, projects: list[str], count: int, seed: int) -> set[str]:
    """Edit everywhere; returns whatever stood in these projects before, meanwhile or afterwards."""
    world = both.world
    inside = of_projects(world, projects)
    for number in range(count // 5):  # before the rest: what happened elsewhere, only other streams tell
        rehome(both, seed + 5 * number)
        inside |= of_projects(world, projects)
    for number in range(count):
        random_edits(world, 1, 1000 * seed + number, ON_TASKS)
        inside |= of_projects(world, projects)
    return inside | with_what_is_on(both.world, inside)


@pytest.mark.parametrize("seed", range(4))
def test_one_project_is_brought_up_to_date_and_nothing_else_is_touched(both: Mirrored, seed: int) -> None:
    project = projects_of(both.world)[seed]
    inside = edited(both, [project], 150, seed)
    before, heard = everything(both.path), tokens(both.path)

    both.sync(scope=only(project))

    assert differences_in(both.world, both.path, of_projects(both.world, [project])) == []
    inside |= fields_of(both.path, project)
    assert changed_outside(before, everything(both.path), inside) == []
    after = tokens(both.path)
    assert [gid for gid in heard if heard[gid] != after[gid]] == [project]
    both.sync()
    assert unlike(both.world, both.path) == []
    assert sound(both.path)


# -- before, between and after whole runs --------------------------------------------------------------


def test_on_an_empty_file_one_project_is_mirrored_whole_and_nothing_else(tmp_path: Path) -> None:
    world = generate(92, 120, projects=6, stories_per_task=2.0)
    both = Mirrored(world, create_app(world), tmp_path / "mirror.db")
    project = projects_of(world)[1]

    assert both.sync(scope=only(project)).mode == "first"

    inside = of_projects(world, [project])
    assert differences_in(world, both.path, inside) == []
    whole = {row[0] for row in rows(both.path, "SELECT gid FROM tasks WHERE _synced_at NOT NULL")}
    assert whole <= inside
    assert value(both.path, "SELECT count(*) FROM projects WHERE _synced_at NOT NULL") == 1
    assert sound(both.path)
    assert both.sync(scope=only(project)).mode == "changes"
    random_edits(world, 60, 92)
    assert both.sync().mode == "full"
    assert differences(world, both.path) == []


@pytest.mark.parametrize("asked", [4, 15, 40])
def test_a_narrowed_run_that_is_cut_short_spoils_nothing(tmp_path: Path, asked: int) -> None:
    """On an empty file and beside a whole mirror; a whole run or the same narrow one follows."""
    world = generate(93, 120, projects=4, stories_per_task=2.0)
    app = create_app(world)
    whole, empty = Mirrored(world, app, tmp_path / "whole.db"), Mirrored(world, app, tmp_path / "empty.db")
    whole.sync()
    project = projects_of(world)[0]
    for number, both in enumerate((whole, empty, empty)):
        random_edits(world, 60, 93 + number, ON_TASKS)
        cut_short(both, asked, only(project))
    assert whole.sync().mode == "changes"
    assert unlike(world, whole.path) == []
    empty.sync(scope=only(project))
    assert differences_in(world, empty.path, of_projects(world, [project])) == []
    assert empty.sync().mode == "full"
    assert differences(world, empty.path) == []


def cut_short(both: Mirrored, asked: int, scope: Scope) -> None:
    """Stop a run after so many requests."""
    stop, app, heard = Stop(), both.app, 0

    async def count(asgi: Any, receive: Any, send: Any) -> None:
        nonlocal heard
        heard += 1
        if heard == asked:
            stop.ask()
        await app(asgi, receive, send)

    with suppress(Interrupted):
        mirror(both.world, both.path, count, stop=stop, scope=scope)


def test_a_whole_run_that_was_cut_short_is_finished_after_a_narrowed_one(both: Mirrored) -> None:
    """The cut run heard the streams: what they told waits, and the narrowed run must not forget it."""
    project = projects_of(both.world)[0]
    edited(both, [project], 100, 5)
    cut_short(both, 30, Scope())
    both.sync(scope=only(project))
    assert differences_in(both.world, both.path, of_projects(both.world, [project])) == []
    both.sync()
    assert unlike(both.world, both.path) == []


# -- teams ---------------------------------------------------------------------------------------------


def in_team(world: World, team: str) -> list[str]:
    return [gid for gid in projects_of(world) if world.records[gid]["team"] == team]


def two_teams(world: World) -> tuple[str, str]:
    """The two teams with most projects."""
    teams = sorted((r["gid"] for r in world.iter_records("teams")), key=lambda gid: -len(in_team(world, gid)))
    assert in_team(world, teams[1])
    return teams[0], teams[1]


def test_one_team_is_brought_up_to_date_and_nothing_else_is_touched(both: Mirrored) -> None:
    team, _ = two_teams(both.world)
    projects = in_team(both.world, team)
    inside = edited(both, projects, 120, 6) | {team}
    before, heard = everything(both.path), tokens(both.path)

    both.sync(scope=Scope(teams=(team,)))

    assert differences_in(both.world, both.path, of_projects(both.world, projects)) == []
    inside |= fields_of(both.path, team, *projects)
    assert changed_outside(before, everything(both.path), inside) == []
    after = tokens(both.path)
    assert {gid for gid in heard if heard[gid] != after[gid]} == set(projects)
    both.sync()
    assert unlike(both.world, both.path) == []


def test_projects_that_left_or_joined_a_team_are_known_to_its_next_run(both: Mirrored) -> None:
    team, other = two_teams(both.world)
    leaves, joins = in_team(both.world, team)[0], in_team(both.world, other)[0]
    both.write("PUT", f"/projects/{leaves}", team=other)
    both.write("PUT", f"/projects/{joins}", team=team)
    task = both.world.project_order(joins)[0]
    both.write("PUT", f"/tasks/{task}", name="Told by the stream of the one that joined")
    new = both.write("POST", "/projects", name="New", workspace=both.world.workspaces[0], team=team)["gid"]
    below = both.write("POST", "/tasks", name="In it", projects=[new])["gid"]

    both.sync(scope=Scope(teams=(team,)))

    assert both.row("projects", leaves)["team_gid"] == other
    assert both.row("projects", joins)["team_gid"] == team
    assert both.row("tasks", task)["name"].startswith("Told by")
    assert both.is_alive("tasks", below)
    assert tokens(both.path).keys() >= {leaves, joins, new}
    both.sync()
    assert unlike(both.world, both.path) == []


def test_the_members_of_a_team_are_read_again_by_age(both: Mirrored) -> None:
    team, _ = two_teams(both.world)
    user = next(iter(both.world.team_members[team]))
    both.write("POST", f"/teams/{team}/removeUser", user=user)
    both.sync(scope=Scope(teams=(team,)), max_age_s=0)
    sql = "SELECT count(*) FROM team_memberships WHERE team_gid = ? AND user_gid = ? AND _deleted_at IS NULL"
    assert value(both.path, sql, team, user) == 0


# -- what is gone --------------------------------------------------------------------------------------


def test_a_project_that_is_no_longer_there_is_refused_and_nothing_is_touched(both: Mirrored) -> None:
    project = projects_of(both.world)[0]
    both.write("DELETE", f"/projects/{project}")
    before = both.path.read_bytes()
    with pytest.raises(WrongUsage, match=f"sees no project {project}"):
        both.sync(scope=only(project))
    assert both.path.read_bytes() == before
    both.sync()
    assert not both.is_alive("projects", project)
    assert unlike(both.world, both.path) == []


def test_tasks_that_are_gone_from_the_project_are_tombstones_and_no_others(both: Mirrored) -> None:
    here, there = projects_of(both.world)[:2]
    gone = [both.world.project_order(project)[0] for project in (here, there)]
    for gid in gone:
        both.write("DELETE", f"/tasks/{gid}")
    both.sync(scope=only(here))
    assert [both.is_alive("tasks", gid) for gid in gone] == [False, True]
    both.sync()
    assert [both.is_alive("tasks", gid) for gid in gone] == [False, False]
    assert unlike(both.world, both.path) == []
