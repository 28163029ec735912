"""The only package that writes SQLite.

opening   what a mirror file is: made, checked, migrated
pages     rows, links and stubs of a page
rounds    runs, checkpoints, and the queue of what is still to be read
absence   who is missing, and tombstones
ledger    requests, problems, announced changes
search    the full-text indexes
purged    who was purged and must not come back
purging   erasing for good
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from asana_mirror.store.absence import Absence
from asana_mirror.store.ledger import Ledger
from asana_mirror.store.opening import check_mirror, hold, open_mirror
from asana_mirror.store.pages import Pages, Tally
from asana_mirror.store.purged import PurgedPeople
from asana_mirror.store.purging import Erased, Purging
from asana_mirror.store.rounds import Rounds, Run
from asana_mirror.store.search import Search

__all__ = ["Erased", "Mirror", "Run", "Tally", "check_mirror", "hold"]


class Mirror:
    """An open mirror. Whatever belongs together is written inside one `with mirror.atomic():`."""

    def __init__(self, path: Path) -> None:
        self.db: Database = open_mirror(path)
        self.path = path
        self.pages = Pages(self.db)
        self.rounds = Rounds(self.db)
        self.absence = Absence(self.db)
        self.ledger = Ledger(self.db)
        self.search = Search(self.db)
        self.purging = Purging(self.db, PurgedPeople(self.db), self.search)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing. Foreign keys are held when the transaction ends, not at each statement of it."""
        with self.db.atomic():
            self.db.execute("PRAGMA defer_foreign_keys = ON")
            yield

    def close(self) -> None:
        """Close the file; the last one out leaves no WAL behind."""
        self.db.close()
