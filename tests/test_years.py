"""Years of an office: edits, runs, stops, kills, dead tokens, lost events, faults and refusals in any order.

After each finished run mirror and Asana are equal but for what may lag; after each sequence in everything, and a
full run then finds nothing that following the changes had not found.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, integers, sampled_from
from lag import equal_but_for_lag, tasks_without_a_stream
from telling import deliver, look, watch_projects
from truth import differences, unsound
from worlds import Mirrored, Struck, mirror, rows

import asana_mirror.client
from asana_mirror.errors import AsanaUnreachable, Interrupted
from asana_mirror.freshness import News, Tick
from asana_mirror.run import Stop
from asana_mirror.sandbox import Faults, create_app, generate, random_edits
from asana_mirror.sandbox.asks import Refused
from asana_mirror.sandbox.change_places import (
    add_setting,
    remove_setting,
    trash_custom_field,
    trash_tag,
    update_custom_field,
    update_option,
)
from asana_mirror.sandbox.edits import WEIGHTS
from asana_mirror.sandbox.edits_goals import change_goals
from asana_mirror.sandbox.edits_plan import change_plan

LISTS = (
    *("/projects/*/tasks", "/projects/*/sections", "/tasks/*/stories", "/tasks/*/subtasks", "/attachments"),
    *("/users", "/projects", "/workspaces/*/projects", "/tags", "/workspaces/*/tags", "/tasks", "/events"),
    *("/workspaces/*/agents", "/workspaces/*/teams", "/team_memberships", "/teams/*/team_memberships"),
    *("/workspaces/*/custom_fields", "/tags/*/tasks", "/projects/*/custom_field_settings"),
    *("/portfolios", "/portfolios/*", "/portfolios/*/items", "/goals", "/goals/*/stories", "/memberships"),
    *("/status_updates", "/project_briefs/*", "/reactions", "/budgets", "/time_tracking_entries"),
    *("/workspaces/*/workspace_memberships", "/users/*/favorites", "/custom_types", "/ooo_entries"),
)
RARE = ("fields of a project", "name of a field", "name of an option", "name of a person", "tag", "field")
TWO_DAYS_S = 2 * 86_400
AT_ONCE = {"max_age_s": 0, "sweep_every_s": 0}


class Years(RuleBasedStateMachine):
    """What may happen between and during runs, and what must be true after them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.ahead_s = 0.0
        world = generate(91, 50, projects=5, stories_per_task=2.0, users=6, tags=4)
        app = create_app(world, clock=lambda: time.time() + self.ahead_s)
        self.both = Mirrored(world, app, Path(self.folder.name) / "mirror.db")
        self.untold: set[str] = set()  # tasks of which at some moment no stream told
        self.unsaid = False  # something changed of which nothing tells: only age and sweeps can find it
        self.no_waits = patch.object(asana_mirror.client, "backoff_s", lambda tries, randomness: 0.001)
        self.no_waits.start()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.the_quick_way_equals_the_full_one()
        finally:
            self.no_waits.stop()
            self.folder.cleanup()

    @initialize(begun=sampled_from([True, True, True, False]))
    def begin(self, begun: bool) -> None:
        if begun:
            self.run(full=False)

    # -- what people do ---------------------------------------------------------------------------------

    @rule(kind=sampled_from(sorted(WEIGHTS)), seed=integers(0, 10**6))
    def change_one_thing(self, kind: str, seed: int) -> None:
        random_edits(self.both.world, 1, seed, kinds=[kind])
        self.untold |= tasks_without_a_stream(self.both)

    @rule(many=integers(2, 25), seed=integers(0, 999))
    def change_many_things(self, many: int, seed: int) -> None:
        self._change(many, seed)

    @rule(what=sampled_from(RARE), place=integers(0, 40))
    def change_something_rare(self, what: str, place: int) -> None:
        with contextlib.suppress(Refused, LookupError):
            rare_edit(self.both, what, place)

    @rule(many=integers(1, 12), seed=integers(0, 10**6))
    def change_plans_and_goals(self, many: int, seed: int) -> None:
        """Portfolios, goals, time, budgets, memberships: most of that only age finds."""
        randomness = random.Random(seed)
        for _ in range(many):
            with contextlib.suppress(LookupError):
                randomness.choice((change_plan, change_goals))(self.both.world, randomness)
        self.untold |= tasks_without_a_stream(self.both)
        self.unsaid = True

    # -- what goes wrong --------------------------------------------------------------------------------

    @rule(path=sampled_from(LISTS), status=sampled_from([402, 403, 404, 451]))
    def refuse_lists(self, path: str, status: int) -> None:
        self.both.world.refuse(path, status)

    @rule(place=integers(0, 40), kind=sampled_from(["projects", "tasks"]))
    def lose_sight(self, place: int, kind: str) -> None:
        found = [record["gid"] for record in self.both.world.iter_records(kind)]
        if found:
            self.both.world.refuse(found[place % len(found)], 404)
            self.unsaid = True  # no event tells who may see what

    @precondition(lambda self: self.is_refused)
    @rule()
    def allow_everything(self) -> None:
        refusals = self.both.world.refusals
        for refused in [*refusals.by_gid, *refusals.by_path]:
            self.both.world.allow(refused)

    @property
    def is_refused(self) -> bool:
        return bool(self.both.world.refusals.by_path or self.both.world.refusals.by_gid)

    @rule(share=sampled_from([0.3, 1.0]), many=integers(1, 15), seed=integers(0, 999))
    def change_things_and_lose_the_events(self, share: float, many: int, seed: int) -> None:
        self.both.world.lose_events(share)
        self._change(many, seed)
        self.both.world.lose_events(0.0)
        self.unsaid = True

    def _change(self, many: int, seed: int) -> None:
        for number in range(many):
            random_edits(self.both.world, 1, seed * 1000 + number)
            self.untold |= tasks_without_a_stream(self.both)

    @rule()
    def let_tokens_and_offsets_die(self) -> None:
        self.ahead_s += TWO_DAYS_S

    @rule(share=sampled_from([0.05, 0.2]), full=booleans(), seed=integers(0, 999))
    def run_among_faults(self, share: float, full: bool, seed: int) -> None:
        self.both.app.faults = Faults(seed, share=share, kinds=("500", "502", "503"), offsets=True)
        with contextlib.suppress(AsanaUnreachable):
            self.both.sync(max_deletes=1000, full=full)
        self.both.app.faults = Faults()
        assert unsound(self.both.path, search=False) == []

    @rule(after_s=sampled_from([300.0, 3600.0, 20_000.0]), turn=integers(0, 10**6))
    def tick(self, after_s: float, turn: int) -> None:
        """A watch looks at what is in use, and at whatever has its turn."""
        watch_projects(self.both)
        look(self.both, Tick(1e9 + turn * 1000.0, after_s, 300.0), max_deletes=1000)
        assert unsound(self.both.path, search=False) == []

    @rule(lost=sampled_from([0.0, 0.3]), doubled=sampled_from([0.0, 0.5]), seed=integers(0, 999))
    def webhooks_tell(self, lost: float, doubled: float, seed: int) -> None:
        deliver(self.both, lost=lost, doubled=doubled, seed=seed)
        look(self.both, News(), max_deletes=1000)
        assert unsound(self.both.path, search=False) == []

    @rule(requests=integers(1, 150), full=booleans())
    def stop_a_run(self, requests: int, full: bool) -> None:
        app, stop, asked = self.both.app, Stop(), self.both.app.stats.requests

        async def stopping(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if app.stats.requests >= asked + requests:
                stop.set()

        with contextlib.suppress(Interrupted):
            mirror(self.both.world, self.both.path, stopping, stop=stop, max_deletes=1000, full=full)
        assert unsound(self.both.path, search=False) == []

    @rule(requests=integers(2, 150), full=booleans())
    def kill_a_run(self, requests: int, full: bool) -> None:
        struck = Struck(self.both.app, self.both.path, requests)
        with contextlib.suppress(Interrupted):
            mirror(self.both.world, self.both.path, struck, stop=struck.stop, max_deletes=1000, full=full)
        if struck.put_back() and self.both.path.exists():
            assert unsound(self.both.path, search=False) == []

    # -- what must be true ------------------------------------------------------------------------------

    @rule(many=integers(1, 6), seed=integers(0, 999))
    def change_and_run(self, many: int, seed: int) -> None:
        """What runs are for, and so oftener than all the rest."""
        self._change(many, seed)
        self.run(full=False)

    @rule(full=sampled_from([False, False, False, True]))
    def run(self, full: bool) -> None:
        report = self._sync(full=full, **AT_ONCE if self.unsaid and not self.is_refused else {})
        assert unsound(self.both.path) == []
        assert self._buried_alive(report.run) == []
        if not self.is_refused:
            self.unsaid = False
            assert equal_but_for_lag(self.both, self.untold)

    def _sync(self, **options: Any) -> Any:
        minutes_pass(self.both)
        return self.both.sync(max_deletes=1000, **options)

    def _buried_alive(self, run: int) -> list[str]:
        world, found = self.both.world, []
        for table in (
            *("projects", "sections", "tags", "tasks", "stories", "attachments", "portfolios", "goals"),
            *("project_briefs", "status_updates", "time_tracking_entries", "budgets", "allocations"),
        ):
            sql = f"SELECT gid FROM {table} WHERE _deleted_at IS NOT NULL AND _changed_run = ?"
            gids = [row["gid"] for row in rows(self.both.path, sql, run)]
            found += [f"{table} {gid}" for gid in gids if world.visible(world.token, gid)]
        return found

    @rule()
    def end_the_year(self) -> None:
        """What was put off is read: nothing lags any more."""
        if self.is_refused:
            return
        self._sync(**AT_ONCE)
        self._sync(max_age_s=0)
        self.unsaid = False
        self.untold = set()
        assert differences(self.both.world, self.both.path) == []

    def the_quick_way_equals_the_full_one(self) -> None:
        for refused in [*self.both.world.refusals.by_gid, *self.both.world.refusals.by_path]:
            self.both.world.allow(refused)
        self._sync(**AT_ONCE if self.unsaid else {})
        assert equal_but_for_lag(self.both, self.untold)
        self._sync(**AT_ONCE)
        self._sync(max_age_s=0)
        assert differences(self.both.world, self.both.path) == []
        copy = self.both.path.with_name("copy.db")
        shutil.copyfile(self.both.path, copy)
        full = mirror(self.both.world, copy, self.both.app, full=True)
        assert (full.rows_inserted, full.rows_updated, full.rows_deleted) == (0, 0, 0)
        assert differences(self.both.world, copy) == []


def minutes_pass(both: Mirrored) -> None:
    """What no stream tells of is looked at every few minutes only."""
    if both.path.exists():
        import sqlite3

        with (
            contextlib.closing(sqlite3.connect(both.path)) as db,
            db,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            db.execute("UPDATE sync_checkpoints SET last_walked_at = '' WHERE listing = 'unheard'")


def rare_edit(both: Mirrored, what: str, place: int) -> None:
    """What `random_edits` does not do."""
    world, by = both.world, both.world.me
    workspace = world.workspaces[0]

    def pick(kind: str) -> Any:
        found = world.living(world.inside[kind, workspace])
        return found[place % len(found)]

    if what == "fields of a project":
        project, field = pick("project"), pick("custom_field")
        held = [world.records[gid]["custom_field"] for gid in project["settings"]]
        if field["gid"] in held:
            remove_setting(world, by, project, field["gid"])
        else:
            add_setting(world, by, project, {"custom_field": field["gid"]})
    elif what == "name of a field":
        update_custom_field(world, by, pick("custom_field"), {"name": f"Field {place}"})
    elif what == "name of an option":
        fields = [f for f in world.living(world.inside["custom_field", workspace]) if f.get("enum_options")]
        option = world.records[fields[place % len(fields)]["enum_options"][0]]
        update_option(world, by, option, {"name": f"Choice {place}", "enabled": place % 2 == 0})
    elif what == "name of a person":
        user = sorted(world.members[workspace])[place % len(world.members[workspace])]
        world.records[user]["name"] = f"Person {place}"
    elif what == "tag":
        trash_tag(world, by, pick("tag"))
    else:
        trash_custom_field(world, by, pick("custom_field"))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order_they_become_equal_again() -> None:
    run_state_machine_as_test(
        Years,
        settings=settings(
            max_examples=int(os.environ.get("YEARS", "5")),
            stateful_step_count=int(os.environ.get("YEARS_STEPS", "14")),
            deadline=None,
            derandomize="YEARS" not in os.environ,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
