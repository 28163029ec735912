"""The command `webhooks`: which ones Asana has, and one by hand."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from sqlite_utils import Database

from asana_mirror import config, wire
from asana_mirror.client import Asana
from asana_mirror.ending import opened
from asana_mirror.errors import AsanaUnreachable, CarryOnWithout, ListTooLong, WaitAndRepeat, WrongUsage
from asana_mirror.hooks import webhooks_in
from asana_mirror.options import Commands, Reach, asana_options, json_option, mirror_argument
from asana_mirror.run import asana_for
from asana_mirror.store import Mirror, check_mirror, hold
from asana_mirror.store.opening import looked_into, sqlite_translated
from asana_mirror.store.webhooks import Webhook
from asana_mirror.words import Scope

T = TypeVar("T")

SHOWN = (
    "active,created_at,last_failure_at,last_success_at,resource.name,resource.resource_type,target,"
    "failure_deletion_timestamp"
)
ADDRESS = (
    "The target must be reachable from the internet and answer the handshake with 200 and the same X-Hook-Secret; "
    "the token needs the scope webhooks:write."
)


@click.group("webhooks", cls=Commands)
def webhooks() -> None:
    """List the webhooks at Asana, make one by hand, or delete one."""


@webhooks.command("list")
@mirror_argument
@asana_options
@json_option
def list_command(mirror: Path, reach: Reach, as_json: bool) -> None:
    """All webhooks that this token has made in the workspaces of MIRROR, for this mirror or for others."""
    workspaces, ours = _known(mirror)
    known = {one.gid for one in ours} | {one.target for one in ours}

    async def ask(asana: Asana) -> dict[str, dict[str, Any]]:
        found = {}
        for workspace in workspaces:
            async for record in webhooks_in(asana, workspace, SHOWN):
                found[str(record["gid"])] = _shown(record, known)
        return found

    hint = "The token needs the scope webhooks:read."
    with _refusals_said("list the webhooks", hint):
        found = list(_asked(mirror, reach, ask).values())
    if as_json:
        click.echo(
            orjson.dumps({"mirror": str(mirror), "webhooks": found}, option=orjson.OPT_INDENT_2).decode()
        )
        return
    _print(found)


@webhooks.command("create")
@click.argument("watched", metavar="PROJECT")
@mirror_argument
@click.option("--target", required=True, metavar="URL", help="Where a receiver of yours answers.")
@asana_options
def create_command(watched: str, mirror: Path, target: str, reach: Reach) -> None:
    """Make a webhook on PROJECT (its gid or address) for a receiver of your own, and print its gid.

    Asana shakes hands with that receiver meanwhile. MIRROR does not depend on it.
    """
    project = config.place_gid(watched, "project")
    check_mirror(mirror, must_exist=True)

    async def ask(asana: Asana) -> str:
        made = await asana.create(wire.WEBHOOKS, {"resource": project, "target": target})
        return str(made.content.get("gid"))

    with _refusals_said("make this webhook", ADDRESS):
        try:
            click.echo(_asked(mirror, reach, ask))
        except WaitAndRepeat as trouble:
            raise AsanaUnreachable(
                f"It is not known whether the webhook was made: {trouble}",
                hint="Look with: asana-mirror webhooks list",
            ) from trouble


@webhooks.command("delete")
@click.argument("webhook", metavar="WEBHOOK_GID")
@mirror_argument
@asana_options
def delete_command(webhook: str, mirror: Path, reach: Reach) -> None:
    """Delete a webhook at Asana, whoever it was made for; it may be gone already."""
    if not webhook.isdecimal():
        raise WrongUsage(
            f"{webhook!r} is no gid of a webhook.", hint="See them with: asana-mirror webhooks list"
        )
    _, ours = _known(mirror)
    keys = [one.key for one in ours if one.gid == webhook]
    if keys:
        with hold(mirror):
            pass  # so that a mirror held by a run is said before anything is deleted

    async def ask(asana: Asana) -> None:
        await asana.delete(wire.webhook_path(webhook))

    with _refusals_said("delete this webhook", "The token needs the scope webhooks:delete."):
        _asked(mirror, reach, ask)
    if keys:
        with hold(mirror), sqlite_translated(mirror), opened(mirror) as held, held.atomic():
            held.webhooks.forget(keys)
    click.echo(f"Asana has no webhook {webhook} any more.")


webhooks.params = list(list_command.params)  # what a config file may say of them


def _known(mirror: Path) -> tuple[list[str], list[Webhook]]:
    """The workspaces that may have webhooks, and the mirror's own webhooks."""
    with looked_into(mirror) as connection:
        held = Mirror(mirror, Database(connection))
        return held.webhooks.workspaces(), held.webhooks.all()


def _asked(mirror: Path, reach: Reach, ask: Callable[[Asana], Awaitable[T]]) -> T:
    async def work() -> T:
        async with asana_for(reach.options(mirror, Scope()), None) as asana:
            return await ask(asana)

    return asyncio.run(work())


@contextmanager
def _refusals_said(what: str, hint: str) -> Iterator[None]:
    """Say in one sentence what Asana refuses, and in another what may help."""
    try:
        yield
    except (CarryOnWithout, ListTooLong) as refusal:
        raise WrongUsage(f"Asana would not {what}: {refusal}", hint=hint) from refusal
    except WaitAndRepeat as trouble:
        raise AsanaUnreachable(
            f"Asana could not {what}: {trouble}", hint="Run the same command again later."
        ) from trouble


def _shown(record: Mapping[str, Any], known: Collection[str | None]) -> dict[str, Any]:
    watched = record.get("resource")
    watched = watched if isinstance(watched, dict) else {}
    return {
        "gid": str(record["gid"]),
        "ours": str(record["gid"]) in known or record.get("target") in known,
        "resource_gid": watched.get("gid"),
        "resource_type": watched.get("resource_type"),
        "name": watched.get("name"),
        "active": record.get("active"),
        "target": record.get("target"),
        "created_at": record.get("created_at"),
        "last_success_at": record.get("last_success_at"),
        "last_failure_at": record.get("last_failure_at"),
        "failure_deletion_timestamp": record.get("failure_deletion_timestamp"),
    }


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from asana_mirror.status import print_table

    if not found:
        click.echo("Asana has no webhooks of this token here.")
        return
    columns = ("gid", "name", "target", "active", "last_success_at", "last_failure_at", "ours")
    words = {True: "yes", False: "no"}
    rows = (
        {
            name: words.get(one[name], one[name]) if name in ("active", "ours") else one[name]
            for name in columns
        }
        for one in found
    )
    print_table(Console(width=None if sys.stdout.isatty() else 200), "Webhooks of this token", rows)
