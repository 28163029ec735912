"""What is read although no event calls for it: by age, to be sure, or because it was put off."""

from __future__ import annotations

from collections.abc import Collection

from asana_mirror.plan import AGE, SWEEP, pages, sweep_of, wanted
from asana_mirror.reading import Reading
from asana_mirror.store import Mirror, Run
from asana_mirror.times import utc_before, utc_now
from asana_mirror.words import Scope, Step

ONE_BY_ONE = 100  # requests a run may spend on what no stream tells of and no other list shows
CLOSE_LOOK_EVERY_S = 300.0  # at what costs a request each, though nothing seems to have changed
WAITING_AGES = 7  # stories put off after a gap wait at most so many times --max-age


class Review:
    """Asks for what is due. Inside the caller's transaction."""

    def __init__(
        self,
        mirror: Mirror,
        run: Run,
        scope: Scope,
        reading: Reading,
        projects: Collection[str] | None = None,
    ) -> None:
        self._mirror = mirror
        self._run = run
        self._scope = scope
        self._reading = reading
        self._projects = None if projects is None else set(projects)
        self._has_looked = False
        self._tasks = set() if projects is None else mirror.streams.tasks_of(projects)

    def ask(self, max_age_s: float, sweep_every_s: float) -> None:
        """Put in the queue what is old, what waits, and what an upgrade or an earlier refusal left open."""
        ages, unheard = self._mirror.ages, self._mirror.unheard
        steps = [step for gid in ages.sweeps(sweep_every_s) for step in sweep_of(gid, SWEEP)]
        steps += ages.by_age(max_age_s)
        steps += ages.waiting(max_age_s * WAITING_AGES)
        steps += ages.left_out()
        steps += ages.outdated()
        steps += ages.refused()
        steps += ages.undecoded()
        self._reading.consequences.wish_for(self._mirror.ledger.undecoded_alone("tasks"))
        if self._projects is None:
            steps += unheard.older_than(utc_before(max_age_s), AGE)
        self._reading.ask_for(filter(self._is_wanted, steps), again=True)

    def look_closely(self) -> bool:
        """Ask for what no stream tells of and no list of this run shows, a request for each.

        Where nothing at all has changed since a look a few minutes ago, nothing will have changed there either:
        False. Else it is done once.
        """
        streams, news = self._mirror.streams, self._reading.consequences
        quiet = not news.told and not self._reading.tally.inserted and not self._reading.tally.updated
        if self._has_looked or self._projects is not None:
            return False
        if quiet and streams.looked_closely_at() > utc_before(CLOSE_LOOK_EVERY_S):
            return False
        self._has_looked = True
        left = ONE_BY_ONE - self._look_at_persons(ONE_BY_ONE)
        families = self._mirror.unheard.families(left, AGE)
        self._reading.ask_for(filter(self._is_wanted, families), again=True)
        streams.look_closely(now=utc_now())
        return True

    def _look_at_persons(self, most: int) -> int:
        """Whole lists of tasks where this run asked only for what was modified, those longest unread first.

        Returns the number of requests, `most` at most.
        """
        partly_read, spent = self._reading.consequences.partly_read, 0
        for step in sorted(partly_read, key=self._mirror.rounds.swept_at):
            standing, unheard = partly_read[step]
            cost = min(pages(standing), unheard)
            if spent + cost > most:
                break
            spent += cost
            if cost == pages(standing):
                self._reading.ask_for([step], again=True)
            else:
                person = (step.parent_gid or "", step.workspace_gid or "")
                self._reading.consequences.wish_for(self._mirror.unheard.of_assignee(*person))
        return spent

    def ask_for_strays(self, *, every: bool) -> None:
        """Tasks that stand nowhere are shown by no list; whether they live must be asked of each."""
        if self._projects is None and self._run.mode != "first":
            turn, limit = self._run.id, 10**9 if every else ONE_BY_ONE
            self._reading.consequences.wish_for(self._mirror.unheard.strays(limit, turn))

    def _is_wanted(self, step: Step) -> bool:
        if not wanted(step.listing, self._scope):
            return False
        if self._projects is None:
            return True
        within = {"projects": self._projects, "teams": self._scope.teams}
        return step.parent_gid in within.get(step.listing.below or "", self._tasks)
