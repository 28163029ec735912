"""What a process that lives long writes down: a line for each thing that happened, and never a secret."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from urllib.parse import quote

import orjson

from asana_mirror.ending import current_run
from asana_mirror.times import as_asana_writes

NAME = "asana_mirror"
OTHERS = ("apscheduler", "asyncio", "uvicorn")  # libraries whose warnings belong into the same log
BLANK = "[secret]"


def set_up(
    style: Literal["text", "json"],
    stream: TextIO | None = None,
    *,
    secrets: Iterable[str] = (),
    debug: bool = False,
) -> logging.Logger:
    """The package's logger, writing to stderr unless told otherwise; called again, it begins anew.

    A line names `current_run`, or the `run` that came in `extra`. `extra={"fields": {...}}` adds to a JSON line.
    `secrets` are blanked out wherever they stand. Tracebacks are written when `debug` only.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    # At the handler, because a logger's own filter does not see what the loggers below it say.
    handler.addFilter(Blanked(secrets, tracebacks=debug))
    handler.setFormatter(JsonLine() if style == "json" else TextLine())
    for name in (NAME, *OTHERS):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING if name in OTHERS else logging.DEBUG if debug else logging.INFO)
        logger.propagate = False  # handlers further up blank nothing out
    return logging.getLogger(NAME)


class Blanked(logging.Filter):
    """Takes secrets out of the message, its arguments, the fields and the exception, before anything is formatted."""

    def __init__(self, secrets: Iterable[str], *, tracebacks: bool = False) -> None:
        super().__init__()
        written = {form for secret in secrets if secret for form in _forms(secret)}
        self._secrets = sorted(written, key=len, reverse=True)
        self._tracebacks = tracebacks

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # a mistaken call of the logger must neither end the work nor tell a secret
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self._text(message), None
        record.fields = self._value(getattr(record, "fields", None) or {})
        if record.exc_info and record.exc_info[1] is not None:
            record.error = self._told(record.exc_info[1])
        record.exc_info = record.exc_text = record.stack_info = None
        return True

    def _told(self, error: BaseException) -> dict[str, str]:
        told = {"type": type(error).__name__, "message": self._text(str(error))}
        if self._tracebacks:
            told["traceback"] = self._text("".join(traceback.format_exception(error)))
        return told

    def _value(self, value: Any) -> Any:
        """What JSON knows, all text in it blanked; anything else as its text."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {self._text(str(name)): self._value(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(inner) for inner in value]
        return self._text(str(value))

    def _text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, BLANK)
        return text


def _forms(secret: str) -> set[str]:
    """A secret as it stands in texts, addresses and quoted texts."""
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    }


class TextLine(logging.Formatter):
    """`2026-11-26T10:00:00Z run 12  message`: one line, unless there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        moment = f"{_moment(record)[:19]}Z"
        run = _run(record)
        error = getattr(record, "error", None) or {}
        said = f"{record.msg} ({error['type']}: {error['message']})" if error else str(record.msg)
        line = (
            f"{moment} run {run}  {_in_one_line(said)}"
            if run is not None
            else f"{moment}  {_in_one_line(said)}"
        )
        return f"{line}\n{error['traceback'].rstrip()}" if "traceback" in error else line


class JsonLine(logging.Formatter):
    """One object a line: time, level, message, run, the fields, and the error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "message": record.msg,
            "run": _run(record),
        }
        if error := getattr(record, "error", None):
            told["error"] = error
        fields = {name: value for name, value in getattr(record, "fields", {}).items() if name not in told}
        return _as_json({**told, **fields})


def _moment(record: logging.LogRecord) -> str:
    return as_asana_writes(datetime.fromtimestamp(record.created, UTC))


def _run(record: logging.LogRecord) -> int | None:
    run: int | None = getattr(record, "run", current_run.get())
    return run


def _in_one_line(text: str) -> str:
    """Nothing that Asana's texts hold begins a line of its own, or moves the cursor of a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _as_json(told: dict[str, Any]) -> str:
    try:
        return orjson.dumps(told).decode()
    except orjson.JSONEncodeError:  # half of a surrogate pair, an integer beyond 64 bits
        return json.dumps(told)
