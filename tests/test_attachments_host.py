"""A host of files that does wrong: nothing of it is taken for a whole file, and the token never goes there."""

from __future__ import annotations

import signal
import time
from typing import Any

import httpx
import pytest
from pulls import (
    Filed,
    Host,
    begin_pull,
    one_of,
    report_of,
    rows_written,
    says,
    sends,
    served,
    stalls_after,
    start,
    until,
    without_ranges,
)
from pulls import here as here
from pulls import made as made
from truth import unsound
from worlds import rows

from asana_mirror.errors import AsanaUnreachable, BadToken
from asana_mirror.sandbox import create_app, running
from asana_mirror.sandbox.downloads import etag_of


def test_the_token_goes_to_no_other_host(here: Filed) -> None:
    gid = one_of(here)
    elsewhere = Host(create_app(here.world))
    elsewhere.wrong = [sends(here.content(gid))]
    with served(here), running(elsewhere) as other:
        here.host.wrong = [says(302, location=f"{other.removesuffix('/api/1.0')}/download/1?x=1")]
        assert here.pull().downloaded == 1
    assert here.is_whole(gid)
    for headers in (*here.host.asked, *elsewhere.asked):
        assert not {"authorization", "cookie", "referer", "proxy-authorization"} & set(headers)
        assert here.world.token not in str(headers)
    assert len(elsewhere.asked) == 1


@pytest.mark.parametrize(
    ("location", "status", "said"),
    [
        ("file:///etc/passwd", 302, "not with https"),
        ("ftp://files.example/x", 301, "not with https"),
        ("gopher:", 303, "not with https"),
        ("/download/1", 307, "circles"),
    ],
)
def test_redirects_lead_to_no_other_kind_of_place(here: Filed, location: str, status: int, said: str) -> None:
    gid = one_of(here)
    here.host.wrong = [says(status, location=location)] * 8
    assert here.pull().refused == 1
    assert said in here.row(gid)["message"]
    assert here.parts() == []


def test_from_an_api_by_https_nothing_leads_to_plain_http(here: Filed) -> None:
    gid = one_of(here)
    here.url = "https://asana.test/api/1.0"
    here.host.wrong = [says(302, location="http://asana.test/download/1")]
    assert here.pull().refused == 1
    assert "begins with 'http'" in here.row(gid)["message"]


@pytest.mark.parametrize("status", [403, 410])
def test_an_expired_address_is_read_again_once(here: Filed, status: int) -> None:
    gid = one_of(here)
    here.host.wrong = [says(status)]
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)
    assert here.host.lookups == 2
    here.file(gid).unlink()
    here.host.wrong = [says(status)] * 9
    report = here.pull()
    assert (report.refused, here.host.lookups, len(here.host.wrong)) == (1, 4, 7)
    assert (here.row(gid)["status"], here.row(gid)["failures"]) == (status, 1)


def test_an_address_really_expires(here: Filed) -> None:
    gid, now = one_of(here), time.time()
    app = create_app(here.world)
    with running(app) as url, httpx.Client() as client:
        auth = {"Authorization": f"Bearer {here.world.token}"}
        answer = client.get(f"{url}/attachments/{gid}?opt_fields=download_url", headers=auth)
        address = answer.json()["data"]["download_url"]
        assert address.startswith(url.removesuffix("/api/1.0"))
        assert client.get(address).content == here.content(gid)
        part = client.get(address, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, here.content(gid)[10:20])
        other = client.get(address, headers={"Range": "bytes=10-19", "If-Range": '"other"'})
        assert (other.status_code, len(other.content)) == (200, 1000)
        assert client.get(address, headers={"Range": "bytes=1000-"}).status_code == 416
        assert client.get(address, headers=auth).status_code == 400
        assert client.get(address.replace("expires=", "expires=9")).status_code == 403
        here.world.clock = lambda: now + 125
        try:
            assert client.get(address).status_code == 403
        finally:
            here.world.clock = time.time


def test_what_breaks_off_is_gone_on_with(here: Filed) -> None:
    gid = one_of(here)
    content = here.content(gid)
    with served(here):
        etag = '"v"'
        here.host.wrong = [sends(content[:400], announced=1000, etag=etag)]  # the server hangs up
        report = here.pull()
    assert (report.downloaded, report.resumed) == (1, 0), "another version of it began anew"
    assert here.host.asked[1]["range"] == "bytes=400-"
    assert here.host.asked[1]["if-range"] == etag
    assert here.is_whole(gid)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_completed_or_begun_anew(here: Filed, ranges: bool) -> None:
    gid = one_of(here, size=200_000)
    with served(here):
        here.host.wrong = [stalls_after(150_000)]
        child = begin_pull(here)
        until(lambda: here.host.sent >= 150_000)
        time.sleep(0.2)
        began = time.monotonic()
        child.send_signal(signal.SIGINT if ranges else signal.SIGTERM)
        _, told = child.communicate(timeout=10)
        assert (child.returncode, time.monotonic() - began < 6) == (130 if ranges else 143, True)
        assert "Traceback" not in told
        assert "hint:" in told
        assert (here.row(gid)["sha256"], here.row(gid)["part_bytes"]) == (None, 150_000)
        assert [file.stat().st_size for file in here.parts()] == [150_000]
        here.host.wrong = [] if ranges else [without_ranges]
        report = here.pull()
    assert (report.downloaded, report.resumed) == (1, int(ranges))
    assert report.bytes == (50_000 if ranges else 200_000)
    assert here.is_whole(gid)
    assert here.parts() == []


def test_killed_at_any_moment_the_next_pull_goes_on(here: Filed) -> None:
    gid = one_of(here, size=40_000_000)
    with served(here):
        here.host.wrong = [stalls_after(36_000_000)]
        child = begin_pull(here)
        until(lambda: here.host.sent >= 36_000_000 and (here.row(gid) or {"part_bytes": 0})["part_bytes"])
        time.sleep(0.3)
        child.kill()
        child.communicate()
        assert here.row(gid)["sha256"] is None
        safe = here.row(gid)["part_bytes"]
        assert 30_000_000 < safe < 36_000_000
        report = report_of(begin_pull(here))
        assert (report["downloaded"], report["resumed"]) == (1, 1)
        assert report["bytes"] == 40_000_000 - safe
    assert here.is_whole(gid)
    assert unsound(here.path) == []


def test_a_part_that_is_not_what_it_was_is_not_gone_on_with(here: Filed) -> None:
    """Shorter than was noted, without a version, or all of it: the host decides."""
    gid = one_of(here)
    for damage in ("shorter", "unnamed", "all", "lost", "longer"):
        here.host.wrong = [sends(here.content(gid)[:600])] * 4  # no version is named
        report = here.pull()
        assert (report.unreachable, report.downloaded) == (1, 0)
        (part,) = here.parts()
        etag = None if damage == "unnamed" else '"wrong"' if damage == "longer" else '"x"'
        with rows_written(here.path) as db:
            size = 1000 if damage == "all" else 600
            db.execute("UPDATE attachment_files SET validator = ?, part_bytes = ?", [etag, size])
        if damage == "lost":
            part.unlink()
        else:
            part.write_bytes(here.content(gid)[: {"shorter": 10, "all": 1000}.get(damage, 600)] + b"junk")
        assert here.pull().downloaded == 1
        assert here.is_whole(gid)
        here.file(gid).unlink()


def test_a_part_that_lacks_nothing_but_its_name_costs_one_byte(here: Filed) -> None:
    """Killed after the last byte: the host says whether it is still that version."""
    gid = one_of(here)
    here.host.wrong = [sends(here.content(gid)[:600])] * 4
    here.pull()
    (part,) = here.parts()
    part.write_bytes(here.content(gid))
    rec = here.world.attachment(gid)
    assert rec is not None
    with rows_written(here.path) as db:
        etag = etag_of(here.world, rec)
        db.execute("UPDATE attachment_files SET validator = ?, part_bytes = 1000", [etag])
    report = here.pull()
    assert (report.downloaded, report.resumed, report.bytes) == (1, 1, 1)
    assert here.is_whole(gid)


@pytest.mark.parametrize(
    ("told", "etag"),
    [
        *(
            (told, '"v"')
            for told in ("bytes 0-999/1000", "bytes 500-999/1000", "bytes 600-700/1000", "nonsense")
        ),
        ("bytes 600-999/1000", '"of another version"'),
    ],
)
def test_a_host_that_sends_another_part_spoils_nothing(here: Filed, told: str, etag: str) -> None:
    gid = one_of(here)
    part = sends(here.content(gid)[:600], etag='"v"')

    async def wrongly(host: Host, scope: Any, receive: Any, send: Any) -> None:
        await start(send, 206, content_range=told, etag=etag)
        await host.piece(send, b"w" * 400, more=False)

    here.host.wrong = [part, wrongly]
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)
    here.file(gid).unlink()
    here.host.wrong = [part, says(416)]
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)


def test_too_little_is_never_taken_for_whole(here: Filed) -> None:
    gid = one_of(here)
    here.host.wrong = [sends(here.content(gid)[:999])] * 4
    report = here.pull()
    assert (report.unreachable, report.downloaded) == (1, 0)
    assert "broke off after 999 of 1,000" in here.row(gid)["message"]
    assert here.row(gid)["sha256"] is None


@pytest.mark.parametrize("announced", [999, 1001])
def test_a_length_that_asana_does_not_tell_is_refused_before_a_byte(here: Filed, announced: int) -> None:
    gid = one_of(here)
    here.host.wrong = [sends(b"x" * announced, announced=announced)]
    assert here.pull().refused == 1
    assert "announces" in here.row(gid)["message"]
    assert here.parts() == []
    assert here.pull().downloaded == 1
    assert here.row(gid)["failures"] == 0


def test_too_much_is_stopped_and_thrown_away(here: Filed) -> None:
    gid = one_of(here, size=100_000)
    with served(here):
        here.host.wrong = [sends(here.content(gid), forever=True)]
        report = here.pull()
        assert report.refused == 1
        assert report.bytes < 1_000_000
    assert "sends more" in here.row(gid)["message"]
    assert here.parts() == []


@pytest.mark.parametrize("served_really", [True, False])
def test_max_size_holds_whatever_is_announced(here: Filed, served_really: bool) -> None:
    gid = one_of(here, size=None)  # type: ignore[arg-type]
    with rows_written(here.path) as db:
        db.execute("UPDATE attachments SET size = NULL")
    here.host.wrong = [sends(b"x" * 10, forever=True)]
    if served_really:
        with served(here):
            report = here.pull(max_bytes=50_000)
    else:
        report = here.pull(max_bytes=50_000)
    assert (report.too_large, report.refused) == (1, 0)
    assert "--max-size" in here.row(gid)["message"]
    assert here.parts() == []


def test_what_asana_refuses_is_noted_and_no_error(here: Filed) -> None:
    gone, forbidden, *_ = here.hosted
    here.world.refuse(gone, 404)
    here.world.refuse(forbidden, 403)
    try:
        with served(here):
            report = report_of(begin_pull(here))
            assert {one["status"] for one in report["not_had"]} == {403, 404}
            report = report_of(begin_pull(here))
    finally:
        here.world.allow(gone)
        here.world.allow(forbidden)
    assert (report["refused"], report["here"]) == (2, len(here.hosted) - 2)
    assert (here.row(gone)["status"], here.row(gone)["failures"]) == (404, 2)
    assert here.pull().downloaded == 2


def test_a_host_in_trouble_is_asked_again(here: Filed) -> None:
    gid = one_of(here)
    here.host.wrong = [says(503), says(429, retry_after="0"), says(500)]
    assert here.pull().downloaded == 1
    assert here.is_whole(gid)
    here.file(gid).unlink()
    here.host.wrong = [says(429, retry_after="3600")]
    assert here.pull(within_s=5).unreachable == 1


def test_when_no_file_comes_any_more_it_is_the_host(here: Filed) -> None:
    here.host.wrong = [says(500)] * 1000
    with pytest.raises(AsanaUnreachable, match="500"):
        here.pull()
    assert len(here.host.asked) < 60
    assert unsound(here.path) == []


def test_without_asana_or_a_token_it_says_so_and_notes_nothing(here: Filed) -> None:
    here.url = "http://127.0.0.1:9/api/1.0"
    with pytest.raises(AsanaUnreachable):
        here.pull()
    with served(here):
        here.url = here.url.replace("/api/1.0", "/nothing")
        with pytest.raises((AsanaUnreachable, BadToken)):
            here.pull()
    assert rows(here.path, "SELECT * FROM attachment_files") == []
