"""The command `doctor`: what is wrong with token, clock, mirror, or with what this version knows of Asana's API."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from asana_mirror import config
from asana_mirror.catalog import RESOURCES
from asana_mirror.checkup import MirrorFile, look_at
from asana_mirror.described.reasons import OPERATIONS
from asana_mirror.doctor import OAUTH, PERSON, SERVICE, Diagnosis, examine
from asana_mirror.drift import Unknown
from asana_mirror.errors import MirrorError, NotAMirror
from asana_mirror.options import Reach, asana_options, json_option, mirror_argument
from asana_mirror.words import Scope

CLOCK_MAY_DIFFER_S = 60.0
LITTLE_SPACE_BYTES = 500_000_000

KINDS = {
    SERVICE: "It is a service account's: it sees the whole organization.",
    OAUTH: "It is an OAuth token with some scopes only.",
    PERSON: "It is a person's: a personal access token, or OAuth with all scopes; Asana does not tell which.",
}


@dataclass(frozen=True)
class Finding:
    """One sentence, and what to do about it where something can be done."""

    section: str
    sentence: str
    hint: str = ""


@click.command("doctor")
@mirror_argument
@asana_options
@json_option
def doctor_command(mirror: Path, reach: Reach, as_json: bool) -> None:
    """Look for what is wrong: the token, the clock, MIRROR, and how Asana's answers differ from what is mirrored.

    One full record of each resource is read as Asana shows it unasked, and fields that this version does not know are
    named. Nothing is written. Without MIRROR only Asana is looked at.
    """
    file = look_at(mirror)
    base_url = config.check_base_url(reach.base_url)
    diagnosis = Diagnosis(base_url, _without_password(config.proxy_for(base_url)))
    trouble: MirrorError | None = None
    try:
        asyncio.run(examine(reach.options(mirror, Scope()), file.remembered, diagnosis))
    except MirrorError as error:
        trouble = error
    findings = [*_of_reach(diagnosis, trouble), *_of_asana(diagnosis), *_of_mirror(file)]
    if as_json:
        click.echo(orjson.dumps(_as_json(file, diagnosis, findings), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(findings)
    if trouble is None and file.is_broken:
        trouble = file.trouble or NotAMirror(
            f"{mirror} is damaged: {file.complaints[0]}.",
            hint="Restore a backup, or move it away and sync again.",
        )
    if trouble is not None:
        raise trouble


def _without_password(proxy: str | None) -> str | None:
    """The address of a proxy as it may be shown."""
    if proxy is None:
        return None
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


# -- findings -----------------------------------------------------------------------------------------


def _of_reach(found: Diagnosis, trouble: MirrorError | None) -> Iterator[Finding]:
    through = f"through the proxy {found.proxy}" if found.proxy else "without a proxy"
    yield Finding("Asana", f"Asked at {found.base_url}, {through}; requests: {found.requests}.")
    if trouble is not None:
        yield Finding("Asana", "It could not be looked at to the end.", str(trouble))


def _of_asana(found: Diagnosis) -> Iterator[Finding]:
    yield from _of_token(found)
    if found.clock_ahead_s is not None:
        yield _of_clock(found.clock_ahead_s)
    yield from _of_fields(found)
    said_of_the_token = {missing.resource for missing in found.missing_scopes}
    for refused in found.unreadable:
        if refused.resource not in said_of_the_token:
            yield Finding("What cannot be read", f"{_named(refused.resource)}: {refused.why}.")
    yield from _of_changes(found)


def _of_token(found: Diagnosis) -> Iterator[Finding]:
    if found.token_is_valid is None:
        return
    if not found.token_is_valid:
        yield Finding("Token", "Asana refuses it.")
        return
    me = found.whose or {}
    named = f"{me.get('name')} <{me.get('email')}>" if me.get("email") else me.get("name")
    yield Finding("Token", f"It is valid{f' and speaks for {named}' if named else ''}.")
    if found.kind:
        yield Finding("Token", KINDS[found.kind])
    lacking: dict[str, list[str]] = {}
    for missing in found.missing_scopes:
        lacking.setdefault(missing.scope or missing.why, []).append(missing.resource)
    for scope, resources in lacking.items():
        names = ", ".join(map(_named, dict.fromkeys(resources)))
        yield Finding("Token", f"It lacks {scope}, for {names}.", "Grant it where the token was made.")


def _of_clock(ahead_s: float) -> Finding:
    if abs(ahead_s) <= CLOCK_MAY_DIFFER_S:
        return Finding("Clock", "This machine's clock agrees with Asana's within a minute.")
    direction = "ahead of" if ahead_s > 0 else "behind"
    return Finding(
        "Clock",
        f"This machine's clock is {_span(abs(ahead_s))} {direction} Asana's: changes are followed by Asana's clock, "
        "but ages, turns and the times of runs go by this one.",
        "Set it, for instance with: timedatectl set-ntp true",
    )


def _of_fields(found: Diagnosis) -> Iterator[Finding]:
    section = "Records"
    if found.looked_at:
        yield Finding(section, f"One record each of {len(found.looked_at)} resources was looked at.")
    for unknown in found.unknown:
        sentence = f"{unknown.resource} come with {unknown.field} ({unknown.type}), unknown to this version."
        yield Finding(section, sentence, _how_to_keep(unknown))
    for unfit in found.unfit:
        yield Finding(
            section,
            f"{unfit.resource}.{unfit.field} comes as {unfit.type} and is kept as {unfit.takes}.",
            "Records that do not fit are kept in sync_undecoded; look for a newer asana-mirror.",
        )


def _how_to_keep(unknown: Unknown) -> str:
    if not RESOURCES[unknown.resource].fields or RESOURCES[unknown.resource].path is None:
        return "asana-mirror keeps it in _extra where it comes."
    return (
        f'asana-mirror keeps it in _extra; to ask for it: extra_fields.{unknown.resource} = ["{unknown.field}"] '
        "in asana-mirror.toml"
    )


def _of_changes(found: Diagnosis) -> Iterator[Finding]:
    affected = {True: "this token's requests are affected", False: "this token's requests are not affected"}
    for change in found.changes:
        told = affected.get(change["affected"], "Asana does not say whether this concerns us")
        name = change["name"] or change["value"]
        hint = f"Read {change['info']}" if change["info"] else ""
        yield Finding("Changes that Asana announces", f"{name}, seen at {change['endpoint']}: {told}.", hint)


def _of_mirror(file: MirrorFile) -> Iterator[Finding]:
    section = "Mirror"
    if not file.exists:
        hint = f"Make one with: asana-mirror sync {file.path}"
        yield Finding(section, f"There is none at {file.path}: only Asana was looked at.", hint)
    elif file.trouble is not None:
        yield Finding(section, str(file.trouble), file.trouble.hint)
    elif file.complaints:
        yield Finding(section, f"{file.path} is damaged: {file.complaints[0]}.")
    else:
        yield Finding(
            section, f"{file.path} is whole, {file.bytes / 1e6:,.1f} MB, schema {file.schema_version}."
        )
        yield Finding(section, _last_run(file))
    if file.free_bytes is not None:
        little = file.free_bytes < max(LITTLE_SPACE_BYTES, file.bytes)
        hint = "Free some: a mirror needs room to grow, and its own size again for a purge." if little else ""
        yield Finding(section, f"{file.free_bytes / 1e9:,.1f} GB are free on its disk.", hint)


def _last_run(file: MirrorFile) -> str:
    run = file.last_run
    if run is None:
        return "No run has filled it yet."
    return (
        f"Its last run ({run['mode']}) began {run['started_at']}: {run['outcome'] or 'running, or killed'}."
    )


# -- what people and programs see ---------------------------------------------------------------------


def _as_json(file: MirrorFile, found: Diagnosis, findings: list[Finding]) -> dict[str, Any]:
    return {
        "mirror": {
            "path": str(file.path),
            "exists": file.exists,
            "schema_version": file.schema_version,
            "complaints": file.complaints,
            "trouble": None if file.trouble is None else str(file.trouble),
            "last_run": file.last_run,
            "bytes": file.bytes,
            "free_bytes": file.free_bytes,
        },
        "asana": asdict(found),
        "not_asked_for": OPERATIONS,
        "findings": [asdict(finding) for finding in findings],
    }


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for_people = sys.stdout.isatty()  # else a line stays one line, however long
    section = None
    for finding in findings:
        if finding.section != section:
            section = finding.section
            console.print(Text(section, style="bold"))
        console.print(Text(f"  {finding.sentence}"), soft_wrap=not for_people)
        if finding.hint:
            console.print(Text(f"    {finding.hint}", style="dim"), soft_wrap=not for_people)


def _named(resource: str) -> str:
    return resource.replace("_", " ")


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
