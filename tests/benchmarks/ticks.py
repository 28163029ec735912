"""What a tick of a watch costs without webhooks, and how old anything grows: a day of ticks on a clock of their own.

    python tests/benchmarks/ticks.py --projects 2000 --active 40 --hours 24

In each active project something happens in every other tick on average: a task is renamed, or commented on, by turns.
The sandbox answers in the same process; requests are counted, not timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ticking import EVERY_S, People, Ticking, standing_only_in
from worlds import rows

from asana_mirror.sandbox import Limits, generate

WARM_UP = (
    72  # ticks: by then each stream was heard once, so that what is in use is known even without a search
)


def measure(projects: int, active: int, hours: float, share: float, premium: bool) -> dict[str, Any]:
    """Ticks over some hours."""
    world = generate(seed=7, tasks=projects * 5, projects=projects, stories_per_task=2.0, users=60, tags=20)
    gids = [gid for gid in world.inside["project", world.workspaces[0]] if standing_only_in(world, gid)]
    people = People(world, gids[:active])
    with tempfile.TemporaryDirectory() as folder:
        ticking = Ticking(world, Path(folder) / "asana.db", Limits(premium=premium, search_lag_s=45.0))
        first = ticking.sync()
        requests, oldest_active, oldest = [], 0.0, 0.0
        for number in range(int(hours * 3600 / EVERY_S)):
            people.work(share)
            requests.append(ticking.tick().requests)
            if number >= WARM_UP:
                ages = ticking.ages()
                oldest_active = max(oldest_active, *(ages[gid] for gid in gids[:active] if gid in ages))
                oldest = max(oldest, *ages.values())
        runs = "SELECT id FROM sync_runs WHERE mode = 'tick'"
        used = rows(
            ticking.path,
            f"SELECT endpoint, sum(requests) FROM sync_requests WHERE run_id IN ({runs}) GROUP BY 1",
        )
        quick = ticking.sync().requests
    by_endpoint = Counter({row[0]: round(row[1] / len(requests), 1) for row in used})
    return {
        "search": premium,
        "first": first.requests,
        "ticks": len(requests),
        "changes a tick": round(people.changes / len(requests), 1),
        "requests a tick": round(sum(requests) / len(requests), 1),
        "95 of 100 at most": sorted(requests)[int(len(requests) * 0.95)],
        "most": max(requests),
        "oldest active, ticks": round(oldest_active / EVERY_S, 2),
        "oldest, hours": round(oldest / 3600, 2),
        "a run over everything": quick,
        "by endpoint": dict(by_endpoint.most_common(10)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=2000)
    parser.add_argument("--active", type=int, default=40)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    found = [
        measure(wanted.projects, wanted.active, wanted.hours, wanted.share, premium)
        for premium in (True, False)
    ]
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
