"""What those who watch over a mirror are answered: health, metrics, and nothing that is secret."""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
import subprocess
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import httpx
import pytest
from test_browse import make_mirror, read
from test_browse import served as served
from test_health import add_run, add_stream, path, write

from asana_mirror import operation as module
from asana_mirror.browse.open_mirror import _allowed, connect_read_only
from asana_mirror.health import read_health
from asana_mirror.metrics import CONTENT_TYPE, fresh_totals, metrics_text
from asana_mirror.operation import Operation, with_operation
from asana_mirror.receiver import COUNTED

__all__ = ["path"]  # a fixture

SECRET = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
HEALTH, METRICS = "/-/asana/health", "/-/asana/metrics"

# -- metrics ------------------------------------------------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Series:
    """Strictly: each family once and in one piece, HELP and TYPE before it, every sample well-formed and once."""
    assert text.endswith("\n")
    found: Series = {}
    helped: set[str] = set()
    kinds: dict[str, str] = {}
    current = ""
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            name, words = line.removeprefix("# HELP ").split(" ", 1)
            assert name not in helped
            assert words
            helped.add(name)
            current = name
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == current
            assert name not in kinds
            assert kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, number = match.groups()
            assert name == current
            assert name in kinds
            assert not math.isnan(float(number))
            series = (name, _labels(labels or ""))
            assert series not in found
            found[series] = float(number)
    return found


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, text
        labels.append((match[1], match[2]))
        at = match.end()
    assert len(dict(labels)) == len(labels)
    return tuple(labels)


def test_everything_that_is_known_is_told(path: Path) -> None:
    add_run(path, 600)
    add_stream(path, "p", 300)
    totals = {**fresh_totals(), "runs complete": 3, "requests": 12_345, "refused": 2, "seconds_waited": 1.5}
    counts = {**dict.fromkeys(COUNTED, 0), "accepted": 7}
    found = parsed(metrics_text(read_health(path, max_age_s=900), totals, counts))
    told = {(name.removeprefix("asana_mirror_"), *labels): value for (name, labels), value in found.items()}
    assert told["healthy",] == 1
    assert told["age_seconds",] == pytest.approx(600, abs=30)
    assert told["oldest_stream_age_seconds",] == pytest.approx(300, abs=30)
    assert told["file_bytes",] == path.stat().st_size
    assert told["runs_total", ("outcome", "complete")] == 3
    assert told["runs_total", ("outcome", "failed")] == 0
    assert told["requests_total",] == 12_345
    assert told["requests_refused_total",] == 2
    assert told["seconds_waited_total",] == 1.5
    for name in ("rows_inserted_total", "rows_updated_total", "rows_deleted_total"):
        assert told[name,] == 0
    for name in ("unread_notices", "waiting_deliveries", "problems"):
        assert told[name,] == 0
    for state in ("active", "refused", "silent"):
        assert told["webhooks", ("state", state)] == 0
    assert {key for key in told if key[0] == "deliveries_total"} == {
        ("deliveries_total", ("result", name)) for name in COUNTED
    }
    assert told["deliveries_total", ("result", "accepted")] == 7


def test_what_is_not_known_is_left_out(path: Path) -> None:
    """Counters that nobody keeps, ages of what never was."""
    found = parsed(metrics_text(read_health(path, max_age_s=900), {}, {}))
    names = {name for name, _ in found}
    assert not {name for name in names if name.endswith("_total")}
    assert "asana_mirror_age_seconds" not in names
    assert found["asana_mirror_healthy", ()] == 0


def test_labels_are_quoted(path: Path) -> None:
    odd = 'a "quoted" \\ name\nand more'
    found = parsed(metrics_text(read_health(path, max_age_s=900), {f"runs {odd}": 1}, {odd: 2}))
    quoted = 'a \\"quoted\\" \\\\ name\\nand more'
    assert found["asana_mirror_runs_total", (("outcome", quoted),)] == 1
    assert found["asana_mirror_deliveries_total", (("result", quoted),)] == 2


# -- the answers --------------------------------------------------------------------------------------


def ask(app: Any, *paths: str, method: str = "GET") -> list[httpx.Response]:
    async def asking() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return [await client.request(method, one) for one in paths]

    return asyncio.run(asking())


def test_health_is_told_by_status_and_json(path: Path) -> None:
    operation = Operation(path, max_age_s=lambda: 900)
    (answer,) = ask(operation, HEALTH)
    assert answer.status_code == 503
    assert answer.json()["healthy"] is False
    add_run(path, 600)
    (answer,) = ask(operation, HEALTH)
    assert answer.status_code == 200
    assert answer.json()["max_age_s"] == 900
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_metrics_are_read_anew_for_each_answer(path: Path) -> None:
    totals = fresh_totals()
    counts = {"accepted": 0}
    operation = Operation(path, totals=totals, counts=counts)
    for number in (1, 2):
        totals["requests"] = counts["accepted"] = number
        (answer,) = ask(operation, METRICS)
        assert answer.status_code == 200  # of an unhealthy mirror, too
        assert answer.headers["content-type"] == CONTENT_TYPE
        found = parsed(answer.text)
        assert found["asana_mirror_requests_total", ()] == number
        assert found["asana_mirror_deliveries_total", (("result", "accepted"),)] == number


def test_anything_else_is_not_found(path: Path) -> None:
    answers = ask(Operation(path), "/", "/-/asana/", "/-/asana/healthy", "/-/asana/health/", "/-/health")
    answers += ask(Operation(path), HEALTH, METRICS, method="POST")
    assert {answer.status_code for answer in answers} == {404}


def test_head_is_answered_without_a_body(path: Path) -> None:
    add_run(path, 60)
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": HEALTH}
    asyncio.run(Operation(path)(scope, None, keep))  # type: ignore[arg-type]
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"")
    assert int(dict(sent[0]["headers"])[b"content-length"]) > 100


@pytest.mark.parametrize("where", [HEALTH, METRICS])
def test_what_cannot_be_looked_into_is_unavailable(tmp_path: Path, where: str) -> None:
    (answer,) = ask(Operation(tmp_path / "no.db"), where)
    assert answer.status_code == 503
    assert answer.json()["healthy"] is False
    assert "no mirror at" in answer.json()["why"][0]
    with patch.object(module, "read_health", side_effect=RuntimeError("of the inside")):
        (answer,) = ask(Operation(tmp_path / "no.db"), where)
    assert answer.status_code == 503
    assert answer.json() == {"healthy": False, "why": ["The mirror cannot be looked into: RuntimeError."]}


def test_a_slow_disk_keeps_nobody_else_waiting(path: Path) -> None:
    """Nor does it keep a thread for each who asks."""
    looked = 0
    let_go = threading.Event()

    def slowly(*_: Any, **__: Any) -> Mapping[str, Any]:
        nonlocal looked
        looked += 1
        assert let_go.wait(10)
        return {"healthy": True}

    async def asking() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(Operation(path)), base_url="http://here"
        ) as client:
            answers = [asyncio.create_task(client.get(HEALTH)) for _ in range(20)]
            for _ in range(20):
                await asyncio.sleep(0.005)  # the loop goes on meanwhile
            answers.pop().cancel()
            let_go.set()
            return await asyncio.gather(*answers)

    with patch.object(module, "read_health", slowly):
        assert {answer.status_code for answer in asyncio.run(asking())} == {200}
    assert looked == 1


def test_all_else_goes_to_the_application_beside_it(path: Path) -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["type"] if scope["type"] == "lifespan" else scope["path"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 418, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    both = with_operation(Operation(path), app)
    answers = ask(both, "/", "/-/asana", "/-/asanas/health", HEALTH)
    assert [answer.status_code for answer in answers] == [418, 418, 418, 503]
    asyncio.run(both({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert heard == ["/", "/-/asana", "/-/asanas/health", "lifespan"]


def test_serve_answers_beside_datasette(served: tuple[Path, str, subprocess.Popen[str]]) -> None:
    mirror, url, _ = served
    root = "/".join(url.split("/")[:3])
    add_run(mirror, 600)
    with httpx.Client() as client:
        health = client.get(root + HEALTH)
        assert (health.status_code, health.json()["max_age_s"]) == (200, 86400)
        found = parsed(client.get(root + METRICS).text)
        assert found["asana_mirror_healthy", ()] == 1
        assert not [name for name, _ in found if name.endswith("_total")]
        assert client.get(root + "/-/asana/else").status_code == 404
        assert client.get(url).status_code == 200
        assert client.get(root + "/-/versions.json").status_code == 200


# -- what is never shown ------------------------------------------------------------------------------


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    mirror = make_mirror(tmp_path / "asana.db")
    write(
        mirror,
        "INSERT INTO sync_webhooks (key, project_gid, target, secret, state, noted_at) "
        "VALUES ('k', 'p', 't', ?, 'active', '')",
        SECRET,
    )
    write(mirror, "CREATE VIEW shown AS SELECT key, secret AS said FROM sync_webhooks")
    return mirror


ASKED = [
    "select secret from sync_webhooks",
    "select * from sync_webhooks",
    "select SECRET from SYNC_WEBHOOKS as w",
    'select w."secret" from "sync_webhooks" w',
    "select said from shown",
    "with w as (select secret as s from sync_webhooks) select s from w",
    "select json_object('s', secret) from sync_webhooks",
    "select json_group_array(secret) from sync_webhooks",
    "select group_concat(secret) from sync_webhooks group by secret",
    "select max(secret), length(secret), hex(secret), substr(secret, 1, 3) from sync_webhooks",
    "select (select secret from sync_webhooks limit 1)",
    "select key from sync_webhooks where secret like 'b%'",
    "select key from sync_webhooks where secret is not null",
    "select a.key from sync_webhooks a join sync_webhooks b on a.secret = b.secret",
    "select key from sync_webhooks order by secret",
    "select secret from main.sync_webhooks union all select 'x'",
]


def test_the_secret_of_a_webhook_is_never_shown(hooked: Path) -> None:
    paths = [f".json?_shape=array&sql={quote(sql)}" for sql in ASKED]
    paths += [
        "/sync_webhooks.json?_shape=array",
        "/sync_webhooks",
        "/sync_webhooks.csv",
        "/sync_webhooks/k.json",
    ]
    paths += ["/sync_webhooks.json?_shape=array&_facet=secret", "/shown.json?_shape=array"]
    answers = read(hooked, *paths)
    for one, answer in zip(paths, answers, strict=True):
        assert answer.status_code == 200, (one, answer.text[:300])
        assert SECRET not in answer.text, one
        assert SECRET[:3] not in answer.text.replace(quote(one), ""), one
    said = [answer.json() for answer in answers[: len(ASKED)]]
    assert said[0] == [{"secret": None}]
    assert {"key": "k", "secret": None, "state": "active"}.items() <= said[1][0].items()
    assert said[4] == [{"said": None}]
    assert said[6] == [{"json_object('s', secret)": '{"s":null}'}]
    assert said[11] == said[12] == said[13] == []


def test_no_filter_guesses_it(hooked: Path) -> None:
    asked = ("secret__startswith=b", f"secret={SECRET}", "secret__notblank=1", "secret__gt=a")
    for answer in read(hooked, *(f"/sync_webhooks.json?_shape=array&{guess}" for guess in asked)):
        assert answer.json() == []


def test_the_program_itself_still_reads_it(hooked: Path) -> None:
    with closing(sqlite3.connect(hooked)) as db:
        assert db.execute("SELECT secret FROM sync_webhooks").fetchone() == (SECRET,)


def test_pages_as_they_lie_in_the_file_are_hidden_where_sqlite_offers_them() -> None:
    assert _allowed(sqlite3.SQLITE_READ, "sqlite_dbpage", "data", "main", None) == sqlite3.SQLITE_IGNORE
    assert _allowed(sqlite3.SQLITE_READ, "tasks", "name", "main", None) == sqlite3.SQLITE_OK
    assert _allowed(sqlite3.SQLITE_SELECT, None, None, None, None) == sqlite3.SQLITE_OK


def test_hiding_is_asked_for_when_a_query_begins_not_for_each_row(hooked: Path) -> None:
    asked = 0

    def counted(*arguments: Any) -> int:
        nonlocal asked
        asked += 1
        return _allowed(*arguments)

    with closing(connect_read_only(hooked)) as connection:
        connection.set_authorizer(counted)
        sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, key FROM n"
        assert len(connection.execute(f"{sql}, sync_webhooks").fetchall()) == 20_000
    assert 0 < asked < 50
