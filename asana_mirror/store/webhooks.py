"""The webhooks that this mirror has asked for, and what they delivered."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlite_utils import Database

from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE

ASKED, ACTIVE, REFUSED = "asked", "active", "refused"

_COLUMNS = "key, project_gid, target, state, gid, secret, status, message, noted_at, heard_at, deliveries"


@dataclass(frozen=True)
class Webhook:
    """One row of `sync_webhooks`."""

    key: str
    project_gid: str
    target: str
    state: str  # asked, active, refused
    gid: str | None = None
    secret: str | None = field(default=None, repr=False)
    status: int | None = None  # of a refusal; None where it was not Asana that refused it
    message: str | None = None
    noted_at: str = ""
    heard_at: str | None = None
    deliveries: int = 0


@dataclass(frozen=True)
class Delivery:
    """What a webhook told, accepted and not folded yet."""

    id: int
    project_gid: str
    body: str


class Webhooks:
    """Reads and writes `sync_webhooks`; the caller holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[Webhook]:
        return self._select("TRUE ORDER BY noted_at, key")

    def projects(self) -> set[str]:
        """The projects of which one was asked for, whatever became of it."""
        return {row[0] for row in self._db.execute("SELECT project_gid FROM sync_webhooks")}

    def of_key(self, key: str) -> Webhook | None:
        """The webhook at whose target a request arrived."""
        return next(iter(self._select("key = ?", key)), None)

    def ask(self, key: str, project_gid: str, target: str, *, now: str) -> None:
        """It will be asked for: from now on its handshake is expected."""
        self._db.execute(
            "INSERT INTO sync_webhooks (key, project_gid, target, state, noted_at) VALUES (?, ?, ?, ?, ?)",
            [key, project_gid, target, ASKED, now],
        )

    def shake_hands(self, key: str, secret: str, *, now: str) -> bool:
        """Keep the secret, if its handshake is expected; the first one counts."""
        done = self._db.execute(
            "UPDATE sync_webhooks SET secret = ?, heard_at = ? WHERE key = ? AND state = ? "
            "AND (secret IS NULL OR secret = ?)",
            [secret, now, key, ASKED, secret],
        )
        return done.rowcount == 1

    def establish(self, key: str, gid: str, *, now: str) -> None:
        """Asana has made it."""
        self._db.execute(
            "UPDATE sync_webhooks SET state = ?, gid = ?, status = NULL, message = NULL, noted_at = ? WHERE key = ?",
            [ACTIVE, gid, now, key],
        )

    def refuse(self, key: str, status: int | None, message: str, *, now: str) -> None:
        """Asana would not make it, or it was of no use."""
        self._db.execute(
            "UPDATE sync_webhooks SET state = ?, secret = NULL, status = ?, message = ?, noted_at = ? WHERE key = ?",
            [REFUSED, status, message, now, key],
        )

    def forget(self, keys: Iterable[str]) -> None:
        """They are gone from Asana, or never came to be."""
        self._db.conn.executemany("DELETE FROM sync_webhooks WHERE key = ?", [(key,) for key in keys])

    def telling(self, since: str) -> set[str]:
        """The projects whose webhook is in order: made, and heard of since a moment."""
        found = self._db.execute(
            "SELECT project_gid FROM sync_webhooks WHERE state = ? AND heard_at >= ?", [ACTIVE, since]
        )
        return {row[0] for row in found}

    def workspaces(self) -> list[str]:
        """Where there may be some; a mirror of single projects knows their workspaces by reference alone."""
        found = self._db.execute(
            f"SELECT gid FROM workspaces WHERE {ALIVE} "
            f"UNION SELECT workspace_gid FROM projects WHERE workspace_gid IS NOT NULL AND {ALIVE} ORDER BY 1"
        )
        return [row[0] for row in found]

    def homes(self) -> dict[str, str]:
        """The workspace of each project, dead ones included."""
        sql = "SELECT gid, workspace_gid FROM projects WHERE workspace_gid IS NOT NULL"
        return dict(self._db.execute(sql).fetchall())

    def _select(self, condition: str, *parameters: str) -> list[Webhook]:
        sql = f"SELECT {_COLUMNS} FROM sync_webhooks WHERE {condition}"
        return [Webhook(*row) for row in self._db.execute(sql, list(parameters))]


class Deliveries:
    """Reads and writes `sync_deliveries` and `sync_told`; the caller holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, webhook: Webhook, body: str | None, *, now: str) -> None:
        """Keep a delivery that was signed rightly; a heartbeat (None) only shows that the webhook lives."""
        self._db.execute(
            "UPDATE sync_webhooks SET heard_at = ?, deliveries = deliveries + 1 WHERE key = ?",
            [now, webhook.key],
        )
        if body is not None:
            self._db.execute(
                "INSERT INTO sync_deliveries (project_gid, received_at, body) VALUES (?, ?, ?)",
                [webhook.project_gid, now, body],
            )

    def are_waiting(self) -> bool:
        return self._db.execute("SELECT 1 FROM sync_deliveries LIMIT 1").fetchone() is not None

    def waiting(self, most: int) -> list[Delivery]:
        """The first of those that wait, in the order in which they came."""
        sql = "SELECT id, project_gid, body FROM sync_deliveries ORDER BY id LIMIT ?"
        return [Delivery(*row) for row in self._db.execute(sql, [most])]

    def drop(self, deliveries: Collection[Delivery]) -> None:
        """They are folded into the inbox."""
        self._db.execute(
            "DELETE FROM sync_deliveries WHERE id IN (SELECT value FROM json_each(?))",
            [gids_json(str(delivery.id) for delivery in deliveries)],
        )

    def note_told(self, project_gid: str, events: Iterable[str]) -> None:
        """A webhook told these, so that the stream's telling them again is no news."""
        self._db.conn.executemany(
            "INSERT OR IGNORE INTO sync_told (project_gid, event) VALUES (?, ?)",
            [(project_gid, event) for event in events],
        )

    def told(self, project_gid: str) -> set[str]:
        """What a project's webhook told since its stream was read to its end."""
        found = self._db.execute("SELECT event FROM sync_told WHERE project_gid = ?", [project_gid])
        return {row[0] for row in found}

    def forget_told_for_nothing(self) -> None:
        """Of projects whose streams nobody reads: they will not tell it again."""
        self._db.execute(
            "DELETE FROM sync_told WHERE project_gid NOT IN "
            "(SELECT parent_gid FROM sync_checkpoints WHERE name = 'events' AND cursor IS NOT NULL)"
        )

    def forget_told(self, project_gid: str) -> None:
        """Its stream was read to its end."""
        self._db.execute("DELETE FROM sync_told WHERE project_gid = ?", [project_gid])
