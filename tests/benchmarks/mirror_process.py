"""One run of the mirror: its report, and what it took."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from spent import Spent

from asana_mirror.run import SyncOptions, sync


def main() -> None:
    order = json.loads(sys.argv[1])
    options = SyncOptions(
        Path(order["mirror"]),
        os.environ["ASANA_ACCESS_TOKEN"],
        order["base_url"],
        full=order["full"],
        **({} if order["paced"] else {"per_minute": 0}),
    )
    spent = Spent()
    with spent.measured():
        report = asyncio.run(sync(options))
    sys.stdout.write(json.dumps({**asdict(report), **spent.as_json()}) + "\n")


if __name__ == "__main__":
    main()
