"""The state of a mirror in words and tables, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from asana_mirror.quota import READS_IN_FLIGHT
from asana_mirror.times import now, seconds_since
from asana_mirror.visibility import BY_STATUS


def print_state(state: Mapping[str, Any], console: Console) -> None:
    """Print runs, rows, cursors and problems."""
    console.print(f"[bold]{state['mirror']}[/bold], {state['bytes'] / 1e6:,.1f} MB")
    print_table(console, "Last runs", _runs(state["runs"]))
    print_table(console, "How old it may be", _freshness(state["freshness"]))
    print_table(console, "What is believed of the allowance, by token", _allowances(state["allowances"]))
    print_table(console, "Requests of the last run", _requests(state["requests"]))
    print_table(console, "Searches, instead of lists of single tasks", _searches(state["searches"]))
    tables = ({"table": name, **counts} for name, counts in state["tables"].items() if any(counts.values()))
    print_table(console, "Rows", tables)
    print_table(console, "Listings and the age of their last walk", _cursors(state["cursors"]))
    print_table(console, "What waits to be read", _waiting(state["waiting"]))
    print_table(console, "What is not mirrored, and why", _hidden(state["not_mirrored"]))
    print_table(console, "Records that did not fit, kept in sync_undecoded", state["undecoded"])
    print_table(console, "Left out by the configuration, as far as it was met", state["excluded"])
    print_table(console, "Changes that Asana announces", state["api_changes"])


def print_table(console: Console, title: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows under the names of their columns; nothing where there are none."""
    rows = list(rows)
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in rows[0]:
        numeric = isinstance(rows[0][column], (int, float))
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    console.print()
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def _runs(runs: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for run in runs:
        yield {
            "run": run["id"],
            "started": run["started_at"][:16].replace("T", " "),
            "mode": run["mode"],
            "outcome": run["outcome"] or "running, or killed",
            "requests": run["requests"],
            "refused": run["refused"],
            "of the allowance": _share(run),
            "waited s": round(run["seconds_waited"]),
            "new": run["rows_inserted"],
            "changed": run["rows_updated"],
            "unchanged": run["rows_unchanged"],
            "gone": run["rows_deleted"],
            "drift": run["drift"],
        }


def _freshness(fresh: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Nothing where no stream was heard yet."""
    if fresh["projects_heard"]:
        webhooks = ", ".join(f"{count} {state}" for state, count in fresh["webhooks"].items())
        yield {
            "projects": fresh["projects_heard"],
            "oldest stream": _age(fresh["oldest_stream"]),
            "newest stream": _age(fresh["newest_stream"]),
            "last news": _age(fresh["last_told"]),
            "oldest collection": _age(fresh["oldest_collection"]),
            "webhooks": webhooks or "none",
            "last heard of": _age(fresh["webhook_heard_at"]) if webhooks else "",
        }


def _share(run: Mapping[str, Any]) -> str:
    """Accepted, of those that were allowed meanwhile."""
    if not run["allowed"]:
        return ""
    return f"{100 * (run['requests'] - run['refused']) / max(1.0, run['allowed']):.0f} %"


def _allowances(allowances: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for known in allowances:
        yield {
            "token (hash)": known["token_hash"][:8],
            "requests a minute": _limit(known["per_minute"]),
            "cost a minute": _limit(known["cost_per_minute"]),
            "reads in flight": round(min(READS_IN_FLIGHT, known["reads_in_flight"])),
            "pause until": known["paused_until"] or "",
            "noted": _age(known["noted_at"]),
        }


def _limit(per_minute: float | None) -> str:
    return "no limit met" if per_minute is None else f"{per_minute:,.0f}"


def _requests(requests: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for use in requests:
        accepted = use["requests"] - use["refused"]
        yield {
            "endpoint": use["endpoint"],
            "requests": use["requests"],
            "refused": use["refused"],
            "records": use["records"],
            "kB": round(use["bytes"] / 1000),
            "cost each": round(use["cost_estimate"] / accepted, 1) if accepted else 0.0,
        }


SEARCHED = {
    "done": "relied on, beside what was read directly",
    "under way": "under way",
    "void": "not relied on: lists are read instead",
    "watched": "tells a watch what was modified lately",
}


def _searches(searches: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for search in searches:
        status = search["status"]
        state = SEARCHED.get(
            search["state"], f"not allowed: {BY_STATUS.get(status, status)}; lists are read instead"
        )
        yield {
            "workspace": search["workspace_gid"],
            "search": search["kind"],
            "state": state,
            "requests": search["requests"],
            "noted": _age(search["noted_at"]),
        }


def _cursors(cursors: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for cursor in cursors:
        yield {
            "listing": cursor["listing"],
            "listings": cursor["listings"],
            "still due": cursor["still_due"],
            "refused": cursor["refused"],
            "oldest walk": _age(cursor["oldest_walk"]),
            "newest walk": _age(cursor["newest_walk"]),
        }


def _waiting(waiting: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Nothing where nothing waits."""
    if waiting["lists"]:
        by = f"from {waiting['next_turn_at']} on, the last at {waiting['last_turn_at']}"
        yield {
            "what": "lists put off after a gap, a sweep or a rename",
            "how many": waiting["lists"],
            "read": by,
        }
    for what, count, when in (
        ("notices of events, not yet followed", waiting["unread_notices"], "by the next run that may"),
        ("lists that a narrowed run left out", waiting["lists_left_out"], "by the next run that may"),
    ):
        if count:
            yield {"what": what, "how many": count, "read": when}


def _hidden(found: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for one in found:
        yield {
            "what": one["words"],
            "lists": f"{one['lists']:,} of {one['of']:,}",
            "status": str(one["status"] or ""),
            "since": one["since"][:16].replace("T", " "),
            "for instance": one["example"],
        }


def _age(moment: str | None) -> str:
    if not moment:
        return "never"
    seconds = seconds_since(moment, now())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
