"""A forecast as a table, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from asana_mirror.display import LABELS
from asana_mirror.forecast import Forecast
from asana_mirror.status import print_table

MODES = {
    "first": "reads everything for the first time",
    "full": "reads everything again",
    "changes": "follows what changed",
}


def print_forecast(told: Forecast, mirror: str, console: Console) -> None:
    """Print the plan, its sum, how long that takes, and what is not in it."""
    goes_on = "goes on with a run that was cut short, then " if told.resumed else ""
    doing = "follows what changed" if told.resumed else MODES[told.mode]
    console.print(f"The next sync of [bold]{mirror}[/bold] {goes_on}{doing}.")
    print_table(console, "What it asks", _lines(told))
    least = "at least " if told.lower_bound else ""
    pace = f"at {told.per_minute:,.0f} a minute" if told.per_minute else "with 50 in flight"
    console.print(
        f"\nTogether {least}[bold]{told.requests:,} requests[/bold], {least}{_duration(told.seconds)} {pace}."
    )
    if told.mode == "changes" or told.resumed:
        console.print(
            "What events will tell comes on top: about a request for each task that changed, and its stories."
        )
    for remark in told.remarks:
        console.print(remark)
    asked = f"{told.asked:,} requests were made for this" if told.asked else "Nothing was asked"
    console.print(f"{asked}, and nothing was written.")


def _lines(told: Forecast) -> Iterable[dict[str, Any]]:
    for line in told.lines:
        yield {
            "what": LABELS.get(line.listing, line.listing.replace("_", " ")),
            "why": line.why,
            "how many": line.lists,
            "requests": line.requests,
        }


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
