"""What the commands take: options that several of them share, and how they become a run's options."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from asana_mirror import config
from asana_mirror.catalog import NAMES, RESOURCES, ExtraFields
from asana_mirror.errors import WrongUsage
from asana_mirror.run import SyncOptions
from asana_mirror.words import Scope

DEFAULT_MIRROR = "asana.db"
PLACES = ("workspace", "team", "project")
COMMANDLINE = click.core.ParameterSource.COMMANDLINE


class Duration(click.ParamType[float]):
    """`90s`, `10m`, `2h`, `7d`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return config.seconds_of(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Commands(click.Group):
    """A group that takes from the config file what its commands take, and hands it on to each of them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """On the command line it takes nothing itself."""
        return [parameter for parameter in super().get_params(ctx) if parameter not in self.params]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.default_map = dict.fromkeys(self.commands, ctx.default_map)
        return super().invoke(ctx)


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
team_option = click.option(
    "--team", multiple=True, metavar="GID_OR_URL", help="Only the projects of this team; may be repeated."
)
project_option = click.option(
    "--project", multiple=True, metavar="GID_OR_URL", help="Only this project; may be repeated."
)
max_age_option = click.option(
    "--max-age",
    type=Duration(),
    default="24h",
    show_default=True,
    help="How old may grow what no event tells of.",
)
sweep_every_option = click.option(
    "--sweep-every",
    type=Duration(),
    default="7d",
    show_default=True,
    help="How often to look at everything in a project, in case an event was lost.",
)
resource_choice = click.Choice(NAMES)


@dataclass(frozen=True)
class Reach:
    """How to reach Asana and what to expect of it."""

    base_url: str
    requests_per_minute: float
    max_wait: float
    max_deletes: int | None
    extra_fields: ExtraFields

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
            extra_fields=self.extra_fields,
        )


def asana_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that asks Asana; they come to it as one `reach`."""

    @functools.wraps(command)
    def reaching(
        base_url: str,
        requests_per_minute: float,
        max_wait: float,
        max_deletes: int | None,
        extra_field: tuple[str, ...],
        **others: Any,
    ) -> None:
        more = extra_fields(extra_field)
        command(reach=Reach(base_url, requests_per_minute, max_wait, max_deletes, more), **others)

    taken: Callable[..., None] = reaching
    for option in (
        click.option(
            "--extra-field",
            multiple=True,
            metavar="RESOURCE.FIELD",
            help="Ask for this field as well and keep it in _extra; may be repeated.",
        ),
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
            help="Never more than that; what a token is allowed below it is learned. 0: no limit.",
        ),
        click.option("--base-url", envvar="ASANA_BASE_URL", default=config.ASANA_BASE_URL, show_default=True),
    ):
        taken = option(taken)
    return taken


def extra_fields(texts: Iterable[str]) -> ExtraFields:
    """`tasks.custom_label` and the like, by resource. Raises WrongUsage for what cannot be asked for."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        resource, _, name = text.partition(".")
        entry = RESOURCES.get(resource)
        if entry is None or not entry.fields or not re.fullmatch(r"\w+(\.\w+)*", name, re.ASCII):
            raise WrongUsage(
                f"{text!r} names no field that could be asked for.",
                hint="Give a resource and a field of it, for instance tasks.custom_label",
            )
        head = name.partition(".")[0]
        if head in (*entry.field_names(), *entry.leaves_out):
            raise WrongUsage(
                f"{text!r} cannot be asked for beside what is mirrored: {resource} has its {head} already.",
                hint="Leave it out; schema/current.sql shows what is mirrored.",
            )
        found[resource] = tuple(sorted({*found.get(resource, ()), name}))
    return found


def workspaces_named(texts: Iterable[str]) -> tuple[str, ...]:
    """Gids of workspaces given by gid or address, each once."""
    return _gids_of(texts, "workspace")


def _gids_of(texts: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted({config.place_gid(text, kind) for text in texts}))


def narrowing_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that narrow a run to places and kinds of things; they come to it as one `scope`."""

    @functools.wraps(command)
    def narrowed(only: tuple[str, ...], skip: tuple[str, ...], **others: Any) -> None:
        places = _places_said({f"{kind}s": others.pop(kind) for kind in PLACES})
        gids = {plural: _gids_of(texts, plural.removesuffix("s")) for plural, texts in places.items()}
        command(scope=Scope(only=tuple(sorted(only)), skip=tuple(sorted(skip)), **gids), **others)

    taken: Callable[..., None] = narrowed
    for option in (
        click.option(
            "--skip", multiple=True, type=resource_choice, help="Not this kind of thing; may be repeated."
        ),
        click.option(
            "--only", multiple=True, type=resource_choice, help="Only this kind of thing; may be repeated."
        ),
        project_option,
        team_option,
        workspace_option,
    ):
        taken = option(taken)
    return taken


def _places_said(places: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The places to which a run is narrowed. Those of the command line stand for all that the file names."""
    context = click.get_current_context()
    flags = {
        plural: texts if context.get_parameter_source(plural.removesuffix("s")) is COMMANDLINE else ()
        for plural, texts in places.items()
    }
    said = flags if any(flags.values()) else places
    if said["workspaces"] and (said["teams"] or said["projects"]):
        raise WrongUsage(
            "A run is narrowed to workspaces, or to teams and projects: not to both.",
            hint="Leave --workspace out: a team or project is found without it.",
        )
    return said
