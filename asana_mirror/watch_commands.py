"""The commands that live long: `watch`, and `serve`, which may watch as well."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import click

from asana_mirror import config
from asana_mirror.errors import WrongUsage
from asana_mirror.exclusion import Exclusion
from asana_mirror.exclusion_options import exclusion_options
from asana_mirror.options import (
    COMMANDLINE,
    Duration,
    Reach,
    asana_options,
    max_age_option,
    mirror_argument,
    narrowing_options,
    port_option,
    sweep_every_option,
)
from asana_mirror.store import check_mirror
from asana_mirror.timetable import Times
from asana_mirror.watch import WatchOptions
from asana_mirror.words import Scope

EVERY_S = 300.0
LEAST_S = 1.0
WEBHOOK_PORT = 8002


@dataclass
class ReadAgain:
    """In place of a watch: the command only says what it was told."""

    options: WatchOptions | None = None


@dataclass(frozen=True)
class Wanted:
    """What a watch is told, as it came from flags, environment and file."""

    scope: Scope
    exclude: Exclusion
    reach: Reach
    max_age_s: float
    sweep_every_s: float
    times: Times
    webhook_url: str | None
    log_format: Literal["text", "json"]

    def options(self, mirror: Path) -> WatchOptions:
        """With the token and the proxy from the environment. Raises WrongUsage or BadToken."""
        sync = replace(
            self.reach.options(mirror, self.scope),
            exclude=self.exclude,
            max_age_s=self.max_age_s,
            sweep_every_s=self.sweep_every_s,
        )
        self.times.trigger()  # a wrong one is told at once
        return WatchOptions(sync, self.times, self.webhook_url)


def watch_options(command: Callable[..., None]) -> Callable[..., None]:
    """What a watch takes; it comes to the command as one `wanted`."""

    @functools.wraps(command)
    def watching(
        scope: Scope,
        exclude: Exclusion,
        reach: Reach,
        max_age: float,
        sweep_every: float,
        every: float | None,
        cron: str | None,
        jitter: float,
        webhook_url: str | None,
        log_format: Literal["text", "json"],
        **others: Any,
    ) -> None:
        every, cron = _one_of_both(every, cron)
        if every is not None and every < LEAST_S:
            raise WrongUsage("--every is at least a second.", hint="For instance: --every 5m")
        url = None if webhook_url is None else config.check_webhook_url(webhook_url)
        times = Times(every or EVERY_S, cron, jitter)
        wanted = Wanted(scope, exclude, reach, max_age, sweep_every, times, url, log_format)
        command(wanted=wanted, **others)

    taken: Callable[..., None] = watching
    for option in (
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        asana_options,
        exclusion_options,
        sweep_every_option,
        max_age_option,
        narrowing_options,
        click.option(
            "--webhook-url",
            metavar="URL",
            help="The public address at which this process is reached: Asana tells of changes at once.",
        ),
        click.option("--jitter", type=Duration(), default="0s", help="Shift each tick by up to so much."),
        click.option(
            "--cron", metavar="EXPR", help='Ticks by the five fields of cron, in local time: "*/15 * * * *".'
        ),
        click.option("--every", type=Duration(), help="How often there is a tick.  [default: 5m]"),
    ):
        taken = option(taken)
    return taken


def _one_of_both(every: float | None, cron: str | None) -> tuple[float | None, str | None]:
    """Ticks go by one of them: what the command line says stands for what the file says."""
    if every is None or cron is None:
        return every, cron
    context = click.get_current_context()
    said = [name for name in ("every", "cron") if context.get_parameter_source(name) is COMMANDLINE]
    if len(said) != 1:
        raise WrongUsage("A watch goes by --every or by --cron, not by both.", hint="Leave one of them out.")
    return (every, None) if said == ["every"] else (None, cron)


@click.command("watch")
@mirror_argument
@watch_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"For webhooks, /-/asana/health and /-/asana/metrics.  [default: {WEBHOOK_PORT} with --webhook-url]",
)
@click.option("--forget", is_flag=True, help="Remove the webhooks of this mirror at Asana, and end.")
def watch_command(mirror: Path, host: str, port: int | None, forget: bool, wanted: Wanted) -> None:
    """Keep MIRROR in sync until stopped: a run at once, then one each tick, and one when a webhook tells something.

    A tick looks at what is in use; whatever else there is has its turn within six hours. SIGTERM ends it in good order,
    SIGHUP reads the config file again.
    """
    options = wanted.options(mirror)
    if _is_read_again(options):
        return
    if forget:
        _forget(options)
        return
    if port is None and wanted.webhook_url is not None:
        port = WEBHOOK_PORT
    _watch(wanted, options, host, port)


@click.command("serve")
@mirror_argument
@click.option("--host", default="127.0.0.1", show_default=True)
@port_option
@click.option("--open", "open_browser", is_flag=True, help="Open the browser.")
@click.option("--watch", "watching", is_flag=True, help="Keep it in sync as well, in the same process.")
@watch_options
def serve_command(
    mirror: Path, host: str, port: int, open_browser: bool, watching: bool, wanted: Wanted
) -> None:
    """Open MIRROR in Datasette; a sync may run at the same time. The options of a watch count with --watch only."""
    if not watching:
        from asana_mirror.browse import serve

        serve(mirror, host=host, port=port, open_browser=open_browser)
        return
    options = wanted.options(mirror)
    if _is_read_again(options):
        return
    if wanted.webhook_url is not None and not urlsplit(wanted.webhook_url).path:
        raise WrongUsage(
            "Beside Datasette, webhooks need an address with a path of their own.",
            hint=f"For instance: --webhook-url {wanted.webhook_url}/asana",
        )
    _watch(wanted, options, host, port, browsing=True, open_browser=open_browser)


def _watch(
    wanted: Wanted,
    options: WatchOptions,
    host: str,
    port: int | None,
    *,
    browsing: bool = False,
    open_browser: bool = False,
) -> None:
    from asana_mirror import logs
    from asana_mirror.long_lived import watch_until_stopped
    from asana_mirror.ports import listen
    from asana_mirror.store.opening import hold_to_watch

    mirror = options.sync.mirror
    check_mirror(mirror)
    logs.set_up(wanted.log_format, secrets=[options.sync.token], debug="--debug" in sys.argv)
    with ExitStack() as held:
        held.enter_context(hold_to_watch(mirror))
        listener = None if port is None else held.enter_context(listen(host, port))
        asyncio.run(
            watch_until_stopped(
                options,
                _reader_again(),
                listener=listener,
                beside=functools.partial(_browsing, mirror) if browsing else None,
                announce=functools.partial(_announce, mirror, browsing, open_browser),
            )
        )


def _browsing(mirror: Path) -> Any:
    from asana_mirror.browse import datasette_app

    return datasette_app(mirror)


def _announce(mirror: Path, browsing: bool, open_browser: bool, url: str) -> None:
    if not browsing:
        click.echo(f"Watching {mirror}; {url}/-/asana/health tells how it is (Ctrl-C stops)")
        return
    from asana_mirror.browse import browse_at

    browse_at(mirror, url, open_browser=open_browser)


def _is_read_again(options: WatchOptions) -> bool:
    found = click.get_current_context().find_object(ReadAgain)
    if found is not None:
        found.options = options
    return found is not None


def _reader_again() -> Callable[[], WatchOptions]:
    """The same command line once more, with what the config file holds by then."""
    root = click.get_current_context().find_root().command
    arguments = sys.argv[1:]

    def read() -> WatchOptions:
        found = ReadAgain()
        root.main(arguments, standalone_mode=False, obj=found)
        if found.options is None:
            raise WrongUsage("The command line and the config file say nothing of a watch.")
        return found.options

    return read


def _forget(options: WatchOptions) -> None:
    from asana_mirror.ending import opened
    from asana_mirror.hooks import Hooks
    from asana_mirror.run import asana_for
    from asana_mirror.store.opening import hold_to_watch

    mirror = options.sync.mirror
    check_mirror(mirror, must_exist=True)

    async def work() -> int:
        async with asana_for(options.sync, None) as asana:
            with opened(mirror) as opened_mirror:
                return await Hooks(asana, opened_mirror, options.webhook_url or "").forget_all()

    with hold_to_watch(mirror):
        click.echo(f"Removed {asyncio.run(work())} webhooks at Asana.")
