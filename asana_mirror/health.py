"""Whether a mirror is as fresh as it should be, told from the file alone."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from asana_mirror.freshness import SILENT_S, TOKEN_LIFE_S
from asana_mirror.store.excluded import kept_out
from asana_mirror.store.opening import looked_into
from asana_mirror.store.standing import ALIVE
from asana_mirror.store.streams import STREAM
from asana_mirror.store.webhooks import ACTIVE, REFUSED
from asana_mirror.times import now, seconds_since, utc_before

Health = dict[str, Any]

WHOLE_MODES = ("first", "full", "changes", "tick")  # of runs that look at everything: neither news nor repair
GOOD_ENDS = ("complete", "budget", "interrupted")
FAILURES = 3  # in a row, and nobody can hope that the next run will do


def read_health(path: Path, *, max_age_s: float) -> Health:
    """How old the mirror is, what waits, and why that is too much, ready for JSON.

    `age_s` counts from the start of the last complete run over everything. Raises NotAMirror where there is none.
    """
    with looked_into(path) as connection:
        found = _read(connection)
    age_s = found["age_s"]
    failed = found.pop("failed")
    why = [*_too_old(age_s, max_age_s), *_streams_too_old(found["oldest_stream_age_s"], max_age_s)]
    if len(failed) == FAILURES and not set(failed) & set(GOOD_ENDS):
        why.append(f"The last {FAILURES} runs failed: {', '.join(map(str, failed))}.")
    return {
        "healthy": not why,
        "why": why,
        "age_s": age_s,
        "max_age_s": max_age_s,
        **found,
        "bytes": path.stat().st_size,
    }


def health_line(health: Health) -> str:
    """The same for people, in one line."""
    if health["healthy"]:
        return f"healthy: the last complete run began {_span(health['age_s'])} ago"
    return f"not healthy: {' '.join(health['why'])}"


def _too_old(age_s: float | None, max_age_s: float) -> list[str]:
    if age_s is None:
        return ["No run over everything has come to its end yet."]
    if age_s > max_age_s:
        return [f"The last complete run began {_span(age_s)} ago, and {_span(max_age_s)} are allowed."]
    return []


def _streams_too_old(age_s: float | None, max_age_s: float) -> list[str]:
    if age_s is None or age_s <= max(TOKEN_LIFE_S / 2, max_age_s):
        return []
    return [
        f"An event stream was last read {_span(age_s)} ago; its token lives {_span(TOKEN_LIFE_S)} at most."
    ]


def _read(connection: sqlite3.Connection) -> Health:
    then = now()
    (notices,) = connection.execute("SELECT count(*) FROM sync_inbox").fetchone()
    (deliveries,) = connection.execute("SELECT count(*) FROM sync_deliveries").fetchone()
    (problems,) = connection.execute("SELECT count(*) FROM sync_problems").fetchone()
    return {
        "age_s": _age(_last_whole_run(connection), then),
        "last_run": _last_run(connection),
        "oldest_stream_age_s": _age(_oldest_stream(connection), then),
        "unread_notices": notices,
        "waiting_deliveries": deliveries,
        "webhooks": _webhooks(connection),
        "problems": problems,
        "failed": _last_ends(connection),
    }


def _age(moment: str | None, then: datetime) -> float | None:
    return None if moment is None else round(max(0.0, seconds_since(moment, then)), 3)


def _last_whole_run(connection: sqlite3.Connection) -> str | None:
    """When it began: what changed while it ran may not be in it.

    Whole is what leaves out nothing, or what the last watch was told to look at; a mirror that was never whole has no
    other runs.
    """
    runs = connection.execute(
        "SELECT started_at, scope, mode FROM sync_runs WHERE outcome = 'complete' "
        f"AND mode IN ({', '.join('?' * len(WHOLE_MODES))}) ORDER BY id DESC",
        WHOLE_MODES,
    ).fetchall()
    watched = next((scope for _, scope, mode in runs if mode == "tick"), None)
    whole = (began for began, scope, _ in runs if scope == watched or not any(orjson.loads(scope).values()))
    return next(whole, runs[0][0] if runs else None)


def _last_run(connection: sqlite3.Connection) -> Health | None:
    columns = ("id", "mode", "outcome", "started_at", "ended_at")
    row = connection.execute(
        f"SELECT {', '.join(columns)} FROM sync_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return dict(zip(columns, row, strict=True)) if row else None


def _last_ends(connection: sqlite3.Connection) -> list[str | None]:
    ended = connection.execute(
        "SELECT outcome FROM sync_runs WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT ?", [FAILURES]
    )
    return [outcome for (outcome,) in ended]


def _oldest_stream(connection: sqlite3.Connection) -> str | None:
    """Of those that are followed: not of projects that left Asana, nor of excluded ones."""
    (moment,) = connection.execute(
        f"SELECT min(last_walked_at) FROM sync_checkpoints WHERE name = '{STREAM}' AND cursor IS NOT NULL "
        f"AND parent_gid IN (SELECT gid FROM projects WHERE {ALIVE}) AND parent_gid NOT IN {kept_out('projects')}"
    ).fetchone()
    return str(moment) if moment else None


def _webhooks(connection: sqlite3.Connection) -> dict[str, int]:
    counts = connection.execute(
        "SELECT coalesce(sum(state = ?1), 0), coalesce(sum(state = ?2), 0), "
        "coalesce(sum(state = ?1 AND coalesce(heard_at, noted_at) < ?3), 0) FROM sync_webhooks",
        [ACTIVE, REFUSED, utc_before(SILENT_S)],
    ).fetchone()
    return dict(zip(("active", "refused", "silent"), counts, strict=True))


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
