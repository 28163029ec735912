"""What is excluded stays out, whichever way it comes, and nobody asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from exclusions import HIDDEN, Partly, excluded_projects, left_out, partly, traces
from truth import unsound
from worlds import Rewriter, mirror, row, rows, value

from asana_mirror.errors import Interrupted
from asana_mirror.exclusion import Exclusion, hanging_on, ties
from asana_mirror.run import Stop
from asana_mirror.words import Scope

SECRET = "Xylographer"


@pytest.fixture
def both(tmp_path: Path) -> Partly:
    """One project is named; nothing is mirrored yet."""
    both = partly(tmp_path, Exclusion())
    both.exclude = Exclusion(projects=frozenset([_project(both)]))
    return both


def _project(both: Partly, place: int = 0) -> str:
    return str([one["gid"] for one in both.world.iter_records("projects")][place])


def _name(exclude: Exclusion) -> str:
    (gid,) = exclude.projects
    return gid


# -- which projects -----------------------------------------------------------------------------------


def _rules(both: Partly) -> dict[str, Exclusion]:
    one = next(iter(both.world.iter_records("projects")))
    return {
        "named": Exclusion(projects=frozenset([one["gid"]])),
        "of a team": Exclusion(teams=frozenset([one["team"]["gid"]])),
        "archived": Exclusion(archived=True),
        "private": Exclusion(private=True),
        "all of that": Exclusion(frozenset([one["gid"]]), frozenset([one["team"]["gid"]]), True, True),
    }


@pytest.mark.parametrize("rule", ["named", "of a team", "archived", "private", "all of that"])
def test_nothing_of_an_excluded_project_comes_in_and_nothing_of_it_is_asked_for(
    tmp_path: Path, rule: str
) -> None:
    both = partly(tmp_path, Exclusion())
    both.exclude = _rules(both)[rule]
    assert excluded_projects(both.world, both.exclude)

    for options in ({}, {}, {"full": True}, {"max_age_s": 0, "sweep_every_s": 0}):
        both.sync(**options)
        assert both.asked_about(both.out()) == []
        assert both.is_clean()


def test_where_asana_does_not_say_how_private_a_project_is_public_tells(tmp_path: Path) -> None:
    both = partly(tmp_path, Exclusion(private=True))

    def older(path: str, envelope: dict[str, Any]) -> None:
        found = envelope["data"] if isinstance(envelope["data"], list) else [envelope["data"]]
        for record in found:
            record.pop("privacy_setting", None)

    mirror(both.world, both.path, Rewriter(both.app, older), exclude=both.exclude)

    hidden = excluded_projects(both.world, both.exclude)
    assert hidden
    assert traces(both.path, hidden) == []
    assert value(both.path, "SELECT count(*) FROM projects WHERE _synced_at IS NOT NULL") == (
        len(list(both.world.iter_records("projects"))) - len(hidden)
    )


def test_a_private_team_is_not_excluded_with_private_projects(tmp_path: Path) -> None:
    both = partly(tmp_path, Exclusion(private=True))
    for team in both.world.iter_records("teams"):
        both.world.records[team["gid"]]["visibility"] = "secret"
    both.sync()
    assert value(both.path, "SELECT count(*) FROM teams WHERE visibility = 'secret'") == len(
        list(both.world.iter_records("teams"))
    )


def test_an_excluded_team_stays_out_with_its_memberships(tmp_path: Path) -> None:
    both = partly(tmp_path, Exclusion())
    both.exclude = _rules(both)["of a team"]
    both.sync()
    (team,) = both.exclude.teams
    assert rows(both.path, "SELECT * FROM team_memberships WHERE team_gid = ?", team) == []
    assert (found := row(both.path, "teams", team)) is None or found["name"] is None
    assert not [one.path for one in both.listener.requests if team in one.path]


# -- which tasks, whichever way they come -------------------------------------------------------------


def _only_there(both: Partly, **fields: Any) -> str:
    """A new task that stands in the excluded project only."""
    return str(both.write("POST", "/tasks", name=SECRET, projects=[_name(both.exclude)], **fields)["gid"])


def test_a_task_stays_out_that_comes_by_a_persons_list(both: Partly) -> None:
    gid = _only_there(both, assignee=both.world.me)
    both.sync()
    assert row(both.path, "tasks", gid) is None
    assert both.is_clean()


def test_a_task_stays_out_that_comes_by_a_tag(both: Partly) -> None:
    tag = next(both.world.iter_records("tags"))["gid"]
    gid = _only_there(both)
    both.write("POST", f"/tasks/{gid}/addTag", tag=tag)
    both.sync()
    assert row(both.path, "tasks", gid) is None
    assert both.is_clean()


def test_a_subtask_of_a_wanted_task_stays_out_that_stands_in_an_excluded_project(both: Partly) -> None:
    parent = both.write("POST", "/tasks", name="wanted", projects=[_project(both, 1)])["gid"]
    gid = both.write("POST", f"/tasks/{parent}/subtasks", name=SECRET)["gid"]
    both.write("POST", f"/tasks/{gid}/addProject", project=_name(both.exclude))
    both.sync()
    assert both.is_alive("tasks", parent)
    assert row(both.path, "tasks", gid) is None
    assert both.is_clean()


def test_a_task_stays_out_that_is_asked_for_by_itself(both: Partly) -> None:
    """Its stream is that of a wanted project, which it has left before it was read."""
    both.sync()
    gid = both.write("POST", "/tasks", name=SECRET, projects=[_project(both, 1), _name(both.exclude)])["gid"]
    both.write("POST", f"/tasks/{gid}/removeProject", project=_project(both, 1))
    both.sync()
    assert f"/tasks/{gid}" in [one.path for one in both.listener.requests]
    assert row(both.path, "tasks", gid) is None
    assert both.is_clean()


def test_all_below_a_task_that_is_left_out_stays_out(both: Partly) -> None:
    """An assigned subtask comes by its person's list; its parent is in no list that is read."""
    top = _only_there(both)
    middle = both.write("POST", f"/tasks/{top}/subtasks", name=SECRET)["gid"]
    lowest = both.write("POST", f"/tasks/{middle}/subtasks", name=SECRET, assignee=both.world.me)["gid"]
    both.write("POST", f"/tasks/{lowest}/stories", text=SECRET)

    both.sync()

    looked_up = sorted(
        one.path for one in both.listener.requests if one.path in (f"/tasks/{top}", f"/tasks/{middle}")
    )
    assert looked_up == sorted([f"/tasks/{top}", f"/tasks/{middle}"])
    assert both.is_clean()


def test_a_parent_is_looked_up_once_for_all_runs(both: Partly) -> None:
    gid = both.write("POST", f"/tasks/{_only_there(both)}/subtasks", name=SECRET, assignee=both.world.me)[
        "gid"
    ]
    both.sync()
    both.write("PUT", f"/tasks/{gid}", name=f"{SECRET} again")

    both.sync()

    assert both.asked_about(both.out()) == []
    assert both.is_clean()


def test_a_full_run_looks_a_parent_up_again_which_may_have_left(both: Partly) -> None:
    """No list shows the parent, neither there nor where it is now."""
    parent = _only_there(both)
    gid = both.write("POST", f"/tasks/{parent}/subtasks", name="found again", assignee=both.world.me)["gid"]
    both.sync()
    both.write("POST", f"/tasks/{parent}/removeProject", project=_name(both.exclude))

    both.sync(full=True)

    assert both.is_alive("tasks", gid)


def test_a_task_that_is_also_in_a_wanted_project_comes_in_without_the_other_link(both: Partly) -> None:
    wanted = _project(both, 1)
    gid = both.write("POST", "/tasks", name="in both", projects=[wanted, _name(both.exclude)])["gid"]
    both.sync()
    links = rows(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    assert [link[0] for link in links] == [wanted]
    assert both.is_alive("tasks", gid)
    assert both.is_clean()


def test_a_subtask_in_a_wanted_project_comes_in_below_a_nameless_parent(both: Partly) -> None:
    parent = _only_there(both)
    gid = both.write("POST", f"/tasks/{parent}/subtasks", name="wanted")["gid"]
    both.write("POST", f"/tasks/{gid}/addProject", project=_project(both, 1))
    both.sync()
    assert both.is_alive("tasks", gid)
    assert row(both.path, "tasks", gid)["parent_gid"] == parent
    assert row(both.path, "tasks", parent)["name"] is None
    assert both.is_clean()


def test_no_name_of_what_is_excluded_is_in_the_file(both: Partly) -> None:
    project = _name(both.exclude)
    both.write("PUT", f"/projects/{project}", name=SECRET, notes=SECRET)
    section = both.write("POST", f"/projects/{project}/sections", name=SECRET)["gid"]
    gid = _only_there(both, assignee=both.world.me, notes=SECRET)
    both.write("POST", f"/sections/{section}/addTask", task=gid)
    both.write("POST", f"/tasks/{gid}/stories", text=SECRET)
    other = both.write("POST", "/tasks", name="wanted", projects=[_project(both, 1)])["gid"]
    both.write("POST", f"/tasks/{other}/addDependencies", dependencies=[gid])
    both.sync()
    both.sync(full=True)
    told = [
        table
        for table in ("projects", "sections", "tasks", "actors", "sync_undecoded", "sync_problems")
        for one in rows(both.path, f"SELECT * FROM {table}")
        if SECRET in str(tuple(one))
    ]
    assert told == []
    assert both.is_clean()


def test_a_record_that_does_not_fit_stays_out_as_well(both: Partly) -> None:
    gid = _only_there(both, assignee=both.world.me)

    def spoilt(path: str, envelope: dict[str, Any]) -> None:
        for record in envelope["data"] if isinstance(envelope["data"], list) else ():
            if record["gid"] == gid:
                record["followers"] = "no list"

    mirror(both.world, both.path, Rewriter(both.app, spoilt), exclude=both.exclude)

    assert value(both.path, "SELECT count(*) FROM sync_undecoded") == 0
    assert both.is_clean()


# -- runs of every kind -------------------------------------------------------------------------------


def test_a_resumed_run_keeps_out_what_the_first_one_did(tmp_path: Path) -> None:
    both = partly(tmp_path, HIDDEN)
    asked = 0
    while True:
        stop = Stop()
        asked += 60

        async def counted(scope: Any, receive: Any, send: Any, stop: Stop = stop, most: int = asked) -> None:
            if scope["type"] == "http" and len(both.listener.requests) >= most:
                stop.set()
            await both.listener(scope, receive, send)

        try:
            mirror(both.world, both.path, counted, exclude=both.exclude, stop=stop)
            break
        except Interrupted:
            assert traces(both.path, both.out()) == []
    assert asked > 120
    assert both.asked_about(both.out()) == []
    assert both.is_clean()


@pytest.mark.parametrize("narrowed", ["projects", "teams", "only"])
def test_a_narrowed_run_keeps_it_out_as_well(tmp_path: Path, narrowed: str) -> None:
    """Nobody has read the list of projects by then, and a task of the wanted one stands in an excluded one too."""
    both = partly(tmp_path, HIDDEN)
    hidden = sorted(excluded_projects(both.world, HIDDEN))
    wanted = next(one for one in both.world.iter_records("projects") if one["gid"] not in hidden)
    gid = both.write("POST", "/tasks", name="in both", projects=[wanted["gid"], hidden[0]])["gid"]
    scope = {
        "projects": Scope(projects=(wanted["gid"], *hidden)),
        "teams": Scope(teams=(wanted["team"]["gid"],)),
        "only": Scope(only=("tasks",)),
    }[narrowed]

    both.sync(scope=scope)

    assert both.is_alive("tasks", gid)
    assert traces(both.path, both.out()) == []
    assert unsound(both.path) == []


def test_a_project_that_cannot_be_looked_up_is_not_said_to_be_excluded(tmp_path: Path) -> None:
    both = partly(tmp_path, HIDDEN)
    hidden = sorted(excluded_projects(both.world, HIDDEN))[0]
    wanted = next(
        o["gid"] for o in both.world.iter_records("projects") if o["gid"] not in left_out(both.world, HIDDEN)
    )
    gid = both.write("POST", "/tasks", name="in both", projects=[wanted, hidden])["gid"]
    both.world.refuse(f"/projects/{hidden}", 404)
    both.sync(scope=Scope(projects=(wanted,)))
    assert both.is_alive("tasks", gid)


# -- the rules themselves -----------------------------------------------------------------------------

PROJECT = {
    "gid": "1",
    "team": {"gid": "9"},
    "archived": False,
    "public": True,
    "privacy_setting": "public_to_workspace",
}


@pytest.mark.parametrize(
    ("rule", "says", "why"),
    [
        (Exclusion(), {}, ""),
        (Exclusion(projects=frozenset("1")), {}, "named"),
        (Exclusion(projects=frozenset("2")), {}, ""),
        (Exclusion(teams=frozenset("9")), {}, "team 9"),
        (Exclusion(teams=frozenset("9")), {"team": None}, ""),
        (Exclusion(archived=True), {"archived": True}, "archived"),
        (Exclusion(archived=True), {}, ""),
        (Exclusion(private=True), {"privacy_setting": "private"}, "private"),
        (Exclusion(private=True), {"privacy_setting": "private_to_team", "public": False}, ""),
        (Exclusion(private=True), {"privacy_setting": None, "public": False}, "private"),
        (Exclusion(private=True), {"privacy_setting": None, "public": None}, ""),
    ],
)
def test_why_a_project_is_excluded(rule: Exclusion, says: dict[str, Any], why: str) -> None:
    assert rule.why("projects", PROJECT | says) == why


@pytest.mark.parametrize(
    ("resource", "record", "found"),
    [
        (
            "tasks",
            {"memberships": [{"project": {"gid": "1"}}, {"project": {"gid": "2"}}]},
            ["project 1", "project 2"],
        ),
        ("tasks", {"memberships": [{"project": {"gid": "1"}}], "parent": {"gid": "7"}}, ["project 1"]),
        ("tasks", {"memberships": [], "parent": {"gid": "7"}}, ["task 7"]),
        ("tasks", {"memberships": None, "parent": None}, []),
        ("tasks", {"memberships": "?", "parent": "?"}, []),
        ("tasks", "no object", []),
        ("stories", {"target": {"gid": "7", "resource_type": "task"}}, ["task 7"]),
        ("attachments", {"parent": {"gid": "1", "resource_type": "project"}}, ["project 1"]),
        ("attachments", {"parent": {"gid": "1", "resource_type": "project_brief"}}, []),
        ("sections", {"project": {"gid": "1"}}, ["project 1"]),
        ("team_memberships", {"team": {"gid": "9"}}, ["team 9"]),
        ("users", {"gid": "5"}, []),
    ],
)
def test_on_what_a_record_depends(resource: str, record: Any, found: list[str]) -> None:
    assert [hanging_on(*tie) for tie in ties(resource, record)] == found
