"""Whatever goes wrong on the way, the mirror ends up equal, and one bad thing stops nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lag import equal_at_last, equal_but_for_lag
from truth import differences, living, unsound
from worlds import Listener, Mirrored, Rewriter, always_refused, mirror, mirrored, row, rows, value

from asana_mirror.errors import AsanaUnreachable, BadToken, Interrupted
from asana_mirror.run import Stop
from asana_mirror.sandbox import Faults, Limits, World, create_app, generate, random_edits, running

Envelope = dict[str, Any]


def _problems(world: World, path: Path) -> list[Any]:
    """Besides what no person's token is shown."""
    found = [tuple(row) for row in rows(path, "SELECT listing, status FROM sync_problems")]
    return [problem for problem in found if problem not in always_refused(world)]


def _equal(world: World, path: Path) -> bool:
    assert differences(world, path) == []
    assert unsound(path) == []
    return True


def _several_pages(seed: int) -> World:
    """Few projects, so that their listings have several pages."""
    return generate(seed, 700, projects=1, stories_per_task=0.3, users=5)


def _between_pages(app: Any, marker: str, act: Callable[[], None], page: int = 2) -> Any:
    """Act once, just before the page-th request of a listing is answered."""
    seen = 0

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        if marker in scope["path"]:
            seen += 1
            if seen == page:
                act()
        await app(scope, receive, send)

    return wrapped


# -- answers that fail --------------------------------------------------------------------------------


@pytest.mark.long
def test_faults_of_all_kinds_on_a_tenth_of_the_requests_change_nothing(tmp_path: Path) -> None:
    world = generate(51, 120, stories_per_task=4.0)
    faults = Faults(seed=51, share=0.1, offsets=True, slow_s=0.05)
    app = create_app(world, faults=faults)
    path = tmp_path / "mirror.db"
    with running(app) as url:
        mirror(world, path, url=url)
        assert _equal(world, path)
        random_edits(world, 60, 51)
        mirror(world, path, url=url)

    assert {"500", "502", "503", "cut", "reset", "slow", "429"} <= faults.made.keys()
    assert _equal(world, path)
    assert _problems(world, path) == []


@pytest.mark.parametrize("kind", ["500", "502", "503", "cut", "reset"])
def test_a_page_that_fails_three_times_is_asked_a_fourth_time(tmp_path: Path, kind: str) -> None:
    world = generate(52, 20)
    faults = Faults()
    faults.next("/tasks/.*/stories", kind, times=3)
    app = create_app(world, faults=faults)
    path = tmp_path / "mirror.db"
    with running(app) as url:
        mirror(world, path, url=url)

    assert faults.made == {kind: 3}
    assert _equal(world, path)


def test_an_asana_that_never_answers_well_is_given_up_and_nothing_is_lost(tmp_path: Path) -> None:
    world = generate(53, 40)
    both = mirrored(tmp_path, world)
    kept = {table: living(both.path, table) for table in ("tasks", "stories")}
    random_edits(world, 20, 1)
    both.app.faults = Faults(share=1.0, kinds=["503"])
    with pytest.raises(AsanaUnreachable) as told:
        both.sync(max_wait_s=0.5)
    assert told.value.exit_code == 4
    assert {table: living(both.path, table) for table in kept} == kept

    both.app.faults = Faults()
    both.sync()
    assert _equal(world, both.path)


def test_a_listing_that_keeps_failing_stops_no_other_and_sets_no_tombstone(tmp_path: Path) -> None:
    world = generate(54, 60)
    both = mirrored(tmp_path, world)
    task = sorted(world.reachable_tasks())[0]
    random_edits(world, 20, 1, kinds=["rename", "comment", "create"])
    both.app.faults.next(f"/tasks/{task}/stories", "500", times=1000)
    with pytest.raises(AsanaUnreachable):
        both.sync(max_wait_s=0.5)

    assert len(living(both.path, "tasks")) == len(world.reachable_tasks())
    both.app.faults = Faults()
    both.sync()
    assert _equal(world, both.path)


def test_a_token_that_is_refused_touches_nothing(tmp_path: Path) -> None:
    world = generate(55, 20)
    app = create_app(world)
    with pytest.raises(BadToken) as told:
        mirror(world, tmp_path / "mirror.db", app, token="wrong-and-secret")
    assert told.value.exit_code == 3
    assert "wrong-and-secret" not in f"{told.value} {told.value.hint}"
    assert not (tmp_path / "mirror.db").exists()


# -- offsets and long lists ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", [2, 3, 4])
def test_an_offset_that_dies_in_the_middle_of_a_listing_costs_that_listing_only(
    tmp_path: Path, page: int
) -> None:
    world = _several_pages(56)
    project = next(world.iter_records("projects"))["gid"]
    assert len(world.project_order(project)) > 300
    app = create_app(world)
    listener = Listener(app)
    seen = 0

    async def dying(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        if f"/projects/{project}/tasks" in scope["path"]:
            seen += 1
            if seen == page:
                app.faults.next("offset=", "offset")
        await listener(scope, receive, send)

    report = mirror(world, tmp_path / "mirror.db", dying)

    assert app.faults.made == {"offset": 1}
    assert report.requests <= sum(world.pages_to_read().values()) + page
    assert _equal(world, tmp_path / "mirror.db")


def test_offsets_that_died_between_two_runs_are_left_behind(tmp_path: Path) -> None:
    """A run that was stopped within a listing is taken up again long after its offsets have expired."""
    world = _several_pages(57)
    project = next(world.iter_records("projects"))["gid"]
    app = create_app(world)
    path = tmp_path / "mirror.db"
    stop = Stop()
    with pytest.raises(Interrupted):
        mirror(world, path, _between_pages(app, f"/projects/{project}/tasks", stop.set), stop=stop)
    assert rows(path, "SELECT * FROM sync_checkpoints WHERE offset IS NOT NULL")
    world.clock = lambda: time.time() + 2 * app.limits.offset_lifetime_s

    mirror(world, path, app)

    assert _equal(world, path)


def test_a_listing_that_never_gets_beyond_its_first_page_is_never_taken_for_complete(tmp_path: Path) -> None:
    world = _several_pages(57)
    app = create_app(world, limits=Limits(offset_lifetime_s=-1))
    path = tmp_path / "mirror.db"
    try:
        mirror(world, path, app, max_wait_s=0.5)
        told = bool(rows(path, "SELECT * FROM sync_problems"))
    except AsanaUnreachable:
        told = True

    assert unsound(path, search=False) == []
    assert told or differences(world, path) == []
    app.limits = Limits()
    mirror(world, path, app, max_age_s=0)  # some lists that were refused are asked again by their age only
    assert _equal(world, path)


def test_a_list_that_is_too_long_is_read_by_its_sections(tmp_path: Path) -> None:
    world = _several_pages(58)
    app = create_app(world, limits=Limits(longest_list=300))
    project = next(world.iter_records("projects"))["gid"]
    assert len(world.project_order(project)) > 300
    listener = Listener(app)
    path = tmp_path / "mirror.db"

    mirror(world, path, listener)

    sections = {row["gid"] for row in rows(path, "SELECT gid FROM sections WHERE project_gid = ?", project)}
    asked = {request.path for request in listener.requests}
    split = {gid for gid in sections if f"/sections/{gid}/tasks" in asked}
    split |= {dict(request.query).get("section") for request in listener.requests} & sections
    assert split == sections
    assert _equal(world, path)
    assert _problems(world, path) == []

    random_edits(world, 60, 58)
    both = Mirrored(world, app, path)
    both.sync(max_deletes=1000)
    assert equal_but_for_lag(both)
    assert equal_at_last(both)


# -- records that move while they are listed ----------------------------------------------------------


def test_records_that_vanish_between_two_pages_hide_no_other(tmp_path: Path) -> None:
    world = _several_pages(59)
    project = next(world.iter_records("projects"))["gid"]
    order = world.project_order(project)
    app = create_app(world)
    both = Mirrored(world, app, tmp_path / "mirror.db")

    def vanish() -> None:
        random_edits(world, 40, 59, kinds=["delete"])
        for gid in order[5:300:7]:
            for _, section in world.records[gid].get("memberships", ()):
                world.records[section]["tasks"].remove(gid)
            world.records[gid]["memberships"] = []

    mirror(world, both.path, _between_pages(app, f"/projects/{project}/tasks", vanish))
    assert set(world.reachable_tasks()) <= living(both.path, "tasks").keys()
    both.sync(full=True)  # no event told of those that only left their places

    assert len(world.project_order(project)) < len(order)
    assert _equal(world, both.path)


def test_a_task_that_moves_from_an_unread_to_a_read_page_is_not_lost(tmp_path: Path) -> None:
    """It stands on no page of this walk; a mirror that trusts one walk would bury it."""
    world = _several_pages(60)
    project = next(world.iter_records("projects"))["gid"]
    both = mirrored(tmp_path, world)
    order = world.project_order(project)
    records = (world.record(gid) for gid in order[250:])
    late = next(r["gid"] for r in records if not r["assignee"] and not r["tags"] and not r["parent"])
    section = world.record(order[0])["memberships"][0]["section"]["gid"]

    def move() -> None:
        first = world.records[section]["tasks"]
        task = world.records[late]
        for gid in {place for _, place in task["memberships"]}:
            world.records[gid]["tasks"].remove(late)
        task["memberships"] = [(project, section)]
        first.insert(0, late)

    mirror(world, both.path, _between_pages(both.app, f"/projects/{project}/tasks", move))

    assert both.is_alive("tasks", late)
    both.sync()
    assert _equal(world, both.path)


# -- waiting when told to -----------------------------------------------------------------------------


def test_a_told_wait_holds_back_every_request(tmp_path: Path) -> None:
    world = generate(61, 60, stories_per_task=2.0)
    faults = Faults()
    app = create_app(world, faults=faults, limits=Limits(latency_s=0.02))
    faults.next("/tasks/.*/stories", "429")
    came: list[tuple[float, int]] = []

    async def timed(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                came.append((time.monotonic(), message["status"]))
            await send(message)

        if scope["type"] == "http":
            came.append((time.monotonic(), 0))
        await app(scope, receive, noted)

    with running(timed) as url:
        mirror(world, tmp_path / "mirror.db", url=url)

    told = next(at for at, status in came if status == 429)
    begun = [at for at, status in came if status == 0]
    assert [at - told for at in begun if told + 0.3 < at < told + 0.99] == []
    assert faults.made == {"429": 1}
    assert _equal(world, tmp_path / "mirror.db")


def test_no_request_leaves_before_a_told_wait_is_over(tmp_path: Path) -> None:
    """The cost quota of the sandbox refuses, and counts whoever comes too early."""
    world = generate(62, 100, stories_per_task=2.0)
    app = create_app(world, limits=Limits(latency_s=0.01, reads_in_flight=50, cost_per_minute=60_000))
    path = tmp_path / "mirror.db"
    app.allowance(world.token).cost.balance = 300  # type: ignore[union-attr]
    with running(app) as url:
        report = mirror(world, path, url=url)

    assert app.stats.refused > 0
    assert report.seconds_waited > 0
    assert app.stats.early == 0
    assert _equal(world, path)


# -- records of an unexpected shape -------------------------------------------------------------------


def _every(path_end: str, spoil: Callable[[dict[str, Any]], None], gid: str | None = None) -> Any:
    """A change of the records of lists whose path ends so; all of them, or one."""

    def change(path: str, envelope: Envelope) -> None:
        if path.endswith(path_end) and isinstance(envelope.get("data"), list):
            for record in envelope["data"]:
                if gid is None or record.get("gid") == gid:
                    spoil(record)

    return change


SPOILED: dict[str, dict[str, Any]] = {
    "an object for a name": {"name": {"not": "text"}},
    "text for a list": {"memberships": "nowhere"},
    "a number for a reference": {"assignee": 17},
    "text for a truth": {"completed": "perhaps"},
    "a list for an object": {"custom_fields": {"gid": "1"}},
    "words for a number": {"num_likes": "many"},
}


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED)
def test_a_record_that_cannot_be_decoded_is_kept_and_stops_nothing_else(
    tmp_path: Path, spoiled: dict[str, Any]
) -> None:
    world = generate(63, 60)
    gid = next(gid for gid in sorted(world.reachable_tasks()) if len(world.record(gid)["memberships"]) == 1)
    app = create_app(world)
    path = tmp_path / "mirror.db"

    report = mirror(world, path, Rewriter(app, _every("/tasks", lambda record: record.update(spoiled), gid)))

    assert report.outcome == "complete"
    (kept,) = rows(path, "SELECT * FROM sync_undecoded")
    assert (kept["resource"], kept["gid"]) == ("tasks", gid)
    assert kept["error"]
    assert spoiled.items() <= json.loads(kept["record"]).items()
    missing = {line.split()[1].strip("':") for line in differences(world, path) if "only in Asana" in line}
    others = set(living(path, "tasks"))
    assert world.reachable_tasks() - others <= {gid, *_below(world, gid)}
    assert missing

    mirror(world, path, Rewriter(app, _every("/tasks", lambda record: record.update(spoiled), gid)))
    assert value(path, "SELECT times FROM sync_undecoded") >= 2

    mirror(world, path, app)
    assert rows(path, "SELECT * FROM sync_undecoded") == []
    assert equal_but_for_lag(Mirrored(world, app, path))
    assert equal_at_last(Mirrored(world, app, path))


def _below(world: World, gid: str) -> set[str]:
    found: set[str] = set()
    for child in world.records[gid].get("subtasks", ()):
        found |= {child, *_below(world, child)}
    return found


def _no_longer_decodable(tmp_path: Path) -> tuple[Mirrored, str]:
    """A mirror whose second run met a task that it could not decode, and that task."""
    world = generate(64, 60)
    both = mirrored(tmp_path, world)
    gid = world.project_order(next(world.iter_records("projects"))["gid"])[0]
    spoil = _every("/tasks", lambda record: record.update(name=["no", "name"]), gid)
    before = dict(row(both.path, "tasks", gid))
    report = mirror(world, both.path, Rewriter(both.app, spoil), full=True)
    assert report.rows_deleted == 0
    assert len(rows(both.path, "SELECT * FROM sync_undecoded")) == 1
    assert dict(row(both.path, "tasks", gid)) == before
    return both, gid


def test_a_record_that_can_no_longer_be_decoded_keeps_its_row(tmp_path: Path) -> None:
    both, _ = _no_longer_decodable(tmp_path)

    assert differences(both.world, both.path, besides=lambda *where: where[2] == "position") == []
    both.sync()
    assert _equal(both.world, both.path)


def test_a_record_that_can_no_longer_be_decoded_moves_no_other(tmp_path: Path) -> None:
    both, _ = _no_longer_decodable(tmp_path)
    assert _equal(both.world, both.path)


def test_records_that_are_no_records_at_all_stop_nothing(tmp_path: Path) -> None:
    world = generate(65, 40)

    def change(path: str, envelope: Envelope) -> None:
        if path.endswith("/stories"):
            envelope["data"] += [None, "text", {"resource_type": "story"}]

    path = tmp_path / "mirror.db"
    report = mirror(world, path, Rewriter(create_app(world), change))

    assert report.outcome == "complete"
    assert differences(world, path) == []
    assert len(rows(path, "SELECT * FROM sync_undecoded")) > 0


def test_unknown_fields_are_kept_aside_and_unknown_values_as_they_are(tmp_path: Path) -> None:
    """Asana adds fields and values without notice."""
    world = generate(66, 40)
    app = create_app(world)
    path = tmp_path / "mirror.db"
    unknown = {"mood": "sunny", "weights": {"a": [1, None]}}
    spoil = _every("/stories", lambda record: record.update(unknown, resource_subtype="hologram_added"))

    mirror(world, path, Rewriter(app, spoil))

    stories = rows(path, "SELECT resource_subtype, _extra FROM stories WHERE _synced_at IS NOT NULL")
    assert stories
    assert {story["resource_subtype"] for story in stories} == {"hologram_added"}
    assert all(json.loads(story["_extra"]) == unknown for story in stories)
    assert rows(path, "SELECT * FROM sync_undecoded") == []

    mirror(world, path, app, full=True)
    assert _equal(world, path)


def test_announced_changes_of_the_api_are_written_down(tmp_path: Path) -> None:
    world = generate(67, 20)
    app = create_app(world)
    app.announce("new_goals", "https://example.com/goals")
    path = tmp_path / "mirror.db"
    mirror(world, path, app)

    (told,) = rows(path, "SELECT * FROM sync_api_changes")
    assert (told["name"], told["info"], told["affected"]) == ("new_goals", "https://example.com/goals", 1)
