"""One webhook for each project: made, kept, adopted, replaced and deleted, whatever comes between."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hooked import URL, Hooked, hooked
from worlds import Rewriter

from asana_mirror import hooks
from asana_mirror.errors import BadToken, MirrorError
from asana_mirror.sandbox import Faults, World, generate
from asana_mirror.store import Mirror
from asana_mirror.times import utc_after, utc_now
from asana_mirror.words import Scope

DAY_S = 24 * 3600.0


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mirror of a small world, made once."""
    return hooked(tmp_path_factory.mktemp("plain"), small()).path


def small() -> World:
    return generate(seed=61, tasks=12, projects=5, stories_per_task=0.5, workspaces=1)


@pytest.fixture
def both(tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> Hooked:
    shutil.copy(plain, tmp_path / "mirror.db")
    with monkeypatch.context() as patched:
        patched.setattr("hooked.mirror", lambda *_, **__: None)
        return hooked(tmp_path, small())


def aged(both: Hooked, seconds: float, *projects: str) -> None:
    """Let the webhooks of these projects (of all) have been silent so long."""
    with closing(Mirror(both.path)) as held, held.atomic():
        for project in projects or both.projects:
            moment = utc_after(-seconds)
            held.db.execute("UPDATE sync_webhooks SET heard_at = ? WHERE project_gid = ?", [moment, project])


def refusing(app: Any, status: int, is_meant: Callable[[Any], bool]) -> Any:
    """Stands before an app and refuses the requests that are meant."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and is_meant(scope):
            body = json.dumps({"errors": [{"message": "Not for you"}]}).encode()
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": body})
        else:
            await app(scope, receive, send)

    return wrapped


# -- made and kept ------------------------------------------------------------------------------------


def test_every_project_gets_a_webhook_of_its_own(both: Hooked) -> None:
    done = both.tend()
    assert both.is_settled()
    assert sorted(done.made) == sorted(both.projects)
    assert (done.lost, done.refused, done.trouble) == ([], 0, None)
    for row in both.table.values():
        assert row["target"] == f"{URL}/{row['key']}"
        assert len(row["key"]) == 32
    kinds = ["task", "story", "section", "attachment", "project"]
    assert [hook.rec["filters"] for hook in both.world.hooks] == [[{"resource_type": k} for k in kinds]] * 5


def test_what_is_in_order_costs_one_request_a_page(both: Hooked) -> None:
    both.tend()
    before = both.table
    both.app.stats.reset()
    done = both.tend()
    assert (done.made, done.lost, done.trouble) == ([], [], None)
    assert both.app.stats.requests == both.asked("GET") == 1
    assert both.table == before


def test_a_handshake_is_expected_before_asana_is_asked(both: Hooked) -> None:
    """By whoever looks into the file: the receiver may be another connection."""
    seen = []

    def look(key: str) -> None:
        with closing(sqlite3.connect(both.path)) as other:
            seen.extend(other.execute("SELECT state, secret FROM sync_webhooks WHERE key = ?", [key]))

    both.receiver.at_handshake = look
    both.tend()
    assert seen == [("asked", None)] * 5


def test_a_project_that_comes_later_is_added_and_one_that_left_is_let_go(both: Hooked) -> None:
    first, second, *_ = both.projects
    both.tend(first)
    assert both.is_settled(first)
    done = both.tend(second)
    assert both.is_settled(second)
    assert (done.made, done.lost) == ([second], [])


def test_projects_that_are_named_twice_have_one(both: Hooked) -> None:
    first, *_ = both.projects
    assert both.tend(first, first).made == [first]
    assert both.is_settled(first)


def test_ten_are_made_at_once_after_the_first_has_succeeded(tmp_path: Path) -> None:
    world = generate(seed=62, tasks=10, projects=30, stories_per_task=0)
    both = hooked(tmp_path, world)
    under_way, most = 0, []

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal under_way
        writes = scope["method"] == "POST"
        under_way += writes
        if writes:
            most.append(under_way)
            await asyncio.sleep(0.02)
        try:
            await both.app(scope, receive, send)
        finally:
            under_way -= writes

    both.tend(app=counted)
    assert both.is_settled()
    assert most[:2] == [1, 1]
    assert max(most) == 10


# -- others' webhooks ---------------------------------------------------------------------------------


def test_webhooks_of_others_are_left_alone_and_ours_that_no_row_knows_are_deleted(both: Hooked) -> None:
    """The list of them has several pages."""
    for number in range(130):
        both.strange(f"http://127.0.0.1:9/another/{number}")
    for target in (f"{URL}2/x", f"{URL}/below/x", "http://127.0.0.1:8/asana/x", URL):
        both.strange(target)
    lost = {both.strange(f"{URL}/lost-key-{number}") for number in range(2)}
    done = both.tend()
    assert done.trouble is None
    assert len(done.made) == 5
    assert lost.isdisjoint(both.world.hooks.by_gid)
    assert len(both.world.hooks.by_gid) == 134 + 5


def test_offsets_that_die_let_the_list_begin_anew(both: Hooked) -> None:
    for number in range(130):
        both.strange(f"http://127.0.0.1:9/another/{number}")
    both.tend()  # so that ours are on the second page
    both.app.faults.next("offset=", "offset")
    done = both.tend()
    assert (done.made, done.lost) == ([], [])
    assert both.app.faults.made == {"offset": 1}


# -- what is found at Asana ---------------------------------------------------------------------------


def test_one_that_asana_deleted_is_made_anew_and_said_to_be_lost(both: Hooked) -> None:
    both.tend()
    project, before = both.projects[2], both.table
    both.world.hooks.remove(both.world.hooks.by_gid[before[project]["gid"]])
    done = both.tend()
    assert (done.made, done.lost) == ([project], [project])
    assert both.is_settled()
    assert both.table[project]["key"] != before[project]["key"]


def test_one_that_is_silent_for_a_day_is_replaced(both: Hooked) -> None:
    both.tend()
    silent, quiet, before = both.projects[0], both.projects[1], both.table
    aged(both, DAY_S + 60, silent)
    aged(both, DAY_S - 60, quiet)
    done = both.tend()
    assert (done.made, done.lost) == ([silent], [silent])
    assert both.is_settled()
    assert both.table[silent]["key"] != before[silent]["key"]
    assert both.table[quiet]["gid"] == before[quiet]["gid"]


def test_another_address_replaces_all(both: Hooked) -> None:
    both.tend()
    before = {row["key"] for row in both.table.values()}
    done = both.tend(url="http://127.0.0.1:9/elsewhere/")
    assert sorted(done.made) == sorted(both.projects)
    assert done.lost == []
    assert both.is_settled()
    assert {target.rpartition("/")[0] for target in both.at_asana} == {"http://127.0.0.1:9/elsewhere"}
    assert before.isdisjoint(row["key"] for row in both.table.values())


def test_a_second_one_for_the_same_project_is_deleted(both: Hooked) -> None:
    both.tend()
    project = both.projects[0]
    gid = both.strange(f"{URL}/second", project)
    with closing(Mirror(both.path)) as held, held.atomic():
        held.webhooks.ask("second", project, f"{URL}/second", now=utc_after(1))
        held.webhooks.shake_hands("second", "s", now=utc_now())
        held.webhooks.establish("second", gid, now=utc_after(1))
    assert both.tend().made == []
    assert both.is_settled()


# -- cut short ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had ended here."""


def cut_off(app: Any, *, before: bool) -> Any:
    """An app that is killed at the second creation, before it works or before it answers."""
    seen = 0

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        seen += scope["method"] == "POST"
        cut = scope["method"] == "POST" and seen == 2
        if cut and before:
            raise Killed

        async def unsent(message: Any) -> None:
            raise Killed

        await app(scope, receive, unsent if cut else send)

    return wrapped


def test_what_asana_made_before_the_answer_was_read_is_adopted(both: Hooked) -> None:
    first, second, *_ = both.projects
    with pytest.raises(Killed):
        both.tend(first, second, app=cut_off(both.app, before=False))
    assert both.table[second]["state"] == "asked"
    assert len(both.world.hooks.by_gid) == 2
    both.app.stats.reset()
    done = both.tend(first, second)
    assert both.is_settled(first, second)
    assert (done.made, done.lost) == ([second], [])
    assert both.asked("POST") == 0


def test_what_asana_had_not_made_yet_is_asked_for_again(both: Hooked) -> None:
    first, second, *_ = both.projects
    with pytest.raises(Killed):
        both.tend(first, second, app=cut_off(both.app, before=True))
    key = both.table[second]["key"]
    done = both.tend(first, second)
    assert both.is_settled(first, second)
    assert (done.made, done.lost) == ([second], [])
    assert both.table[second]["key"] != key


def test_what_was_made_without_a_handshake_of_ours_is_not_adopted(both: Hooked) -> None:
    first, second, *_ = both.projects
    with pytest.raises(Killed):
        both.tend(first, second, app=cut_off(both.app, before=False))
    with closing(Mirror(both.path)) as held, held.atomic():
        held.db.execute("UPDATE sync_webhooks SET secret = NULL WHERE state = 'asked'")
    both.tend(first, second)
    assert both.is_settled(first, second)


@pytest.mark.parametrize("kind", ["500", "502", "cut"])
def test_a_creation_of_which_nothing_is_known_is_not_repeated_but_looked_for(both: Hooked, kind: str) -> None:
    both.app.faults.next("^/webhooks$", kind)
    done = both.tend()
    assert (len(done.made), done.refused, done.trouble) == (4, 0, None)
    assert both.asked("POST") == 5
    assert sorted(row["state"] for row in both.table.values()) == ["active"] * 4 + ["asked"]
    assert len(both.tend().made) == 1
    assert both.is_settled()


@pytest.mark.parametrize("kind", ["500", "reset", "cut"])
def test_faults_on_the_way_lose_and_double_nothing(both: Hooked, kind: str) -> None:
    both.app.faults = Faults(seed=5, share=0.3, kinds=[kind])
    for _ in range(6):
        both.tend()
    both.app.faults = Faults()
    both.tend()
    assert both.is_settled()


# -- limits and refusals ------------------------------------------------------------------------------


def test_a_token_may_have_only_so_many_and_the_most_wanted_come_first(
    both: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MOST_OF_A_TOKEN", 10)
    for number in range(7):
        both.strange(f"http://127.0.0.1:9/another/{number}")
    stray = both.strange(f"{URL}/stray")
    wanted = both.projects[::-1]
    done = both.tend(*wanted)
    assert stray not in both.world.hooks.by_gid
    assert both.table.keys() == set(done.made) == set(wanted[:3])
    assert done.trouble is not None
    assert "2 projects have no webhook" in done.trouble
    assert both.asked("POST") == 3


def test_a_project_that_has_too_many_is_noted_and_tried_again_a_day_later(both: Hooked) -> None:
    full = both.projects[1]
    both.app.limits = replace(both.app.limits, hooks_per_resource=2)
    for number in range(2):
        both.strange(f"http://127.0.0.1:9/another/{number}", full, token="of somebody else")
    done = both.tend()
    assert (len(done.made), done.refused, done.trouble) == (4, 1, None)
    row = both.table[full]
    assert (row["state"], row["status"], row["gid"], row["secret"]) == ("refused", 403, None, None)
    assert "too many webhooks on this resource" in row["message"]

    both.app.stats.reset()
    assert both.tend(now=utc_after(DAY_S - 60)).refused == both.asked("POST") == 0
    both.app.limits = replace(both.app.limits, hooks_per_resource=1000)
    assert full in both.tend(now=utc_after(DAY_S + 60)).made


def test_a_refused_project_that_is_no_longer_wanted_is_forgotten(both: Hooked) -> None:
    first, second, *_ = both.projects
    both.receiver.answers = False
    both.tend(first, second)
    assert both.table.keys() == {first, second}
    both.tend(second)
    assert both.table.keys() == {second}


def test_an_address_that_cannot_be_reached_costs_three_requests(both: Hooked) -> None:
    both.receiver.answers = False
    done = both.tend()
    assert (done.made, done.refused, both.asked("POST")) == ([], 3, 3)
    assert done.trouble is not None
    assert URL in done.trouble
    assert "handshake" in done.trouble
    assert {row["status"] for row in both.table.values()} == {400}
    assert not both.world.hooks


def test_as_long_as_none_could_be_made_others_are_tried_and_all_of_them_once_one_is_made(
    both: Hooked,
) -> None:
    both.receiver.answers = False
    both.tend()
    both.app.stats.reset()
    both.tend()  # the other two
    assert both.asked("POST") == 2
    assert len(both.table) == 5
    assert both.tend().refused == 0
    assert both.tend(now=utc_after(3700)).refused == 3
    both.receiver.answers = True
    later = utc_after(2 * 3700)
    both.tend(now=later)
    assert both.is_settled()


def test_who_was_refused_while_none_could_be_made_does_not_wait_a_day(both: Hooked) -> None:
    both.receiver.answers = False
    both.tend()
    both.receiver.answers = True
    soon = utc_after(60)
    assert len(both.tend(now=soon).made) == 2
    assert len(both.tend(now=soon).made) == 3
    assert both.is_settled()


def test_another_address_is_tried_at_once_though_the_last_one_was_refused(both: Hooked) -> None:
    both.receiver.answers = False
    both.tend()
    both.receiver.answers = True
    both.tend(url="http://127.0.0.1:9/elsewhere")
    assert both.is_settled()


def test_a_failure_among_successes_stops_nothing_but_an_asana_that_fails_on_and_on_does(
    tmp_path: Path,
) -> None:
    both = hooked(tmp_path, generate(seed=63, tasks=10, projects=60, stories_per_task=0))
    seen = 0

    def all_but_the_first(scope: Any) -> bool:
        nonlocal seen
        seen += scope["method"] == "POST"
        return scope["method"] == "POST" and seen > 1

    done = both.tend(app=refusing(both.app, 403, all_but_the_first))
    assert len(done.made) == 1
    assert 30 <= done.refused < 40
    assert done.trouble is not None


def test_a_handshake_that_went_elsewhere_makes_no_webhook(both: Hooked) -> None:
    both.receiver.keeps = False
    done = both.tend(both.projects[0])
    assert (done.made, done.refused) == ([], 1)
    row = both.table[both.projects[0]]
    assert (row["state"], row["status"]) == ("refused", None)
    assert "handshake did not come" in row["message"]
    assert not both.world.hooks


@pytest.mark.parametrize("lacks", ["read", "write", "delete"])
def test_a_scope_that_is_missing_is_said_and_nothing_is_given_up(both: Hooked, lacks: str) -> None:
    both.tend()
    silent, before, known = both.projects[0], both.table, set(both.world.hooks.by_gid)
    aged(both, 2 * DAY_S, silent)
    if lacks == "write":
        both.world.hooks.remove(both.world.hooks.by_gid[before[silent]["gid"]])
    scopes = {f"webhooks:{verb}" for verb in ("read", "write", "delete")} - {f"webhooks:{lacks}"}
    both.app.world.identities[both.world.token] = replace(
        both.world.identities[both.world.token], scopes=frozenset(scopes)
    )
    both.app.stats.reset()
    done = both.tend()
    assert done.made == []
    assert done.trouble is not None
    assert f"webhooks:{lacks}" in done.trouble
    if lacks == "write":
        assert both.table[silent]["status"] == 403
        return
    assert both.asked("POST") == 0
    assert both.table.keys() == before.keys()
    assert {row["gid"] for row in both.table.values()} == set(both.world.hooks.by_gid) == known


def test_an_asana_that_is_away_is_trouble_and_a_wrong_token_an_error(both: Hooked) -> None:
    both.app.faults = Faults(share=1.0, kinds=["503"])
    done = both.tend()
    assert done.trouble is not None
    assert "no answer" in done.trouble
    both.app.faults = Faults()
    both.token = "wrong"
    with pytest.raises(BadToken):
        both.tend()


# -- places -------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Hooked:
    world = generate(seed=64, tasks=30, projects=5, stories_per_task=0, workspaces=2)
    both = hooked(tmp_path, world)
    assert {world.records[gid]["workspace"] for gid in both.projects} == set(world.workspaces)
    return both


def test_two_workspaces_are_looked_after(two: Hooked) -> None:
    two.tend()
    assert two.is_settled()
    two.app.stats.reset()
    assert two.tend().made == []
    assert two.asked("GET") == 2


def test_in_a_workspace_that_cannot_be_listed_nothing_is_made_or_given_up(two: Hooked) -> None:
    shut, open_ = two.world.workspaces
    inside = [gid for gid in two.projects if two.world.records[gid]["workspace"] == shut]
    two.tend(*inside)
    before = two.table
    app = refusing(two.app, 403, lambda scope: f"workspace={shut}".encode() in scope["query_string"])
    aged(two, 2 * DAY_S, inside[0])
    done = two.tend(app=app)
    assert done.trouble is not None
    assert shut in done.trouble
    assert open_ not in done.trouble
    assert set(done.made) == set(two.projects) - set(inside)
    assert {gid: two.table[gid]["key"] for gid in inside} == {gid: before[gid]["key"] for gid in inside}
    two.tend()
    assert two.is_settled()


def test_a_mirror_of_single_projects_finds_its_webhooks_again(tmp_path: Path) -> None:
    world = small()
    project = next(iter(world.inside["project", world.workspaces[0]]))
    both = hooked(tmp_path, world, scope=Scope(projects=(project,)))
    assert both.tend(project).made == [project]
    assert both.tend(project).made == []
    assert both.is_settled(project)


def test_a_mirror_that_knows_no_workspace_does_nothing(both: Hooked) -> None:
    both.tend()
    before = both.table
    with closing(Mirror(both.path)) as held, held.atomic():
        held.db.execute("UPDATE workspaces SET _synced_at = NULL")
        held.db.execute("UPDATE projects SET _deleted_at = 'x'")
    both.app.stats.reset()
    both.tend(*before)
    assert both.app.stats.requests == 0
    assert both.table == before


# -- stopped ------------------------------------------------------------------------------------------


def test_who_is_stopped_asks_nothing(both: Hooked) -> None:
    async def work(hooks: hooks.Hooks) -> None:
        stop = asyncio.Event()
        stop.set()
        assert (await hooks.tend(both.projects, stop=stop)).made == []

    both.app.stats.reset()
    both.within(work)
    assert both.app.stats.requests == 0


def test_stopped_on_the_way_it_ends_in_good_order_and_goes_on_later(both: Hooked) -> None:
    stop = asyncio.Event()
    both.receiver.at_handshake = lambda key: stop.set()
    done = both.tend(stop=stop)
    assert len(done.made) == 1
    assert both.is_settled(*done.made)
    both.tend()
    assert both.is_settled()


@pytest.mark.parametrize("pages", [1, 2])
def test_a_list_that_was_cut_short_by_a_stop_gives_nothing_up(two: Hooked, pages: int) -> None:
    """Not even a project of which the mirror does not know where it is."""
    two.tend()
    with closing(Mirror(two.path)) as held, held.atomic():
        held.db.execute("UPDATE projects SET workspace_gid = NULL")
    stop, before, seen = asyncio.Event(), two.table, 0

    def stopped(path: str, envelope: dict[str, Any]) -> None:
        nonlocal seen
        seen += path == "/webhooks"
        if seen == pages:
            stop.set()

    two.app.stats.reset()
    two.tend(stop=stop, app=Rewriter(two.app, stopped))
    assert two.app.stats.requests == pages
    assert two.table == before


def test_a_request_that_takes_too_long_is_cut_off_and_its_webhook_adopted(
    both: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "GRACE_S", 0.1)
    stop = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        async def later(message: Any) -> None:
            if scope["method"] == "POST":
                stop.set()
                await asyncio.sleep(20)
            await send(message)

        await both.app(scope, receive, later)

    both.tend(stop=stop, app=slow)
    assert [row["state"] for row in both.table.values()] == ["asked"]
    both.receiver.at_handshake = lambda key: None
    assert len(both.tend().made) == 5
    assert both.is_settled()
    assert len(both.receiver.handshakes) == 5


# -- forgotten ----------------------------------------------------------------------------------------


def test_all_of_ours_are_forgotten_and_nobody_elses(both: Hooked) -> None:
    both.tend(url="http://127.0.0.1:9/elsewhere")
    other = both.strange("http://127.0.0.1:9/another")
    both.strange(f"{URL}/stray")
    with closing(Mirror(both.path)) as held, held.atomic():
        held.webhooks.ask("k", both.projects[0], f"{URL}/k", now=utc_now())  # never came to be
    assert both.within(lambda hooks: hooks.forget_all()) == 6
    assert list(both.world.hooks.by_gid) == [other]
    assert both.table == {}


def test_what_cannot_be_deleted_is_not_forgotten(both: Hooked) -> None:
    both.tend()
    before = both.table
    app = refusing(both.app, 403, lambda scope: scope["method"] == "DELETE")
    with pytest.raises(MirrorError, match="Not for you"):
        both.within(lambda hooks: hooks.forget_all(), app=app)
    assert both.table == before


def test_where_they_cannot_be_listed_those_of_the_table_are_deleted_and_it_is_said(both: Hooked) -> None:
    both.tend()
    app = refusing(both.app, 403, lambda scope: scope["method"] == "GET")
    with pytest.raises(MirrorError, match="Not for you"):
        both.within(lambda hooks: hooks.forget_all(), app=app)
    assert not both.world.hooks
    assert both.table == {}
