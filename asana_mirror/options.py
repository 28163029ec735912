"""What the commands take: options that several of them share, and how they become a run's options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from asana_mirror import config
from asana_mirror.catalog import RESOURCES
from asana_mirror.run import SyncOptions
from asana_mirror.words import Scope

DEFAULT_MIRROR = "asana.db"


class Duration(click.ParamType[float]):
    """`90s`, `10m`, `2h`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return config.seconds_of(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


mirror_argument = click.argument(
    "mirror",
    type=click.Path(path_type=Path, dir_okay=True),
    envvar="ASANA_MIRROR_DB",
    default=DEFAULT_MIRROR,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
port_option = click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True)
workspace_option = click.option(
    "--workspace", multiple=True, metavar="GID_OR_URL", help="Only this workspace; may be repeated."
)
resource_choice = click.Choice([name for name, entry in RESOURCES.items() if entry.path])


@dataclass(frozen=True)
class Reach:
    """How to reach Asana and what to expect of it."""

    base_url: str
    requests_per_minute: float
    max_wait: float
    max_deletes: int | None

    def options(self, mirror: Path, scope: Scope) -> SyncOptions:
        """A run's options, with the token and the proxy from the environment."""
        base_url = config.check_base_url(self.base_url)
        return SyncOptions(
            mirror=mirror,
            token=config.access_token(),
            base_url=base_url,
            proxy=config.proxy_for(base_url),
            per_minute=self.requests_per_minute,
            max_wait_s=self.max_wait,
            max_deletes=self.max_deletes,
            scope=scope,
        )


def asana_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that asks Asana; they come to it as one `reach`."""

    @functools.wraps(command)
    def reaching(
        base_url: str,
        requests_per_minute: float,
        max_wait: float,
        max_deletes: int | None,
        **others: Any,
    ) -> None:
        command(reach=Reach(base_url, requests_per_minute, max_wait, max_deletes), **others)

    taken: Callable[..., None] = reaching
    for option in (
        click.option(
            "--max-deletes",
            type=click.IntRange(min=0),
            help="Let up to this many rows of a table disappear; lifts the mass-deletion guard.",
        ),
        click.option(
            "--max-wait",
            type=Duration(),
            default="10m",
            show_default=True,
            help="Give up when Asana accepts nothing for this long.",
        ),
        click.option(
            "--requests-per-minute",
            "--rpm",
            type=click.FloatRange(min=0),
            default=1500.0,
            show_default=True,
            help="150 on a free domain of Asana; 0: no limit.",
        ),
        click.option("--base-url", envvar="ASANA_BASE_URL", default=config.ASANA_BASE_URL, show_default=True),
    ):
        taken = option(taken)
    return taken


def workspaces_named(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Gids of workspaces given by gid or address, each once."""
    return tuple(sorted({config.workspace_gid(text) for text in texts}))
