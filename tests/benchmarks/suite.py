"""All benchmarks by one command: a table of figures and targets, and JSON.

    python tests/benchmarks/suite.py [--quick] [--only NAME ...] [--json FILE]

Everything talks to a sandbox on 127.0.0.1, in a process of its own, and ends by itself: after about an hour on two
cores, with --quick after a few minutes. --quick asks less of smaller worlds, in which not every target can be
reached. A storm, its kills and a soak take about half an hour, a quarter and a whole one more, and so are measured
only where they are named: --only storm kills soak. Give the machine nothing else to do meanwhile: figures of one run
are comparable, of two hardly.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import sqlite3
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from beside import Broken
from figures import Figure
from office import end_in_good_order_when_told

# name → module, whose `measure(quick)` gives figures; one that is not there is left out.
BENCHMARKS = {
    "peer": "peer",
    "bare": "bare",
    "requests": "first_requests",
    "growth": "growth",
    "memory": "memory",
    "simulated": "simulated",
    "allowance": "allowance",
    "storm": "storm",
    "kills": "kills",
    "soak": "soak",
}
LONG = ("storm", "kills", "soak")  # only where they are named
MARKS = {True: "yes", False: "NO", None: ""}


def available() -> list[str]:
    return [name for name, module in BENCHMARKS.items() if importlib.util.find_spec(module)]


def measured(name: str, *, quick: bool) -> dict[str, Any]:
    """One benchmark's figures, or why there are none."""
    began = time.monotonic()
    say(f"\n{name} …\n")
    told: dict[str, Any] = {"benchmark": name, "figures": []}
    try:
        figures: list[Figure] = importlib.import_module(BENCHMARKS[name]).measure(quick)
        told["figures"] = [figure.as_json() for figure in figures]
        for figure in figures:
            say(row(figure))
    except Broken as error:
        told["broken"] = str(error)
    except Exception:  # one that fails must not cost what the others have measured
        told["broken"] = traceback.format_exc()
    if "broken" in told:
        say(f"  broken: {told['broken']}\n")
    told["seconds"] = round(time.monotonic() - began, 1)
    return told


def row(figure: Figure) -> str:
    value = f"{figure.value:,.4g}" if abs(figure.value) < 1000 else f"{figure.value:,.0f}"
    shown = f"{value} {figure.unit}".rstrip()
    return (
        f"  {figure.name:<64} {shown:>10}  {figure.target:<8} {MARKS[figure.reached]:<4} {figure.note}".rstrip()
        + "\n"
    )


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller worlds")
    parser.add_argument("--only", nargs="+", choices=available(), metavar="NAME", help=", ".join(available()))
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here; else they are printed"
    )
    options = parser.parse_args()
    end_in_good_order_when_told()
    chosen = [name for name in available() if name in (options.only or {*available()} - {*LONG})]
    say(f"  {'figure':<64} {'measured':>10}  {'target':<8} reached\n")
    told = {
        "quick": options.quick,
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "benchmarks": [measured(name, quick=options.quick) for name in chosen],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        say(f"\n{text}")
    return int(any("broken" in benchmark for benchmark in told["benchmarks"]))


if __name__ == "__main__":
    sys.exit(main())
