"""What a run shows while it works, and when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from asana_mirror.purge import PurgeReport
from asana_mirror.reading import Progress
from asana_mirror.run import Report, Show

LINE_EVERY_S = 60.0

LABELS = {
    "workspace_users": "users",
    "workspace_agents": "agents",
    "workspace_teams": "teams",
    "workspace_custom_fields": "custom fields",
    "workspace_tags": "tags",
    "workspace_projects": "projects",
    "events": "event streams",
    "project_tasks": "tasks of projects",
    "modified_tasks": "modified tasks",
    "section_tasks": "tasks of sections",
    "task_stories": "stories",
}


@contextmanager
def progress_shown() -> Iterator[Show]:
    """Bars on a terminal, else a line a minute; on stderr, so that stdout stays for results."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield _bars(bars)


def _bars(bars: Bars) -> Show:
    drawn: dict[str, TaskID] = {}

    def show(progress: Progress) -> None:
        for name, asked in progress.asked.items():
            if name not in drawn:
                drawn[name] = bars.add_task(LABELS.get(name, name.replace("_", " ")))
            bars.update(drawn[name], total=asked, completed=min(progress.done[name], asked))

    return show


def _lines() -> Show:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < LINE_EVERY_S:
            return
        last = time.monotonic()
        asked, done = progress.asked.total(), progress.done.total()
        sys.stderr.write(f"{done:,} of {asked:,} listings, {progress.records:,} records\n")

    return show


def summary(report: Report, mirror: str) -> str:
    """One or two sentences about a run that came to its end, or to that of its budget."""
    state = "is in sync"
    if report.outcome == "budget":
        state = f"is not complete, the budget is spent ({report.left:,} listings wait; run again to go on)"
    lines = [
        f"{mirror} {state}: {report.rows_inserted:,} rows new, {report.rows_updated:,} changed, "
        f"{report.rows_deleted:,} gone, {report.rows_unchanged:,} unchanged; "
        f"{report.requests:,} requests in {report.seconds:,.1f} s."
    ]
    if report.not_readable:
        lines.append(
            f"{report.not_readable:,} listings may not be read with this token: asana-mirror status says which."
        )
    if report.not_decodable:
        lines.append(f"{report.not_decodable:,} records did not fit and are kept in sync_undecoded.")
    if report.drift:
        lines.append(f"{report.drift:,} changes were found by looking: no event had told of them.")
    if report.waiting:
        lines.append(
            f"{report.waiting:,} lists of stories wait for their turn: asana-mirror status says until when."
        )
    if report.resumed and report.outcome == "complete":
        lines.append("It went on from an earlier run, and then read what had changed since.")
    return "\n".join(lines)


def purge_told(report: PurgeReport) -> str:
    """What a purge does to each table."""
    lines = [
        f"  {what}: {', '.join(f'{count:,} {table}' for table, count in counts.items())}"
        for what, counts in (
            ("deleted", report.deleted),
            ("emptied, for other rows refer to them", report.emptied),
            ("rewritten without the person", report.rewritten),
        )
        if counts
    ]
    return "\n".join(lines or ["  nothing"])
