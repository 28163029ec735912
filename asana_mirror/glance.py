"""What one tick of a watch looks at, besides what webhooks told: streams and lists whose turn it is."""

from __future__ import annotations

from collections.abc import Collection

from asana_mirror.catalog import LISTINGS
from asana_mirror.freshness import (
    COLD_S,
    COOLING,
    LOOSE_EVERY_S,
    REST_EVERY_S,
    ROOTS_WITHIN_S,
    Stream,
    Tick,
    aged_due,
    lists_due,
    streams_due,
)
from asana_mirror.plan import SWEEP, sweep_of, wanted
from asana_mirror.portions import Portions
from asana_mirror.review import Due, Review
from asana_mirror.store import Mirror
from asana_mirror.times import now, seconds_since, utc_before
from asana_mirror.words import Scope, Step

TOLD = ("project_sections", "project_attachments")
COLLECTIONS = [name for name, listing in LISTINGS.items() if listing.each_run]
ROOTS = [name for name in COLLECTIONS if LISTINGS[name].below in (None, "workspaces")]
LEAVES = [name for name in COLLECTIONS if name not in ROOTS]
# Streams tell all of sections and attachments but what gets lost, and that a sweep finds; not the order of tasks.
BY_AGE = {
    times: [
        name
        for name, listing in LISTINGS.items()
        if listing.by_age == times and not listing.each_run and name not in TOLD
    ]
    for times in sorted({listing.by_age for listing in LISTINGS.values()} - {0})
}
WEBHOOK_SILENT_S = 9 * 3600.0  # Asana sends a heartbeat every eight hours


class Glance:
    """Decides for one tick; asks for nothing itself."""

    def __init__(
        self,
        mirror: Mirror,
        tick: Tick,
        review: Review,
        portions: Portions,
        scope: Scope,
        projects: Collection[str] | None = None,
    ) -> None:
        self._mirror = mirror
        self._tick = tick
        self._review = review
        self._portions = portions
        self._scope = scope
        self._projects = projects

    def streams(self, hot: Collection[str]) -> set[str]:
        """Projects whose streams are heard; `hot` are those in which something is known to have changed."""
        then, offset_s = now(), self._mirror.streams.clock_offset_s()
        telling = self._mirror.webhooks.telling(utc_before(WEBHOOK_SILENT_S))
        changed = self._mirror.streams.last_changes(utc_before(COLD_S * COOLING + offset_s))
        streams = [
            Stream(
                gid,
                seconds_since(heard_at, then),
                min(seconds_since(told_at, then), seconds_since(changed.get(gid), then) - offset_s),
                gid in telling,
            )
            for gid, heard_at, told_at in self._mirror.streams.ages(self._projects)
        ]
        return {*self._tick.streams, *streams_due(streams, self._tick, hot)}

    def due(self, max_age_s: float, sweep_every_s: float) -> Due:
        """Lists to be read, and tasks to be read by themselves."""
        ages, tick = self._mirror.ages, self._tick
        self._portions.whole_lists_before = utc_before(max_age_s)
        due, collections = Due(), self._collections()
        for gid in tick.turn(ages.swept(), sweep_every_s):
            due.lists += sweep_of(gid, SWEEP)
        aged = {max_age_s * times: ages.aged(names) for times, names in BY_AGE.items()}
        due.lists += aged_due(aged, tick)
        if tick.turns(1, REST_EVERY_S):
            rest = self._review.rest(max_age_s)
            due.lists += rest.lists
            due.tasks += rest.tasks
        one_by_one = tick.turns(1, LOOSE_EVERY_S)
        due.tasks += self._review.strays(int(tick.now_s / tick.every_s), most=one_by_one)
        due.lists += self._review.families(one_by_one)
        due.lists = [*collections, *filter(self._review.is_wanted, due.lists)]
        return due

    def _collections(self) -> list[Step]:
        """Lists of no project, in the workspaces to which the watch is narrowed, if it is."""
        if self._scope.in_places:
            return []
        roots, leaves = (
            [aged for aged in self._mirror.ages.aged(names) if self._is_within(aged.what)]
            for names in (ROOTS, LEAVES)
        )
        found = [*lists_due(roots, self._tick, ROOTS_WITHIN_S), *lists_due(leaves, self._tick)]
        parts = (self._portions.of(step) for step in found if wanted(step.listing, self._scope))
        return [part for part in parts if part is not None]

    def _is_within(self, step: Step) -> bool:
        place = step.parent_gid if step.listing.below == "workspaces" else step.workspace_gid
        return step.listing.below is None or not self._scope.workspaces or place in self._scope.workspaces
