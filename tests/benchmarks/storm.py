"""Fifty changes a second: how soon is each in the mirror, and is everything in the end?

    python tests/benchmarks/storm.py [--seconds 600] [--rate 50] [--only webhooks polling kills] [--json FILE]

The sandbox, in which people change things of all kinds, and `asana-mirror watch` run in processes of their own and
talk over real sockets. Every half second a probe changes something marked, and a reader beside waits until the mirror
shows it: with webhooks, then with ticks alone. `kills` ends the watch with SIGKILL at random moments instead, and
begins it again. In the end the watch stops, one ordinary run follows, and mirror and world are compared but for what
may lag.

It ends by itself: each of the three takes --seconds and a minute or two. --quick takes half a minute each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from beside import END_WITHIN_S, Broken
from figures import Figure
from office import Office, end_in_good_order_when_told, office_beside, open_files, resident_mb
from suite import row, say

WEBHOOKS, POLLING, KILLS = "webhooks", "polling", "kills"
EVERY_S = {WEBHOOKS: 60.0, POLLING: 10.0, KILLS: 10.0}  # ticks
SOON_S = 2.0
PROBE_EVERY_S = 0.5
LOOK_EVERY_S = 0.02
CHECK_EVERY_S = 2.0  # whether a probe was overtaken
BEGIN_WITHIN_S = 180.0
QUIET_S = 3.0
QUIET_WITHIN_S = 120.0  # and three ticks
SYNC_WITHIN_S = 600.0
NEWS, TICK = "news", "tick"


@dataclass(frozen=True)
class Plan:
    """How long, how many changes a second, in how large a world; how often the watch is killed."""

    seconds: float = 600.0
    rate: float = 50.0
    tasks: int = 2000
    projects: int = 30
    kills: int = 20
    every_s: float | None = None
    rpm: float = 0.0
    latency_s: float = 0.0
    seed: int = 1


QUICK = {"seconds": 20.0, "tasks": 500, "projects": 10, "kills": 4}


# -- the watch ----------------------------------------------------------------------------------------


class Watching:
    """`asana-mirror watch` as a process, which may be killed and begun again."""

    def __init__(self, office: Office, mirror: Path, every_s: float, rpm: float, *, hooked: bool) -> None:
        self.mirror = mirror
        self._log = mirror.with_name("watch.log")
        self._office = office
        self._options = ["--rpm", str(rpm), "--every", f"{every_s:g}s", "--log-format", "json"]
        if hooked:
            port = _free_port()
            self._options += ["--webhook-url", f"http://127.0.0.1:{port}/asana", "--port", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs. Raises Broken where it ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise Broken(f"The watch ended by itself.\n{self._log.read_text()[-3000:]}")
        return self._process.pid

    def begin(self) -> None:
        command = [sys.executable, "-m", "asana_mirror", "watch", str(self.mirror)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--base-url", self._office.base_url, *self._options],
                env=_environment(self._office),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def end(self) -> tuple[int, float]:
        """Ask it to end; returns its code, and the seconds that it took."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        assert self._process is not None
        return self._process.wait(END_WITHIN_S), time.monotonic() - began

    @contextmanager
    def running(self) -> Iterator[None]:
        self.begin()
        try:
            yield
        finally:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def complaints(self) -> Counter[str]:
        """Its warnings and errors, without what differs from one to the next."""
        found: Counter[str] = Counter()
        for line in self._log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if str(said.get("level", "")).upper() in ("WARNING", "ERROR", "CRITICAL"):
                    found[re.sub(r"\d+", "N", str(said))[:1500]] += 1
        return found


def _environment(office: Office) -> dict[str, str]:
    return {**os.environ, "ASANA_ACCESS_TOKEN": office.token, "NO_PROXY": "127.0.0.1"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# -- probes -------------------------------------------------------------------------------------------


class Probes:
    """Makes marked changes in one thread, and looks in another when the mirror shows them."""

    def __init__(self, office: Office, mirror: Path) -> None:
        self.made = 0
        self.seen_after_s: dict[int, float] = {}
        self.overtaken = 0
        self._office = office
        self._mirror = mirror
        self._waiting: dict[int, dict[str, Any]] = {}
        self._over = threading.Event()  # no more are made
        self._left = threading.Event()  # nobody looks any more
        self._checked_at = time.monotonic()
        self._trouble: list[BaseException] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._kept(act), daemon=True) for act in (self._make, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._left.set()
            for thread in threads:
                thread.join(END_WITHIN_S)
        if self._trouble:
            raise self._trouble[0]

    def wait_for_all(self, within_s: float) -> None:
        """Make no more, and wait until those that were made are seen."""
        self._over.set()
        deadline = time.monotonic() + within_s
        while self._waiting and time.monotonic() < deadline and not self._trouble:
            time.sleep(LOOK_EVERY_S)

    def _kept(self, act: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                act()
            except BaseException as trouble:  # told to whoever waits
                self._trouble.append(trouble)

        return run

    def _make(self) -> None:
        while not self._over.wait(PROBE_EVERY_S):
            probe = self._office.do("probe", number=self.made)
            self._waiting[self.made] = probe
            self.made += 1

    def _look(self) -> None:
        with closing(sqlite3.connect(f"file:{self._mirror}?mode=ro", uri=True)) as db:
            while not self._left.wait(LOOK_EVERY_S):
                for number, probe in list(self._waiting.items()):
                    if _shows(db, probe):
                        self.seen_after_s[number] = time.monotonic() - probe["at_s"]
                        del self._waiting[number]
                self._drop_the_overtaken()

    def _drop_the_overtaken(self) -> None:
        now = time.monotonic()
        old = [number for number, probe in list(self._waiting.items()) if now - probe["at_s"] > CHECK_EVERY_S]
        if not old or now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        for number in self._office.do("overtaken", numbers=old):
            del self._waiting[number]
            self.overtaken += 1

    def as_json(self) -> dict[str, Any]:
        seen = sorted(self.seen_after_s.values())
        told = {"made": self.made, "overtaken": self.overtaken, "never_seen": len(self._waiting)}
        if len(seen) < 2:
            return told
        p95 = statistics.quantiles(seen, n=20)[-1]
        shares = {"median_s": statistics.median(seen), "p95_s": p95, "max_s": seen[-1]}
        return {**told, **{name: round(value, 3) for name, value in shares.items()}}


def _shows(db: sqlite3.Connection, probe: dict[str, Any]) -> bool:
    column = "name" if probe["table"] == "tasks" else "text"
    found = db.execute(f"SELECT {column} FROM {probe['table']} WHERE gid = ?", [probe["gid"]]).fetchone()
    return found is not None and found[0] == probe["name"]


# -- a storm ------------------------------------------------------------------------------------------


@dataclass
class Storm:
    """One storm over one mirror."""

    mode: str
    plan: Plan
    office: Office
    mirror: Path
    watching: Watching
    held: list[dict[str, float]] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)  # after kills

    @property
    def every_s(self) -> float:
        return self.plan.every_s or EVERY_S[self.mode]

    def run(self) -> dict[str, Any]:
        with self.watching.running():
            self._await_first()
            before, first_run = self.office.do("state"), self._newest()
            probes = Probes(self.office, self.mirror)
            with probes.going_on() if self.mode != KILLS else contextlib.nullcontext():
                self.office.do("begin", per_second=self.plan.rate)
                (self._kill_now_and_then if self.mode == KILLS else self._measure_now_and_then)()
                edits = self.office.do("end")
                runs = self._runs(first_run)
                probes.wait_for_all(self._patience_s())
            quiet_after_s = self._await_quiet()
            self._measure()
            after = self.office.do("state")
            code, ended_after_s = self.watching.end()
        return {
            "mode": self.mode,
            "every_s": self.every_s,
            "edits": edits,
            "probes": probes.as_json(),
            "runs": runs,
            "runs_on_file": self._ask("SELECT count(*) FROM sync_runs")[0],
            "requests_a_change": round((after["requests"] - before["requests"]) / edits["made"], 2),
            "held": self.held,
            "office": after,
            "quiet_after_s": quiet_after_s,
            "ended": {"code": code, "seconds": round(ended_after_s, 2)},
            "complaints": dict(self.watching.complaints().most_common(20)),
            "unsound_after_kills": self.unsound,
            "compared": self._compared(),
        }

    def _patience_s(self) -> float:
        return QUIET_WITHIN_S + 3 * self.every_s

    def _ask(self, sql: str, *values: Any) -> Any:
        with closing(sqlite3.connect(f"file:{self.mirror}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql, values).fetchone()

    # -- before ---------------------------------------------------------------------------------------

    def _await_first(self) -> None:
        deadline = time.monotonic() + BEGIN_WITHIN_S
        while not self._has_begun():
            if time.monotonic() > deadline:
                raise Broken(f"The watch did not begin: {self.watching.complaints()}")
            assert self.watching.pid
            time.sleep(0.1)

    def _has_begun(self) -> bool:
        try:
            (complete,) = self._ask("SELECT count(*) FROM sync_runs WHERE outcome = 'complete'")
            (active,) = self._ask("SELECT count(*) FROM sync_webhooks WHERE state = 'active'")
        except sqlite3.OperationalError:  # no file yet, or no tables
            return False
        return complete > 0 and (self.mode == POLLING or active >= self.office.projects)

    # -- meanwhile ------------------------------------------------------------------------------------

    def _measure_now_and_then(self) -> None:
        for share in (0.25, 0.75):  # at a quarter, and at the end
            time.sleep(self.plan.seconds * share)
            self._measure()

    def _measure(self) -> None:
        pid = self.watching.pid
        self.held.append({"resident_mb": resident_mb(pid), "open_files": open_files(pid)})

    def _kill_now_and_then(self) -> None:
        chance = random.Random(self.plan.seed)
        began = time.monotonic()
        for at_s in sorted(chance.uniform(0, self.plan.seconds) for _ in range(self.plan.kills)):
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            self.watching.kill()
            self.unsound += _unsound(self.mirror)
            self.watching.begin()
        time.sleep(max(0.0, began + self.plan.seconds - time.monotonic()))

    # -- after ----------------------------------------------------------------------------------------

    def _await_quiet(self) -> float | None:
        """Seconds until a whole tick came to its end and nothing changed for a while; None where it did not."""
        began, marks = time.monotonic(), (self._newest(), self._newest_change())
        changed_at = began
        while (now := time.monotonic()) - began < self._patience_s():
            assert self.watching.pid
            (ticks,) = self._ask(
                "SELECT count(*) FROM sync_runs WHERE id > ? AND mode <> ? AND outcome = 'complete'",
                marks[0],
                NEWS,
            )
            newest = self._newest_change()
            if newest != marks[1]:
                marks, changed_at = (marks[0], newest), now
            if ticks and now - changed_at > QUIET_S and not self._waits():
                return round(now - began, 1)
            time.sleep(0.2)
        return None

    def _waits(self) -> bool:
        (waiting,) = self._ask("SELECT count(*) FROM sync_deliveries")
        return bool(waiting or self.office.do("state")["waiting"])

    def _newest(self) -> int:
        return self._ask("SELECT coalesce(max(id), 0) FROM sync_runs")[0]

    def _newest_change(self) -> int:
        sql = (
            "SELECT coalesce(max(id), 0) FROM sync_runs WHERE rows_inserted + rows_updated + rows_deleted > 0"
        )
        return self._ask(sql)[0]

    def _runs(self, after: int) -> dict[str, Any]:
        """By mode and outcome how many, and how long the middle one and the longest took."""
        sql = (
            "SELECT mode, coalesce(outcome, 'unfinished'), (julianday(ended_at) - julianday(started_at)) * 86400 "
            "FROM sync_runs WHERE id > ?"
        )
        lengths: dict[str, list[float]] = {}
        with closing(sqlite3.connect(f"file:{self.mirror}?mode=ro", uri=True, timeout=30)) as db:
            for mode, outcome, seconds in db.execute(sql, [after]):
                lengths.setdefault(f"{mode} {outcome}", []).append(seconds or 0.0)
        return {
            name: {
                "runs": len(seconds),
                "median_s": round(statistics.median(seconds), 2),
                "longest_s": round(max(seconds), 2),
            }
            for name, seconds in sorted(lengths.items())
        }

    def _compared(self) -> dict[str, Any]:
        """After the watch alone; after one ordinary run."""
        told = {"watch": self._compare()}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "asana_mirror", "sync", str(self.mirror)),
                *("--base-url", self.office.base_url, "--rpm", "0", "--json"),
            ],
            env=_environment(self.office),
            capture_output=True,
            text=True,
            timeout=SYNC_WITHIN_S,
        )
        if done.returncode:
            raise Broken(f"The ordinary run ended with {done.returncode}: {done.stderr[-2000:]}")
        return {**told, "ordinary": {**self._compare(), "report": json.loads(done.stdout)}}

    def _compare(self) -> dict[str, Any]:
        found: dict[str, Any] = self.office.do("compare", mirror=str(self.mirror), lag=True, within_s=600)
        return found


def _unsound(mirror: Path) -> list[str]:
    """What SQLite itself finds wrong with a file that a killed process left behind."""
    with closing(sqlite3.connect(mirror, timeout=30)) as db:
        found = [line for (line,) in db.execute("PRAGMA integrity_check") if line != "ok"]
        return found + [f"foreign key: {line}" for line in db.execute("PRAGMA foreign_key_check")]


def storm(mode: str, plan: Plan) -> dict[str, Any]:
    """All that was seen of one."""
    world = {"tasks": plan.tasks, "projects": plan.projects, "seed": plan.seed}
    limits = {"latency_s": plan.latency_s}
    with (
        office_beside(world, seed=plan.seed, limits=limits) as office,
        tempfile.TemporaryDirectory() as folder,
    ):
        mirror = Path(folder) / "asana.db"
        every_s = plan.every_s or EVERY_S[mode]
        watching = Watching(office, mirror, every_s, plan.rpm, hooked=mode != POLLING)
        return Storm(mode, plan, office, mirror, watching).run()


# -- what is told -------------------------------------------------------------------------------------


def figures(told: dict[str, Any], plan: Plan) -> list[Figure]:
    mode, compared = told["mode"], told["compared"]
    unsound = [*told["unsound_after_kills"], *(line for one in compared.values() for line in one["unsound"])]
    found = [
        Figure(f"{mode}: changes a second", told["edits"]["rate"], at_least=0.9 * plan.rate),
        *_latencies(told),
        Figure(f"{mode}: requests a change", told["requests_a_change"]),
        Figure(f"{mode}: runs on file", told["runs_on_file"], note=_listed(told["runs"])),
        Figure(f"{mode}: differences after the watch alone", compared["watch"]["differences"]),
        Figure(f"{mode}: those of which streams told", compared["watch"]["told"], at_most=0),
        Figure(f"{mode}: differences after one run", compared["ordinary"]["differences"], at_most=0),
        Figure(f"{mode}: what SQLite finds wrong with the file", len(unsound), at_most=0),
        Figure(f"{mode}: exit code of the watch", told["ended"]["code"], at_most=0),
        Figure(f"{mode}: complaints in its log", sum(told["complaints"].values())),
    ]
    for name, unit in (("resident_mb", "MB"), ("open_files", "")):
        held = [point[name] for point in told["held"]]
        note = "at a quarter, at the end, when quiet: " + ", ".join(f"{one:g}" for one in held)
        found.append(Figure(f"{mode}: {name}", held[-1], unit, note=note))
    return found


def _latencies(told: dict[str, Any]) -> Iterator[Figure]:
    mode, probes = told["mode"], told["probes"]
    if mode == KILLS or "median_s" not in probes:
        return
    longest_s = max((one["longest_s"] for one in told["runs"].values()), default=0.0)
    tick_s = max(told["every_s"], longest_s) + longest_s  # one tick, and the run that begins with it
    yield Figure(
        f"{mode}: median from change to mirror",
        probes["median_s"],
        "s",
        at_most=SOON_S if mode == WEBHOOKS else tick_s,
    )
    yield Figure(f"{mode}: p95", probes["p95_s"], "s")
    yield Figure(f"{mode}: max", probes["max_s"], "s", at_most=tick_s if mode == POLLING else None)
    note = f"of {probes['made']}; {probes['overtaken']} were undone by other changes"
    yield Figure(f"{mode}: probes that never came", probes["never_seen"], at_most=0, note=note)


def _listed(runs: dict[str, Any]) -> str:
    return ", ".join(
        f"{one['runs']} {name} ({one['median_s']:g} s, at most {one['longest_s']:g} s)"
        for name, one in runs.items()
    )


def measure(quick: bool) -> list[Figure]:
    plan = Plan(**QUICK) if quick else Plan()  # type: ignore[arg-type]
    return [figure for mode in (WEBHOOKS, POLLING) for figure in figures(storm(mode, plan), plan)]


def _chosen() -> tuple[list[str], Plan, Path | None]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = (WEBHOOKS, POLLING, KILLS)
    parser.add_argument("--only", nargs="+", choices=modes, default=modes)
    parser.add_argument("--seconds", type=float, help="of each storm")
    parser.add_argument("--rate", type=float, help="changes a second")
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--projects", type=int)
    parser.add_argument("--kills", type=int)
    parser.add_argument(
        "--every-s", type=float, help="between ticks, instead of 60 with webhooks and else 10"
    )
    parser.add_argument("--rpm", type=float, help="the watch's own; 0 is no limit")
    parser.add_argument("--latency-s", type=float, help="of the sandbox")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--quick", action="store_true", help="half a minute each, in a smaller world")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was seen here")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    only, file, quick = given.pop("only"), given.pop("json", None), given.pop("quick")
    return list(only), Plan(**{**(QUICK if quick else {}), **given}), file


def main() -> int:
    only, plan, file = _chosen()
    end_in_good_order_when_told()
    everything, reached = [], True
    for mode in only:
        told = storm(mode, plan)
        found = figures(told, plan)
        for figure in found:
            say(row(figure))
        for name, one in told["compared"].items():
            shown = "told_shown" if name == "watch" else "shown"
            for line in [*one[shown], *one["unsound"]]:
                say(f"    {name}: {line}\n")
        for complaint, times in list(told["complaints"].items())[:5]:
            say(f"    {times} × {complaint[:400]}\n")
        everything.append({**told, "figures": [figure.as_json() for figure in found]})
        reached &= all(figure.reached is not False for figure in found)
    if file:
        text = json.dumps({"plan": asdict(plan), "storms": everything}, indent=1, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
