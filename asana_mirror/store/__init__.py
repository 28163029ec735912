"""The only package that writes SQLite.

opening   what a mirror file is: made, checked, migrated
memory    what need not be asked of SQLite
pages     rows, links and stubs of a page
rounds    runs, checkpoints, and the queue of what is still to be read
streams   the tokens of event streams
inbox     what events told and nobody has read yet
webhooks  the webhooks that were asked for, and what they delivered
ages      what is due by its age, by an upgrade, or because it was refused or put off
unopened  lists that an older version never asked for
unheard   tasks of which no stream tells
excluded  what the configuration keeps out
places    in which list a record stands
counts    how many requests lists would take
shown     where a name is shown that belongs to something else
standing  where records stand, as SQL
kept      lists that are themselves kept as rows
absence   who is missing, and tombstones
ties      who is still tied to what is missing
ledger    requests, problems, announced changes
allowances  what is believed of a token's allowance
searches  what is found by search instead of by lists
search    the full-text indexes
files     what became of the files of attachments
purged    who was purged and must not come back
purging   erasing for good
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from asana_mirror.store.absence import Absence
from asana_mirror.store.ages import Ages
from asana_mirror.store.allowances import Allowances
from asana_mirror.store.excluded import Excluded
from asana_mirror.store.files import Files
from asana_mirror.store.inbox import Inbox
from asana_mirror.store.kept import KeptLists
from asana_mirror.store.ledger import Ledger
from asana_mirror.store.memory import Memory
from asana_mirror.store.opening import BUSY_TIMEOUT_S, check_mirror, hold, open_mirror
from asana_mirror.store.pages import Pages, Tally, Written
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.store.purging import Erased, Purging
from asana_mirror.store.rounds import Rounds, Run
from asana_mirror.store.search import Search
from asana_mirror.store.searches import Searches
from asana_mirror.store.shown import Shown
from asana_mirror.store.streams import Streams
from asana_mirror.store.ties import Ties
from asana_mirror.store.unheard import Unheard
from asana_mirror.store.unopened import Unopened
from asana_mirror.store.webhooks import Deliveries, Webhooks

__all__ = ["Erased", "Mirror", "Run", "Tally", "Written", "check_mirror", "hold"]


class Mirror:
    """An open mirror, or one to look into. Whatever belongs together is written inside one `with mirror.atomic():`."""

    def __init__(
        self,
        path: Path,
        only_look: Database | None = None,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        upgrades: bool = True,
    ) -> None:
        self.db: Database = only_look or open_mirror(path, busy_timeout_s=busy_timeout_s, upgrades=upgrades)
        self.path = path
        self._memory = Memory(self.db, holds=only_look is None)
        purged = PurgedPeople(self.db, self._memory)
        self.pages = Pages(self.db, self._memory, purged)
        self.rounds = Rounds(self.db)
        self.streams = Streams(self.db)
        self.inbox = Inbox(self.db, self._memory)
        self.webhooks = Webhooks(self.db)
        self.deliveries = Deliveries(self.db)
        self.ages = Ages(self.db)
        self.kept = KeptLists(self.db, self._memory)
        self.unopened = Unopened(self.db)
        self.unheard = Unheard(self.db)
        self.shown = Shown(self.db)
        self.absence = Absence(self.db, self._memory)
        self.excluded = Excluded(self.db, self._memory)
        self.ties = Ties(self.db)
        self.ledger = Ledger(self.db, self._memory, purged)
        self.allowances = Allowances(self.db)
        self.searches = Searches(self.db)
        self.search = Search(self.db)
        self.files = Files(self.db, path)
        self.purging = Purging(self.db, self._memory, purged, self.search, self.files)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing. Foreign keys are held when the transaction ends, not at each statement of it."""
        try:
            with self.db.atomic():
                self.db.conn.execute("PRAGMA defer_foreign_keys = ON")
                yield
        except BaseException:
            self._memory.forget()
            raise

    def close(self) -> None:
        """Close the file; the last one out leaves no WAL behind."""
        self.db.close()
