"""What is due by its age, by an upgrade, or because it was refused or put off before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database

from asana_mirror.catalog import LISTINGS, fingerprint
from asana_mirror.plan import AGE, pages
from asana_mirror.rotation import Aged
from asana_mirror.store.pages import gids_json
from asana_mirror.times import now, seconds_since, utc_before, utc_now
from asana_mirror.words import Step, step_named

REFUSED = "refused before"  # why a list is asked for
REFUSED_AT_ONCE = 10  # refused lists of one kind asked again in a run, until one of them is shown
_READ = "due = 0 AND refused IS NULL AND last_walked_at IS NOT NULL"
_STEP = "SELECT name, parent_gid, workspace_gid, part"
# The last digits of a gid spread the lists that wait over the time in which they may wait.
TURN = "CAST(substr(parent_gid, -3) AS INTEGER) / 1000.0"


@dataclass(frozen=True)
class Look:
    """The last look at a listing: with which status it was refused, how much it showed, when (empty: never)."""

    refused: int  # 0 where it was shown, or failed
    records: int
    at: str


class Ages:
    """Reads `sync_checkpoints` for what is to be read again though no event calls for it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def by_age(self, max_age_s: float) -> list[Step]:
        """Lists of which no stream tells all, not read for so long."""
        found: list[Step] = []
        for times in sorted({listing.by_age for listing in LISTINGS.values()} - {0}):
            found += self._steps(
                f"{_STEP} FROM sync_checkpoints WHERE name IN (SELECT value FROM json_each(?)) AND {_READ} "
                "AND last_walked_at <= ?",
                AGE,
                gids_json(name for name, listing in LISTINGS.items() if listing.by_age == times),
                utc_before(max_age_s * times),
            )
        return found

    def aged(self, names: Iterable[str]) -> list[Aged[Step]]:
        """All lists of some kinds that were read, with their ages and the requests that they take."""
        then = now()
        found = self._db.execute(
            "SELECT name, parent_gid, workspace_gid, part, last_walked_at, records FROM sync_checkpoints "
            f"WHERE name IN (SELECT value FROM json_each(?)) AND {_READ}",
            [gids_json(names)],
        ).fetchall()
        ages: dict[Step, Aged[Step]] = {}
        for name, parent_gid, workspace_gid, part, walked_at, records in found:
            step = step_named(name, parent_gid, workspace_gid, AGE, part=part)
            ages[step] = Aged(step, seconds_since(walked_at, then), pages(records))
        return [ages[step] for step in self._of_the_living(list(ages))]

    def swept(self) -> list[Aged[str]]:
        """Projects, with the time since everything in them was looked at."""
        then = now()
        found = self._db.execute(
            "SELECT c.parent_gid, c.swept_at FROM sync_checkpoints AS c JOIN projects AS p ON p.gid = c.parent_gid "
            f"WHERE c.name = 'project_tasks' AND {_READ} AND p._deleted_at IS NULL"
        )
        return [Aged(gid, seconds_since(moment, then)) for gid, moment in found]

    def sweeps(self, sweep_every_s: float) -> list[str]:
        """Projects of which everything was looked at so long ago that a lost event may have been missed since."""
        found = self._db.execute(
            f"SELECT parent_gid FROM sync_checkpoints WHERE name = 'project_tasks' AND {_READ} "
            "AND (swept_at IS NULL OR swept_at <= ?)",
            [utc_before(sweep_every_s)],
        )
        return [row[0] for row in found]

    def waiting(self, within_s: float) -> list[Step]:
        """Lists that were put off and whose turn has come: each has its own within the time."""
        return [
            step_named(name, parent_gid, workspace_gid, why, part=part)
            for name, parent_gid, workspace_gid, why, part in self._db.execute(
                "SELECT name, parent_gid, workspace_gid, why, part FROM sync_checkpoints "
                f"WHERE waiting_since IS NOT NULL AND due = 0 AND julianday(waiting_since) + {TURN} * ? "
                "<= julianday(?)",
                [within_s / 86400, utc_now()],
            )
        ]

    def older_than_tasks(self, name: str, gids: Iterable[str], why: str) -> list[Step]:
        """Lists below tasks that were modified since these were read, by Asana's clock.

        The plus sign keeps SQLite from going through all lists of the kind.
        """
        return self._steps(
            "SELECT c.name, c.parent_gid, c.workspace_gid, c.part FROM sync_checkpoints AS c "
            "JOIN tasks ON gid = c.parent_gid WHERE +c.name = ? "
            "AND c.parent_gid IN (SELECT value FROM json_each(?)) AND cursor < modified_at",
            why,
            name,
            gids_json(gids),
        )

    def put_off(self, steps: Iterable[Step], *, now: str, unless_read_since: str) -> None:
        """Let lists wait for their turn, unless they do already."""
        self._db.conn.executemany(
            "UPDATE sync_checkpoints SET waiting_since = ?, why = ? "
            "WHERE listing = ? AND waiting_since IS NULL AND due = 0 AND last_walked_at < ?",
            [(now, step.why, step.key, unless_read_since) for step in steps],
        )

    def last_look(self, step: Step) -> Look:
        """What the last look at a listing brought, and when that was."""
        row = self._db.execute(
            "SELECT c.refused, c.records, max(coalesce(c.last_walked_at, ''), coalesce(p.last_seen_at, '')) "
            "FROM sync_checkpoints AS c LEFT JOIN sync_problems AS p ON p.listing = c.listing WHERE c.listing = ?",
            [step.key],
        ).fetchone()
        return Look(row[0] or 0, row[1], row[2]) if row else Look(0, 0, "")

    def count_waiting(self) -> int:
        """Of how many tasks the stories wait for their turn: edits and likes of comments may be missing there."""
        sql = (
            "SELECT count(*) FROM sync_checkpoints WHERE waiting_since IS NOT NULL AND +name = 'task_stories'"
        )
        return int(self._db.execute(sql).fetchone()[0])

    def left_out(self) -> list[Step]:
        """Lists for which something called in a run that might not read them."""
        return self._steps(f"{_STEP} FROM sync_checkpoints WHERE round = 0 AND due = 1", "left out before")

    def outdated(self) -> list[Step]:
        """Lists read by an older version that asked for other fields."""
        found: list[Step] = []
        for name, listing in LISTINGS.items():
            if not listing.each_run:
                found += self._steps(
                    f"{_STEP} FROM sync_checkpoints WHERE name = ? AND {_READ} AND fingerprint IS NOT ? "
                    "AND since IS NULL",
                    "upgrade",
                    name,
                    fingerprint(listing),
                )
        return found

    def undecoded(self) -> list[Step]:
        """Lists in which a record did not fit: it is tried again."""
        return self._steps(
            f"{_STEP} FROM sync_checkpoints WHERE listing IN (SELECT listing FROM sync_undecoded) AND {_READ}",
            "did not fit",
        )

    def known(self, name: str) -> list[Step]:
        """All lists of a kind that were ever asked for."""
        return self._steps(f"{_STEP} FROM sync_checkpoints WHERE name = ?", "", name)

    def refused_like(self, name: str) -> list[Step]:
        """All lists of a kind that Asana refused."""
        return self._steps(
            f"{_STEP} FROM sync_checkpoints WHERE name = ? AND refused IS NOT NULL",
            REFUSED,
            name,
        )

    def refused(self, max_age_s: float) -> list[Step]:
        """Lists that Asana refused: a few of each kind, to see whether it still does.

        What is asked for by age only, so is this; and where the plan does not include it, one question is enough.
        """
        too_fresh = [
            name
            for name, asked_at in self._db.execute(
                "SELECT c.name, max(p.last_seen_at) FROM sync_checkpoints AS c JOIN sync_problems AS p "
                "ON p.listing = c.listing WHERE c.refused > 0 GROUP BY 1"
            ).fetchall()
            if name in LISTINGS
            and LISTINGS[name].is_patient
            and asked_at > utc_before(max_age_s * max(1, LISTINGS[name].by_age))
        ]
        return self._steps(
            f"{_STEP} FROM (SELECT *, row_number() OVER (PARTITION BY name ORDER BY listing) AS place "
            "FROM sync_checkpoints WHERE refused IS NOT NULL AND name != 'events' "
            "AND name NOT IN (SELECT value FROM json_each(?))) WHERE place <= iif(refused = 402, 1, ?)",
            REFUSED,
            gids_json(too_fresh),
            REFUSED_AT_ONCE,
        )

    def _steps(self, sql: str, why: str, *parameters: object) -> list[Step]:
        """Without those below what left Asana."""
        found = self._db.execute(sql, list(parameters))
        return self._of_the_living(
            [
                step_named(name, parent_gid, workspace_gid, why, part=part)
                for name, parent_gid, workspace_gid, part in found
            ]
        )

    def _of_the_living(self, steps: list[Step]) -> list[Step]:
        """Those that do not stand below what left Asana."""
        dead: dict[str, set[str]] = {}
        for below in {step.listing.below for step in steps} - {None, "actors"}:
            gids = gids_json(step.parent_gid for step in steps if step.listing.below == below)
            gone = f"SELECT gid FROM {below} WHERE _deleted_at IS NOT NULL"
            found = self._db.execute(f"{gone} AND gid IN (SELECT value FROM json_each(?))", [gids])
            dead[str(below)] = {row[0] for row in found}
        return [step for step in steps if step.parent_gid not in dead.get(step.listing.below or "", ())]
