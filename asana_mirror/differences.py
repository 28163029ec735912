"""What a verification found, in words and tables, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from asana_mirror.compare import Difference
from asana_mirror.verify import NotCompared, Verification
from asana_mirror.visibility import BY_STATUS

SHOWN = 200  # rows of a table; --json has them all
WIDTH = 60


def print_verification(found: Verification, console: Console) -> None:
    """Print what differs, what lags, what could not be compared, and one sentence about it all."""
    _print_differences(console, "Differences", found.differences)
    _print_differences(
        console, "Lag, healed with time: positions, and values shown after a rename", found.lag
    )
    _print_not_compared(console, found.not_compared)
    if found.repair is not None:
        done = found.repair.done
        console.print(
            f"Read again what differs: {done.rows_inserted:,} rows new, {done.rows_updated:,} changed, "
            f"{done.rows_deleted:,} gone."
        )
        _print_differences(console, "Left after the repair", found.repair.left)
    console.print(verdict(found), soft_wrap=True)


def verdict(found: Verification) -> str:
    """How many were compared, how many differ, and what to type next."""
    compared = (
        f"{found.listings:,} listings and {found.records:,} records compared "
        f"(--sample {found.sample} --seed {found.seed}) with {found.requests:,} requests in {found.seconds:,.1f} s"
    )
    if found.agrees:
        told = "equal now" if found.repair else "equal as far as compared"
        return f"{found.mirror} and Asana are {told}: {compared}."
    left = found.differences if found.repair is None else found.repair.left
    advice = (
        "Some are what changed since the last sync: asana-mirror sync brings it; "
        "verify --repair reads again just what differs."
    )
    places = "one place" if len(left) == 1 else f"{len(left):,} places"
    return f"{found.mirror} and Asana differ in {places}: {compared}. {advice}"


def _print_differences(console: Console, title: str, differences: Iterable[Difference]) -> None:
    rows = list(differences)
    _print_table(
        console,
        title,
        ("what", "gid", "column", "here", "there"),
        [
            (found.what, found.gid, found.column or "", shortened(found.here), shortened(found.there))
            for found in rows
        ],
    )


def _print_not_compared(console: Console, rows: Iterable[NotCompared]) -> None:
    _print_table(
        console,
        "Not compared, and no difference",
        ("what", "status", "why"),
        [
            (
                row.what,
                str(row.status or ""),
                shortened(BY_STATUS.get(row.status or 0, row.message), 2 * WIDTH),
            )
            for row in rows
        ],
    )


def _print_table(console: Console, title: str, columns: Iterable[str], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "gid")
    for row in rows[:SHOWN]:
        table.add_row(*row)
    console.print(table, markup=False)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN:,} more; --json has them all.")


def shortened(value: Any, width: int = WIDTH) -> str:
    """A value in one line, long texts by their beginning."""
    if value is None:
        return "NULL"
    text = " ".join(str(value).split())
    return text if len(text) <= width else f"{text[:width]}… ({len(str(value)):,} characters)"
