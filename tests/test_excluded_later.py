"""Exclusions that come, change and go: what was mirrored is left alone, what is let in again is read anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exclusions import HIDDEN, Partly, partly, small, stand
from lag import equal_but_for_age
from truth import differences, unsound
from worlds import rows, value

from asana_mirror.exclusion import Exclusion
from asana_mirror.sandbox import generate, random_edits
from asana_mirror.store.state import read_state

NOTHING = Exclusion()
WANTED = {"archived": False, "privacy_setting": "public_to_workspace"}


@pytest.fixture
def both(tmp_path: Path) -> Partly:
    """Everything is mirrored, and nothing excluded yet; all projects are wanted, whatever may be excluded."""
    both = partly(tmp_path, NOTHING)
    for project in both.world.iter_records("projects"):
        both.world.records[project["gid"]] |= WANTED
    both.sync()
    return both


def _a_project(both: Partly) -> str:
    """One with tasks that stand nowhere else, some of them with subtasks and assigned."""
    return str(
        value(
            both.path,
            "SELECT project_gid FROM task_projects JOIN tasks ON tasks.gid = task_gid WHERE num_subtasks > 0 AND "
            "(SELECT count(*) FROM task_projects AS other WHERE other.task_gid = tasks.gid) = 1 "
            "GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
        )
    )


def _another(both: Partly, project: str) -> str:
    return next(one["gid"] for one in both.world.iter_records("projects") if one["gid"] != project)


def _equal(both: Partly) -> bool:
    assert (found := differences(both.world, both.path)) == [], found[:20]
    assert (found := unsound(both.path)) == [], found
    return True


def _named(*gids: str) -> Exclusion:
    return Exclusion(projects=frozenset(gids))


# How a project becomes excluded, and how it is let in again.
WAYS: dict[str, tuple[Callable[[Partly, str], None], Callable[[Partly, str], None]]] = {}


def _team_of(both: Partly, project: str) -> str:
    return str(both.world.record(project)["team"]["gid"])


def _rule(make: Callable[[Partly, str], Exclusion]) -> tuple[Callable[[Partly, str], None], Any]:
    return (
        lambda both, project: setattr(both, "exclude", make(both, project)),
        lambda both, project: setattr(both, "exclude", NOTHING),
    )


def _said_in_asana(exclude: Exclusion, **fields: Any) -> tuple[Callable[[Partly, str], None], Any]:
    def begin(both: Partly, project: str) -> None:
        both.exclude = exclude
        both.write("PUT", f"/projects/{project}", **fields)

    def end(both: Partly, project: str) -> None:
        both.write("PUT", f"/projects/{project}", **{name: WANTED[name] for name in fields})

    return begin, end


WAYS["named"] = _rule(lambda both, project: _named(project))
WAYS["of a team"] = _rule(lambda both, project: Exclusion(teams=frozenset([_team_of(both, project)])))
WAYS["archived"] = _said_in_asana(Exclusion(archived=True), archived=True)
WAYS["private"] = _said_in_asana(Exclusion(private=True), privacy_setting="private")


# -- what was mirrored before -------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_what_was_mirrored_before_stays_as_it_was_and_is_followed_no_more(both: Partly, way: str) -> None:
    project = _a_project(both)
    WAYS[way][0](both, project)
    before = stand(both.path, both.out())
    assert any(key.startswith("tasks") for key in before)
    both.sync()
    random_edits(both.world, 60, 5)
    assert both.out() & {key.split()[1] for key in before}

    for options in ({}, {"max_age_s": 0, "sweep_every_s": 0}, {"full": True}):
        both.sync(max_deletes=1000, **options)
        still_out = both.out() & {key.split()[1] for key in before}
        now = stand(both.path, still_out)
        assert now == {key: row for key, row in before.items() if key.split()[1] in still_out}
        assert both.asked_about(both.out()) == []
        assert unsound(both.path) == []


def test_what_is_deleted_in_asana_afterwards_is_no_tombstone(both: Partly) -> None:
    project = _a_project(both)
    both.exclude = _named(project)
    out = both.out()
    before = stand(both.path, out)
    both.sync()
    for gid in both.world.project_order(project)[:5]:
        both.write("DELETE", f"/tasks/{gid}")
    both.write("DELETE", f"/projects/{project}")

    for options in ({}, {"full": True}):
        both.sync(**options)
        assert stand(both.path, out) == before
        assert both.asked_about(out) == []


@pytest.mark.parametrize("leaves", [False, True])
def test_what_a_wanted_stream_tells_of_it_is_no_reason_either(both: Partly, leaves: bool) -> None:
    """It was in a wanted project for a moment, and is gone by now: a deleted event says so, or a single GET."""
    project = _a_project(both)
    both.exclude = _named(project)
    both.sync()
    gid = next(iter(sorted(set(both.world.project_order(project)) & both.out())))
    before = stand(both.path, [gid])
    both.write("POST", f"/tasks/{gid}/addProject", project=_another(both, project))
    if leaves:
        both.write("POST", f"/tasks/{gid}/removeProject", project=_another(both, project))
    both.write("DELETE", f"/tasks/{gid}")

    both.sync()

    assert stand(both.path, [gid]) == before
    assert value(both.path, "SELECT count(*) FROM sync_inbox") == 0


def test_nothing_is_concluded_from_a_person_who_is_gone(both: Partly) -> None:
    """Excluded tasks are theirs, and excluded teams had them as members."""
    project = _a_project(both)
    person = next(gid for gid in both.world.members[both.world.workspaces[0]] if gid != both.world.me)
    task = both.write("POST", "/tasks", name="theirs", projects=[project], assignee=person)["gid"]
    both.sync()
    both.exclude = Exclusion(teams=frozenset([_team_of(both, project)]))
    out = both.out()
    both.sync()
    both.world.leave(person)

    both.sync(max_deletes=1000)

    assert both.is_alive("tasks", task)
    assert both.asked_about(out) == []


def test_the_mass_deletion_guard_is_not_concerned(both: Partly) -> None:
    projects = [one["gid"] for one in both.world.iter_records("projects")]
    both.exclude = _named(*projects[:-1])
    assert both.sync(max_deletes=0).rows_deleted == 0
    assert both.sync(max_deletes=0, full=True).rows_deleted == 0


def test_a_task_in_a_wanted_project_too_loses_its_link_at_once(both: Partly) -> None:
    project = _a_project(both)
    gid = both.write("POST", "/tasks", name="in both", projects=[project, _another(both, project)])["gid"]
    both.sync()
    both.exclude = _named(project)
    both.sync()
    links = rows(both.path, "SELECT project_gid FROM task_projects WHERE task_gid = ?", gid)
    assert [link[0] for link in links] == [_another(both, project)]
    assert both.is_right()


def test_status_counts_what_is_left_out(both: Partly) -> None:
    project = _a_project(both)
    both.exclude = _named(project)
    both.sync()
    new = both.write("POST", "/tasks", name="new", projects=[project], assignee=both.world.me)["gid"]
    both.sync()
    found = {one["resource"]: one for one in read_state(both.path)["excluded"]}
    assert (found["projects"]["left_out"], found["projects"]["mirrored_before"]) == (1, 1)
    assert found["tasks"]["left_out"] == found["tasks"]["mirrored_before"] + 1
    assert rows(both.path, "SELECT * FROM tasks WHERE gid = ?", new) == []


# -- what moves ---------------------------------------------------------------------------------------


def test_a_task_that_moves_to_an_excluded_project_leaves_its_old_one_and_stays_else_as_it_was(
    both: Partly,
) -> None:
    project = _a_project(both)
    wanted = _another(both, project)
    both.exclude = _named(project)
    gid = both.write("POST", "/tasks", name="moves", projects=[wanted])["gid"]
    below = both.write("POST", f"/tasks/{gid}/subtasks", name="with it")["gid"]
    both.sync()
    before = stand(both.path, [gid, below])
    both.write("POST", f"/tasks/{gid}/addProject", project=project)
    both.write("POST", f"/tasks/{gid}/removeProject", project=wanted)
    both.write("PUT", f"/tasks/{gid}", name="unseen")

    both.sync()

    assert stand(both.path, [gid, below]) == before
    assert rows(both.path, "SELECT * FROM task_projects WHERE task_gid = ?", gid) == []
    assert both.is_right()
    both.sync(max_age_s=0, sweep_every_s=0)
    assert both.asked_about([gid, below]) == []


def test_a_task_that_moves_out_of_an_excluded_project_comes_in_with_all_below_it(both: Partly) -> None:
    project = _a_project(both)
    both.exclude = _named(project)
    both.sync()
    gid = next(g for g in both.world.project_order(project) if both.world.record(g)["num_subtasks"])
    new = both.write("POST", "/tasks", name="new", projects=[project])["gid"]
    both.write(
        "POST",
        f"/tasks/{both.write('POST', f'/tasks/{new}/subtasks', name='new')['gid']}/stories",
        text="new",
    )
    both.write("POST", f"/tasks/{gid}/stories", text="while nobody looked")
    both.sync()
    for moved in (gid, new):
        both.write("POST", f"/tasks/{moved}/addProject", project=_another(both, project))
        both.write("POST", f"/tasks/{moved}/removeProject", project=project)

    both.sync()

    assert both.is_alive("tasks", new)
    assert both.is_right()


# -- lifted -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored_before", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_let_in_again_comes_with_all_below_it(
    tmp_path: Path, way: str, mirrored_before: bool
) -> None:
    both = partly(tmp_path, NOTHING, small())
    for one in both.world.iter_records("projects"):
        both.world.records[one["gid"]] |= WANTED
    project = next(
        one["gid"] for one in both.world.iter_records("projects") if both.world.project_order(one["gid"])
    )
    if mirrored_before:
        both.sync()
    WAYS[way][0](both, project)
    both.sync()
    if not mirrored_before:
        assert both.is_clean()
    random_edits(both.world, 60, 9)
    both.sync(max_deletes=1000)
    if both.world.alive(project):
        WAYS[way][1](both, project)
    both.exclude = NOTHING

    both.sync(max_deletes=1000, max_age_s=0)

    assert _equal(both)
    assert value(both.path, "SELECT count(*) FROM sync_excluded WHERE why != 'lifted'") == 0
    assert both.sync().rows_updated == 0


def test_a_comment_edited_while_it_was_excluded_is_there_at_once(both: Partly) -> None:
    """Nothing on its task tells of it, so the project must be read as if it were new."""
    project = _a_project(both)
    gid = both.world.project_order(project)[0]
    story = both.write("POST", f"/tasks/{gid}/stories", text="first words")["gid"]
    both.sync()
    both.exclude = _named(project)
    both.sync()
    both.write("PUT", f"/stories/{story}", text="second thoughts")
    both.exclude = NOTHING

    both.sync()

    assert value(both.path, "SELECT text FROM stories WHERE gid = ?", story) == "second thoughts"
    assert _equal(both)


def test_what_vanished_while_it_was_excluded_is_a_tombstone_once_it_is_let_in(both: Partly) -> None:
    project = _a_project(both)
    tasks = both.world.project_order(project)
    both.exclude = _named(project)
    both.sync()
    both.write("DELETE", f"/tasks/{tasks[0]}")
    both.write("DELETE", f"/projects/{project}")
    both.sync()
    assert both.is_alive("tasks", tasks[0])
    both.exclude = NOTHING

    both.sync(max_deletes=1000)

    assert not both.is_alive("projects", project)
    assert not both.is_alive("tasks", tasks[0])
    assert equal_but_for_age(both)


def test_one_rule_lifted_leaves_what_another_says(both: Partly) -> None:
    project = _a_project(both)
    both.write("PUT", f"/projects/{project}", archived=True)
    both.exclude = Exclusion(projects=frozenset([project]), archived=True)
    before = stand(both.path, both.out())
    both.sync()
    both.exclude = Exclusion(archived=True)

    both.sync()

    assert stand(both.path, both.out()) == before
    assert both.asked_about(both.out()) == []


def test_a_stream_is_begun_anew_once_a_project_is_let_in(both: Partly) -> None:
    project = _a_project(both)
    both.exclude = _named(project)
    both.sync()
    assert rows(both.path, "SELECT * FROM sync_checkpoints WHERE parent_gid = ?", project) == []
    both.exclude = NOTHING
    both.sync()
    assert rows(both.path, "SELECT * FROM sync_checkpoints WHERE name = 'events' AND parent_gid = ?", project)
    both.write("PUT", f"/tasks/{both.world.project_order(project)[0]}", completed=True)
    both.sync()
    assert _equal(both)


# -- in any order -------------------------------------------------------------------------------------

LAGS = re.compile(r"^(stories |story_likes|team_memberships)| (position|display_value|reference_gids):")


@pytest.mark.parametrize("seed", [41, 42, 44])
def test_whatever_is_edited_the_wanted_part_is_right_and_the_rest_unasked(tmp_path: Path, seed: int) -> None:
    both = partly(tmp_path, HIDDEN, generate(seed, 80, projects=9, stories_per_task=2.0))
    both.sync()
    assert both.is_clean()
    left_alone: set[str] = set()
    for turn in range(5):
        left_alone |= both.out()
        random_edits(both.world, 25, seed * 10 + turn)
        both.sync(max_deletes=1000, full=turn == 3)
        left_alone |= {
            one[0] for one in rows(both.path, "SELECT gid FROM sync_excluded WHERE resource = 'tasks'")
        }
        wrong = [line for line in both.differences(but_for_age=True) if not LAGS.search(line)]
        assert [line for line in wrong if not left_alone & set(re.findall(r"\d{6,}", line))] == []
        both.sync(max_deletes=1000)
        assert both.asked_about(both.out()) == []
    both.exclude = NOTHING

    both.sync(max_deletes=1000, max_age_s=0)

    assert _equal(both)
