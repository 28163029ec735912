"""Every error, sorted by what the caller must do next; each carries a hint that says what to type.

MirrorError
├── UserMustAct            the run cannot go on until a person does something
│   ├── WrongUsage         exit 2   a flag, a config file, a path
│   │   ├── NotAMirror · MirrorTooNew · MirrorReplaced · CannotWrite · DiskFull
│   ├── BadToken           exit 3
│   ├── MirrorBusy         exit 5
│   └── TooManyMissing     exit 6   the mass-deletion guard
├── AsanaUnreachable       exit 4   patience (--max-wait) ran out; run again to go on
├── BudgetSpent            exit 0   --budget or --max-requests was reached; run again to go on
├── Interrupted            exit 130 / 143
├── WaitAndRepeat          the same request may succeed later: 429, 5xx, broken answers
│   └── RateLimited
├── CarryOnWithout         this cannot be read with this token: 400, 402, 403, 404, 451
└── StartOver              what was held is void
    ├── OffsetExpired      read the listing from its first page
    ├── ListTooLong        the listing must be split
    └── SyncTokenExpired   a fresh events token came with the answer (412)
"""

from __future__ import annotations


class MirrorError(Exception):
    """Anything this program says in one sentence; `hint` says what to do."""

    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UserMustAct(MirrorError):
    exit_code = 2


class WrongUsage(UserMustAct):
    hint = "Run the command with --help to see what it takes."


class NotAMirror(WrongUsage):
    hint = "Name another file, or move this one away: nothing was changed in it."


class MirrorTooNew(WrongUsage):
    hint = "Upgrade with: pip install --upgrade asana-mirror"


class MirrorReplaced(WrongUsage):
    hint = "Nothing was lost. Start it again: it goes on with the file that is there now."


class CannotWrite(WrongUsage):
    hint = "Choose a folder you may write to, for instance: asana-mirror sync ~/asana.db"


class DiskFull(WrongUsage):
    hint = "Free some space and run the same command again: it goes on from the last written page."


class BadToken(UserMustAct):
    exit_code = 3
    hint = "Make a token at https://app.asana.com/0/my-apps and set ASANA_ACCESS_TOKEN."


class MirrorBusy(UserMustAct):
    exit_code = 5
    hint = "Wait until it has finished, or stop it; one run at a time may write a mirror."


class TooManyMissing(UserMustAct):
    exit_code = 6
    hint = "Nothing was marked deleted. If this is right, run again with --max-deletes N (rows per table)."


class AsanaUnreachable(MirrorError):
    exit_code = 4
    hint = (
        "What was read is kept. Check the network and --base-url, then run the same command again to go on."
    )


class BudgetSpent(MirrorError):
    """The run did what it was told: it stopped in good order where the budget ended."""

    exit_code = 0
    hint = "What was read is kept. Run the same command again to go on."


class Interrupted(MirrorError):
    hint = "What was read is kept. Run the same command again to go on."

    def __init__(self, signal_number: int) -> None:
        super().__init__("Stopped on request between two pages.")
        self.exit_code = 128 + signal_number


class WaitAndRepeat(MirrorError):
    """The same request may succeed later; `retry_after_s` is None where Asana named no time."""

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status


class RateLimited(WaitAndRepeat):
    """429: all requests pause, not only this one."""


class CarryOnWithout(MirrorError):
    """Asana refuses this one thing; the rest of the run is not concerned."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class StartOver(MirrorError):
    """What was held (an offset, a sync token) no longer means anything."""


class OffsetExpired(StartOver):
    pass


class ListTooLong(StartOver):
    pass


class SyncTokenExpired(StartOver):
    """412 on /events; `sync` is the fresh token that came with the refusal."""

    def __init__(self, message: str, *, sync: str) -> None:
        super().__init__(message)
        self.sync = sync


class Undecodable(MirrorError):
    """A record whose shape does not fit its table; kept as JSON, never lost."""
