"""`watch` and `serve --watch` as people and service managers start them: signals, exit codes, the config file."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from truth import unsound
from watches import Office, Process, office
from worlds import is_alive, value

from asana_mirror import cli, watch_commands
from asana_mirror.ports import listen
from asana_mirror.sandbox import Limits, running
from asana_mirror.store import Mirror
from asana_mirror.store.opening import hold_to_watch
from asana_mirror.timetable import Times

LONG = ("--every", "1h")


@dataclass
class Desk:
    """A small world behind a port, and a folder in which its mirror is to lie."""

    there: Office
    folder: Path
    url: str

    def begin(self, command: str, *options: str, token: str | None = None) -> Process:
        return Process(
            self.there.world,
            self.folder,
            command,
            "mirror.db",
            "--base-url",
            self.url,
            "--rpm",
            "0",
            *options,
            token=token,
        )

    def ask(self, method: str, path: str, **fields: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.there.world.token}"}
        answer = httpx.request(method, self.url + path, headers=headers, json={"data": fields})
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def rename(self) -> None:
        self.there.changes += 1
        name = f"Renamed {self.there.changes}"
        self.ask("PUT", f"/tasks/{self.there.task['gid']}", name=name)
        self.there.renamed[self.there.task["gid"]] = name

    def run(self, *arguments: str, monkeypatch: pytest.MonkeyPatch, token: str | None = None) -> int:
        """A command in this process; its exit code."""
        monkeypatch.chdir(self.folder)
        for name in [name for name in os.environ if name.startswith("ASANA")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("ASANA_ACCESS_TOKEN", token or self.there.world.token)
        monkeypatch.setattr(sys, "argv", ["asana-mirror", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)


@contextmanager
def desk_with(folder: Path, limits: Limits | None = None, **shape: Any) -> Iterator[Desk]:
    there = office(folder, limits, **shape)
    with running(there.app) as url:
        yield Desk(there, folder, url)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_with(tmp_path, Limits(premium=False, hook_delay_s=0.05)) as made:
        yield made


def free_port() -> int:
    with listen("127.0.0.1", 0) as taken:
        return int(taken.getsockname()[1])


def answers(url: str) -> int:
    """The status, or 0 where nobody answers."""
    try:
        return httpx.get(url, timeout=1).status_code
    except httpx.TransportError:
        return 0


# -- what it is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["watch", "serve --watch"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cron", "61 * * * *"), "is no cron expression"),
        (("--cron", "0 0 31 2 *"), "never comes"),
        (("--every", "5m", "--cron", "0 * * * *"), "not by both"),
        (("--every", "0.5s"), "at least a second"),
        (("--every", "soon"), "is not a duration"),
        (("--jitter", "-5s"), "is not a duration"),
        (("--webhook-url", "ftp://here"), "is no address for webhooks"),
        (("--webhook-url", "https://here/a?b=c"), "is no address for webhooks"),
        (("--base-url", "here"), "is not the address of an API"),
        (("--port", "70000"), "70000"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(
    tmp_path: Path,
    command: str,
    options: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    desk = Desk(office(tmp_path), tmp_path, "http://127.0.0.1:9")
    name, *flags = command.split()
    assert desk.run(name, "mirror.db", *flags, *options, monkeypatch=monkeypatch) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 2)
    assert said in err
    assert err.splitlines()[1].startswith("  hint: ")
    assert list(tmp_path.iterdir()) == []


def test_beside_datasette_webhooks_need_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(office(tmp_path), tmp_path, "http://127.0.0.1:9")
    options = ("mirror.db", "--watch", "--webhook-url", "https://here.example.org")
    assert desk.run("serve", *options, monkeypatch=monkeypatch) == 2
    assert "https://here.example.org/asana" in capsys.readouterr().err


def test_a_token_that_is_refused_ends_it_with_3(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("watch", "mirror.db", "--base-url", desk.url, *LONG)
    assert desk.run(*options, token="2/wrong/token", monkeypatch=monkeypatch) == 3
    assert "ASANA_ACCESS_TOKEN" in capsys.readouterr().err
    assert not desk.there.path.exists()


def test_a_second_watch_ends_with_5(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold_to_watch(desk.there.path):
        for options in (("watch",), ("serve", "--watch", "--port", "0")):
            name, *flags = options
            ended = desk.run(name, "mirror.db", "--base-url", desk.url, *flags, monkeypatch=monkeypatch)
            assert ended == 5
            assert "Another watch keeps mirror.db in sync." in capsys.readouterr().err


def test_a_taken_port_ends_it_with_2(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        options = ("watch", "mirror.db", "--base-url", desk.url, "--port", port)
        assert desk.run(*options, monkeypatch=monkeypatch) == 2
    assert f"Port {port} of 127.0.0.1 is taken" in capsys.readouterr().err
    assert not desk.there.path.exists()


# -- a process, its signals and its logs --------------------------------------------------------------


@pytest.mark.parametrize("style", ["text", "json"])
def test_it_follows_changes_until_it_is_stopped(desk: Desk, style: str) -> None:
    there = desk.there
    with desk.begin("watch", "--every", "1s", "--log-format", style) as process:
        process.until(there.is_mirrored)
        for _ in range(2):
            desk.rename()
            process.until(there.is_told, 4)
        process.until(lambda: len(process.err) >= 3)
        assert process.end(signal.SIGTERM) == 0
    lines = "".join(process.err).splitlines()
    assert len(lines) >= 3
    if style == "json":
        told = [json.loads(line) for line in lines]
        assert {"first", "tick"} <= {line.get("mode") for line in told}
    else:
        assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines)
    assert there.is_equal()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_in_its_first_run_the_next_one_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    with desk_with(tmp_path, Limits(latency_s=0.1), tasks=60) as desk:
        there = desk.there
        with desk.begin("watch", "--every", "1s") as process:
            process.until(lambda: there.app.stats.requests > 40)
            ended = process.end(number)
        assert ended == (-number if number == signal.SIGKILL else 0)
        assert not there.is_mirrored()
        assert unsound(there.path, search=False) == []
        asked = there.app.stats.requests
        there.app.limits = Limits()
        assert there.sync().resumed
        assert asked < there.app.stats.requests < 2.2 * sum(there.world.pages_to_read().values())
        assert there.is_equal()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_in_a_tick_nothing_is_lost(desk: Desk, number: signal.Signals) -> None:
    there = desk.there
    with desk.begin("watch", "--every", "1s") as process:
        process.until(lambda: len(there.runs("tick")) >= 1)
        there.app.limits = Limits(latency_s=0.5, premium=False)
        desk.rename()
        process.until(lambda: there.runs()[-1]["ended_at"] is None)
        ended = process.end(number)
    assert ended == (-number if number == signal.SIGKILL else 0)
    assert unsound(there.path, search=False) == []
    there.app.limits = Limits()
    there.sync()
    assert there.is_told()
    assert there.is_equal()


def test_a_hangup_reads_the_config_file_again(desk: Desk) -> None:
    there, config = desk.there, desk.folder / "asana-mirror.toml"
    config.write_text('[watch]\nevery = "1h"\n')
    with desk.begin("watch") as process:
        process.until(there.is_mirrored)
        time.sleep(0.5)
        assert there.runs("tick") == []
        config.write_text(f'[watch]\nevery = "1s"\nexclude-project = "{there.project}"\n')
        process.process.send_signal(signal.SIGHUP)
        process.until(lambda: len(there.runs("tick")) >= 3)
        config.write_text('[watch]\nevry = "1s"\n')
        process.process.send_signal(signal.SIGHUP)
        process.until(lambda: process.has_said("the old one still holds"))
        assert process.has_said("watch.evry")
        ticks = len(there.runs("tick"))
        process.until(lambda: len(there.runs("tick")) >= ticks + 2)
        assert process.end() == 0
    opened = Mirror(there.path)
    assert opened.excluded.outside("projects", [there.project]) == []
    opened.close()


@pytest.mark.parametrize(
    ("flags", "every_s", "cron"),
    [
        ((), 300.0, "0 5 * * *"),
        (("--every", "2m"), 120.0, None),
        (("--cron", "0 6 * * *"), 300.0, "0 6 * * *"),
    ],
)
def test_what_the_command_line_says_of_times_stands_for_what_the_file_says(
    tmp_path: Path, flags: tuple[str, ...], every_s: float, cron: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Times] = []
    monkeypatch.setattr(watch_commands, "_watch", lambda wanted, *_, **__: told.append(wanted.times))
    (tmp_path / "asana-mirror.toml").write_text('[watch]\ncron = "0 5 * * *"\n')
    desk = Desk(office(tmp_path), tmp_path, "http://127.0.0.1:9")
    assert desk.run("watch", "mirror.db", *flags, monkeypatch=monkeypatch) == 0
    assert told == [Times(every_s, cron)]


def test_another_file_in_its_place_ends_it_with_2(desk: Desk) -> None:
    there = desk.there
    Mirror(desk.folder / "spare.db").close()
    with desk.begin("watch", *LONG) as process:
        process.until(lambda: process.has_said("first: "))
        put_there = (desk.folder / "spare.db").read_bytes()
        (desk.folder / "spare.db").replace(there.path)
        assert process.end(None) == 2
    assert "was replaced or removed while it was watched." in process.err[-2]
    assert process.err[-1].startswith("  hint: ")
    assert there.path.read_bytes() == put_there


# -- webhooks -----------------------------------------------------------------------------------------


def begin_hooked(desk: Desk, command: str, *options: str) -> tuple[Process, str]:
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    hooks = ("--webhook-url", f"{here}/asana", "--port", str(port))
    return desk.begin(command, *LONG, *hooks, *options), here


def has_webhooks(desk: Desk) -> bool:
    hooks = value(desk.there.path, "SELECT count(*) FROM sync_webhooks WHERE state = 'active'")
    return int(hooks) == len(desk.there.world.inside["project", desk.there.world.workspaces[0]])


def is_ready(desk: Desk) -> Callable[[], bool]:
    there = desk.there
    return lambda: there.is_mirrored() and has_webhooks(desk) and bool(there.runs("news"))


def test_webhooks_tell_it_and_are_removed_at_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    there = desk.there
    process, here = begin_hooked(desk, "watch")
    with process:
        process.until(is_ready(desk))
        desk.rename()
        process.until(there.is_told, 2)
        assert there.runs("tick") == []
        assert answers(f"{here}/-/asana/health") == 200
        forget = ("watch", "mirror.db", "--base-url", desk.url, "--forget")
        assert desk.run(*forget, monkeypatch=monkeypatch) == 5
        assert process.end() == 0
    assert len(list(there.world.hooks)) == len(there.world.inside["project", there.world.workspaces[0]])
    assert desk.run(*forget, monkeypatch=monkeypatch) == 0
    assert list(there.world.hooks) == []
    assert value(there.path, "SELECT count(*) FROM sync_webhooks") == 0
    assert there.is_equal()


# -- beside Datasette ---------------------------------------------------------------------------------


def test_one_process_browses_and_watches(tmp_path: Path) -> None:
    """Also before there is a mirror: it answers once the first run has made it."""
    with desk_with(tmp_path, Limits(premium=False, hook_delay_s=0.05, latency_s=0.02)) as desk:
        there = desk.there
        process, here = begin_hooked(desk, "serve", "--watch")
        with process:
            process.until(lambda: answers(f"{here}/") == 200)
            process.until(lambda: there.is_mirrored() and answers(f"{here}/-/asana/health") == 200)
            process.until(is_ready(desk))
            desk.rename()
            process.until(there.is_told, 3)
            gid = there.task["gid"]
            page = httpx.get(f"{here}/mirror/tasks.json", params={"gid": gid, "_shape": "array"}).json()
            assert page[0]["name"] == there.task["name"]
            assert httpx.get(f"{here}/mirror/tasks/{gid}").status_code == 200
            assert httpx.get(f"{here}/-/versions.json").json()["datasette"]
            assert f"Browse mirror.db at {here}/mirror" in "".join(process.out)
            with httpx.Client() as client:
                client.get(f"{here}/")  # a connection that is kept alive
                assert process.end(signal.SIGTERM) == 0
        assert is_alive(there.path, "tasks", gid)
        assert there.is_equal()


def test_beside_datasette_other_options_of_a_watch_count_for_nothing_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --watch, `serve` asks nothing of Asana and makes no mirror."""
    asked = desk.there.app.stats.requests
    assert desk.run("serve", "mirror.db", "--every", "1s", monkeypatch=monkeypatch) == 2
    assert "There is no mirror" in capsys.readouterr().err
    assert desk.there.app.stats.requests == asked
