"""The command `attachments`: the files that hang on tasks and projects, brought into a folder."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from asana_mirror import config
from asana_mirror.errors import AsanaUnreachable
from asana_mirror.files import bytes_of, in_words
from asana_mirror.options import Commands, Reach, asana_options, json_option, mirror_argument, project_option
from asana_mirror.pull import TRY_AGAIN, Pulled, PullOptions, PullReport, pull
from asana_mirror.run import Stop
from asana_mirror.watched import signals
from asana_mirror.words import Scope

SHOW_EVERY_S = 0.5
LINE_EVERY_S = 60.0
MOST_TOLD = 10  # files that could not be had; the others stand in the table alone


class Size(click.ParamType[int]):
    """`10MB`, `2GB` or bytes, as bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return bytes_of(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


@click.group("attachments", cls=Commands)
def attachments() -> None:
    """Download the files of attachments."""


@attachments.command("pull")
@mirror_argument
@click.option(
    "--dir",
    type=click.Path(path_type=Path),
    help="Where files go; as before, else beside MIRROR: asana-files for asana.db.",
)
@click.option("--max-size", type=Size(), metavar="SIZE", help="Leave larger files out, as in 10MB.")
@project_option
@click.option("--verify", is_flag=True, help="Read all files again, and download those that are damaged.")
@asana_options
@json_option
def pull_command(
    mirror: Path,
    dir: Path | None,  # noqa: A002 (a config file says it so)
    max_size: int | None,
    project: tuple[str, ...],
    verify: bool,
    reach: Reach,
    as_json: bool,
) -> None:
    """Download the files that Asana hosts, of the attachments in MIRROR, and keep them by their content.

    Each is checked, and lies in the folder under its SHA-256; the table attachment_files says which is whose. Stop it
    whenever you like: the next pull goes on. What has left Asana keeps its file.
    """
    options = PullOptions(
        sync=reach.options(mirror, Scope()),
        folder=dir,
        max_bytes=max_size,
        projects=tuple(sorted({config.place_gid(text, "project") for text in project})),
        verify=verify,
        proxy_for=config.proxy_for,
    )
    report = asyncio.run(_pulled(options))
    if as_json:
        click.echo(orjson.dumps(asdict(report)).decode())
    click.echo(_summary(report), err=True)
    if report.unreachable:
        raise AsanaUnreachable(
            f"{report.unreachable:,} files could not be downloaded: their host failed again and again.",
            hint=TRY_AGAIN,
        )


attachments.params = list(pull_command.params)  # what a config file may say of them


async def _pulled(options: PullOptions) -> PullReport:
    stop, progress = Stop(), Pulled()
    with signals(stop):
        async with _shown(progress):
            return await pull(options, stop=stop, progress=progress)


@asynccontextmanager
async def _shown(progress: Pulled) -> AsyncIterator[None]:
    """How far it is, on stderr: one line that changes on a terminal, else a line a minute."""
    console = sys.stderr.isatty()

    async def repeat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            if console or time.monotonic() - last >= LINE_EVERY_S:
                last = time.monotonic()
                line = (
                    f"{progress.files:,} of {progress.of_files:,} files, "
                    f"{in_words(progress.bytes)} of {in_words(progress.of_bytes)}"
                )
                sys.stderr.write(f"\r\x1b[K{line}" if console else f"{line}\n")
                sys.stderr.flush()

    shower = asyncio.create_task(repeat())
    try:
        yield
    finally:
        shower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await shower
        if console:
            sys.stderr.write("\r\x1b[K")


def _summary(report: PullReport) -> str:
    """A sentence, and what could not be had."""
    parts = [f"{report.downloaded:,} downloaded ({in_words(report.bytes)})", f"{report.here:,} were there"]
    for number, words in (
        (report.resumed, "gone on with"),
        (report.damaged, "damaged or missing before"),
        (report.too_large, "larger than --max-size"),
        (report.refused, "cannot be had"),
        (report.unreachable, "not reached"),
    ):
        if number:
            parts.append(f"{number:,} {words}")
    lines = [
        f"{report.folder}: of {report.wanted:,} files {', '.join(parts)}; "
        f"{report.requests:,} requests in {report.seconds:,.1f} s."
    ]
    lines += [f"  attachment {one.attachment_gid}: {one.message}" for one in report.not_had[:MOST_TOLD]]
    if len(report.not_had) > MOST_TOLD:
        lines.append(f"  … and {len(report.not_had) - MOST_TOLD:,} more: see attachment_files.message.")
    return "\n".join(lines)
