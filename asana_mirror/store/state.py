"""What a mirror tells about itself, read without writing."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asana_mirror.catalog import LISTINGS, RESOURCES
from asana_mirror.store.ages import TURN
from asana_mirror.store.excluded import LEFT_OUT
from asana_mirror.store.opening import looked_into
from asana_mirror.store.pages import gids_json
from asana_mirror.store.standing import ALIVE
from asana_mirror.store.streams import STREAM
from asana_mirror.visibility import hidden, in_words

State = dict[str, Any]


def read_state(path: Path, *, runs: int = 5, within_s: float = 7 * 86400.0) -> State:
    """Runs, rows, cursors, what waits, what cannot be read, announced changes: plain dicts and lists, ready for JSON.

    `within_s` is the time in which lists that were put off have their turn.
    """
    with looked_into(path) as connection:
        connection.row_factory = sqlite3.Row
        state = {
            "mirror": str(path),
            "bytes": path.stat().st_size,
            "runs": _rows(connection, "SELECT * FROM sync_runs ORDER BY id DESC LIMIT ?", [runs]),
            "tables": {name: _count(connection, name) for name in RESOURCES},
            "cursors": _rows(
                connection,
                "SELECT name AS listing, count(*) AS listings, sum(due) AS still_due, "
                "sum(refused IS NOT NULL) AS refused, min(last_walked_at) AS oldest_walk, "
                "max(last_walked_at) AS newest_walk, sum(cursor IS NOT NULL) AS with_cursor "
                "FROM sync_checkpoints GROUP BY name ORDER BY min(rank), name",
            ),
            "freshness": _freshness(connection),
            "waiting": _waiting(connection, within_s),
            "problems": _rows(
                connection,
                "SELECT p.listing, p.resource, c.name AS kind, p.status, p.message, p.since, p.last_seen_at, "
                "p.times FROM sync_problems AS p LEFT JOIN sync_checkpoints AS c ON c.listing = p.listing "
                "WHERE coalesce(p.resource, '') NOT IN (SELECT value FROM json_each(?)) "
                "ORDER BY p.resource, p.listing",
                [_switched_off(connection)],
            ),
            "undecoded": _rows(
                connection, "SELECT resource, gid, error, since, times FROM sync_undecoded ORDER BY since"
            ),
            "api_changes": _rows(
                connection,
                "SELECT header, name, info, affected, value, endpoint, first_seen_at, last_seen_at "
                "FROM sync_api_changes ORDER BY first_seen_at",
            ),
            "excluded": _rows(connection, LEFT_OUT),
            "allowances": _rows(connection, "SELECT * FROM sync_allowances ORDER BY noted_at DESC"),
            "searches": _rows(
                connection,
                "SELECT workspace_gid, kind, state, status, requests, noted_at FROM sync_searches "
                "ORDER BY workspace_gid, kind",
            ),
            "requests": _rows(
                connection,
                "SELECT endpoint, requests, refused, records, bytes, cost_estimate FROM sync_requests "
                "WHERE run_id = (SELECT max(id) FROM sync_runs) ORDER BY requests DESC",
            ),
        }
        return state | {"not_mirrored": _not_mirrored(state)}


def _not_mirrored(state: State) -> list[State]:
    """What the token may not see, a line for each kind of thing and reason."""
    counts = {cursor["listing"]: cursor["listings"] for cursor in state["cursors"]}
    return [{"words": in_words(one), **asdict(one)} for one in hidden(state["problems"], counts)]


def _switched_off(connection: sqlite3.Connection) -> str:
    """What the user told the last run to skip, as JSON: that it is not mirrored is no problem."""
    found = connection.execute(
        "SELECT scope ->> '$.skip' FROM sync_runs WHERE mode != 'repair' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return str(found[0]) if found and found[0] else "[]"


def _freshness(connection: sqlite3.Connection) -> State:
    """How old what is known of projects may be: when the stream that waits longest was heard, and webhooks by state."""
    (projects, oldest, newest, told) = connection.execute(
        "SELECT count(*), min(s.last_walked_at), max(s.last_walked_at), max(s.told_at) FROM sync_checkpoints AS s "
        "JOIN projects AS p ON p.gid = s.parent_gid WHERE s.name = ? AND s.cursor IS NOT NULL "
        "AND p._deleted_at IS NULL",
        [STREAM],
    ).fetchone()
    (lists,) = connection.execute(
        "SELECT min(last_walked_at) FROM sync_checkpoints WHERE due = 0 AND refused IS NULL AND name IN "
        "(SELECT value FROM json_each(?))",
        [gids_json(name for name, one in LISTINGS.items() if one.each_run and not one.is_patient)],
    ).fetchone()
    webhooks = connection.execute("SELECT state, count(*) FROM sync_webhooks GROUP BY state").fetchall()
    (heard,) = connection.execute("SELECT max(heard_at) FROM sync_webhooks").fetchone()
    return {
        "projects_heard": projects,
        "oldest_stream": oldest,
        "newest_stream": newest,
        "last_told": told,
        "oldest_collection": lists,
        "webhooks": dict(webhooks),
        "webhook_heard_at": heard,
    }


def _waiting(connection: sqlite3.Connection, within_s: float) -> State:
    """What is known to be read later: lists put off, of which each has its turn, and what events told."""
    turn = f"julianday(waiting_since) + {TURN} * ?1"
    (lists, since, next_turn, last_turn) = connection.execute(
        f"SELECT count(*), min(waiting_since), {_moment(f'min({turn})')}, {_moment(f'max({turn})')} "
        "FROM sync_checkpoints WHERE waiting_since IS NOT NULL",
        [within_s / 86400],
    ).fetchone()
    (unread,) = connection.execute("SELECT count(*) FROM sync_inbox").fetchone()
    (left_out,) = connection.execute(
        "SELECT count(*) FROM sync_checkpoints WHERE round = 0 AND due = 1"
    ).fetchone()
    return {
        "lists": lists,
        "since": since,
        "next_turn_at": next_turn,
        "last_turn_at": last_turn,
        "unread_notices": unread,
        "lists_left_out": left_out,
    }


def _moment(julian_day: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {julian_day})"


def _rows(connection: sqlite3.Connection, sql: str, parameters: list[Any] | None = None) -> list[State]:
    return [dict(row) for row in connection.execute(sql, parameters or [])]


def _count(connection: sqlite3.Connection, table: str) -> State:
    (living, stubs, tombstones) = connection.execute(
        f"SELECT sum({ALIVE}), sum(_synced_at IS NULL), sum(_deleted_at IS NOT NULL) FROM {table}"
    ).fetchone()
    return {"living": living or 0, "stubs": stubs or 0, "tombstones": tombstones or 0}
