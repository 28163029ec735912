"""What is logged: a line for each thing, as text or JSON, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any, Literal

import pytest

from asana_mirror.ending import current_run
from asana_mirror.logs import BLANK, NAME, set_up

TOKEN = "2/1204/1205:0123456789abcdef\\'\"ü"
Style = Literal["text", "json"]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger = logging.getLogger(NAME)
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


def logged(style: Style, *, debug: bool = False) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    return set_up(style, stream, secrets=[TOKEN, ""], debug=debug), stream


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_text_names_the_moment_and_the_run() -> None:
    logger, stream = logged("text")
    logger.info("It begins.")
    logger.info("%s pages", 3, extra={"run": 12})
    first, second = stream.getvalue().splitlines()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"{moment}  It begins\.", first)
    assert re.fullmatch(rf"{moment} run 12  3 pages", second)


def test_json_is_one_object_a_line() -> None:
    logger, stream = logged("json")
    logger.warning("two\nlines", extra={"fields": {"requests": 7, "places": ("a", 1), "message": "mine"}})
    (told,) = objects(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "warning",
        "message": "two\nlines",
        "run": None,
        "requests": 7,
        "places": ["a", 1],
    }


def test_the_current_run_is_named_in_its_context_only() -> None:
    logger, stream = logged("json")

    def inside() -> None:
        current_run.set(5)
        logging.getLogger("asana_mirror.below").info("within")
        logger.info("another", extra={"run": 6})

    copy_context().run(inside)
    logger.info("outside")
    assert [told["run"] for told in objects(stream)] == [5, 6, None]


def test_exceptions_are_told_in_a_line_and_whole_when_debugging() -> None:
    for debug in (False, True):
        for style in ("text", "json"):
            logger, stream = logged(style, debug=debug)  # type: ignore[arg-type]
            try:
                raise ValueError("no such page")
            except ValueError:
                logger.exception("A run failed")
            said = stream.getvalue()
            assert "ValueError" in said
            assert "no such page" in said
            assert ("Traceback" in said) is debug
            if style == "json":
                (told,) = objects(stream)
                assert told["error"]["type"] == "ValueError"
            elif not debug:
                assert said.endswith("A run failed (ValueError: no such page)\n")


class Telling:
    """Shows the token only when it is turned into text."""

    def __str__(self) -> str:
        return f"Bearer {TOKEN}"

    __repr__ = __str__


class Careless(Exception):
    def __str__(self) -> str:
        return f"401 for {TOKEN}"


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_secret_never_comes_out(style: Style, debug: bool) -> None:
    logger, stream = logged(style, debug=debug)
    logger.info("token %s", TOKEN)
    logger.info(f"token {TOKEN} and %r", {"Authorization": TOKEN})
    logger.info("https://app.asana.com/?token=2%2F1204%2F1205%3A0123456789abcdef%5C%27%22%C3%BC")
    logger.info("%r", TOKEN.encode())
    logger.info("%(header)s", {"header": Telling()})
    logger.info("no number: %d", TOKEN)  # wrongly called: logging itself would print the arguments
    logger.info("", extra={"fields": {TOKEN: {"deep": [Telling(), TOKEN.encode(), (TOKEN,)]}}})
    logger.info(json.dumps({"sent": TOKEN}))
    try:
        try:
            raise Careless
        except Careless as error:
            raise RuntimeError(f"again: {TOKEN!r}") from error
    except RuntimeError:
        logger.exception("It failed", stack_info=True)
    logging.getLogger("asana_mirror.client").error("below: %s", TOKEN)
    said = stream.getvalue()
    assert "0123456789abcdef" not in said
    assert said.count(BLANK) > 7
    assert "It failed" in said
    if style == "json":
        assert len(objects(stream)) == 10


def test_the_longer_of_two_secrets_goes_whole() -> None:
    stream = io.StringIO()
    logger = set_up("text", stream, secrets=["abc", "abcdef"])
    logger.info("x abcdef y")
    assert stream.getvalue().endswith(f"  x {BLANK} y\n")


def test_nothing_in_a_text_begins_a_line_or_moves_a_cursor() -> None:
    logger, stream = logged("text")
    logger.info("a name\n2026-11-26T10:00:00Z run 1  forged\x1b[2J\u2028")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_what_json_cannot_hold_is_told_all_the_same() -> None:
    logger, stream = logged("json")
    logger.info("half \ud83d", extra={"fields": {"big": 2**70, "when": {1, 2}}})
    (told,) = objects(stream)
    assert told["big"] == 2**70


def test_debug_lines_come_when_debugging_only() -> None:
    for debug in (False, True):
        logger, stream = logged("text", debug=debug)
        logger.debug("detail")
        assert bool(stream.getvalue()) is debug


def test_set_up_twice_writes_once_and_nobody_above_hears(caplog: pytest.LogCaptureFixture) -> None:
    _, former = logged("text")
    logger, stream = logged("text")
    logger.info("once %s", TOKEN)
    assert former.getvalue() == ""
    assert len(stream.getvalue().splitlines()) == 1
    assert caplog.records == []


def test_it_writes_to_stderr_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text").info("here")
    told = capsys.readouterr()
    assert (told.out, told.err[-5:]) == ("", "here\n")
