"""The commands; the one place where every error becomes a sentence, a hint and an exit code."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import orjson

from asana_mirror import __version__, config
from asana_mirror.attachment_commands import attachments
from asana_mirror.doctor_command import doctor_command
from asana_mirror.errors import AsanaUnreachable, MirrorError, WrongUsage
from asana_mirror.exclusion import Exclusion
from asana_mirror.exclusion_options import exclusion_options
from asana_mirror.options import (
    Duration,
    Reach,
    asana_options,
    json_option,
    max_age_option,
    mirror_argument,
    narrowing_options,
    port_option,
    sweep_every_option,
    workspace_option,
    workspaces_named,
)
from asana_mirror.run import SyncOptions, sync
from asana_mirror.store import check_mirror
from asana_mirror.times import utc_before
from asana_mirror.watch_commands import serve_command, watch_command
from asana_mirror.webhook_commands import webhooks
from asana_mirror.words import Scope

if TYPE_CHECKING:
    from rich.console import Console

DIFFERENT = 7  # the exit code of a verification that found differences
UNHEALTHY = 8  # of a check: the mirror is older than asked for, or its last runs failed


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="asana-mirror")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"A TOML file with options; {config.CONFIG_FILE} in this folder is read by itself.",
)
@click.option("--debug", is_flag=True, help="Show a traceback where something fails.")
@click.pass_context
def cli(ctx: click.Context, config_file: Path | None, debug: bool) -> None:
    """A local mirror of Asana in one SQLite file.

    Set ASANA_ACCESS_TOKEN and run: asana-mirror sync
    """
    if config_file is None and Path(config.CONFIG_FILE).is_file():
        config_file = Path(config.CONFIG_FILE)
    if config_file is not None:
        options = {
            name: {
                parameter.name: getattr(parameter, "multiple", False)
                for parameter in command.params
                if parameter.name
            }
            for name, command in cli.commands.items()
        }
        options["purge"] = {"mirror": False}  # what is erased for good is said each time, never by a file
        ctx.default_map = config.read_config(config_file, options)


@cli.command("sync")
@mirror_argument
@click.option("--full", is_flag=True, help="Read everything again, not only what changed.")
@narrowing_options
@max_age_option
@sweep_every_option
@click.option(
    "--budget", type=Duration(), metavar="DURATION", help="Stop in good order after so long, as in 10m."
)
@click.option("--max-requests", type=click.IntRange(min=1), help="Stop in good order after so many requests.")
@click.option("--dry-run", is_flag=True, help="Only say what it would ask, and how long that takes.")
@exclusion_options
@asana_options
@json_option
def sync_command(
    mirror: Path,
    full: bool,
    dry_run: bool,
    scope: Scope,
    max_age: float,
    sweep_every: float,
    budget: float | None,
    max_requests: int | None,
    exclude: Exclusion,
    reach: Reach,
    as_json: bool,
) -> None:
    """Bring MIRROR up to date with everything that the token may read.

    The first run reads everything, later ones what changed. Stop it whenever you like: the next run goes on from the
    last written page.
    """
    options = reach.options(mirror, scope)
    options = replace(
        options,
        full=full,
        max_age_s=max_age,
        sweep_every_s=sweep_every,
        budget_s=budget,
        max_requests=max_requests,
        exclude=exclude,
    )
    if dry_run:
        _foretell(options, as_json=as_json)
        return
    from asana_mirror.display import summary
    from asana_mirror.watched import watched

    report = watched(lambda stop, show: sync(options, stop=stop, show=show))
    click.echo(orjson.dumps(asdict(report)).decode() if as_json else summary(report, str(mirror)))


def _foretell(options: SyncOptions, *, as_json: bool) -> None:
    from asana_mirror.forecast import forecast

    told = asyncio.run(forecast(options))
    if as_json:
        click.echo(orjson.dumps({"mirror": str(options.mirror), **asdict(told)}).decode())
        return
    from asana_mirror.planned import print_forecast

    print_forecast(told, str(options.mirror), _console(140))


def _console(width: int) -> Console:
    """For tables on stdout: as wide as the terminal, or as wide as they may need where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else width)


@cli.command("status")
@mirror_argument
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="How many runs.")
@max_age_option
@click.option("--check", is_flag=True, help="Only say whether all is well; --max-age is then the mirror's.")
@json_option
def status_command(mirror: Path, runs: int, max_age: float, check: bool, as_json: bool) -> None:
    """Last runs, rows per table, age of each cursor, what waits to be read, and what the token may not see.

    With --check one line, which ends with 8 when the last complete run began longer than --max-age ago, an event stream
    was not read for 12 hours, or the last three runs failed.
    """
    if check:
        _check_health(mirror, max_age, as_json=as_json)
        return
    from asana_mirror.review import WAITING_AGES
    from asana_mirror.store.state import read_state

    state = read_state(mirror, runs=runs, within_s=max_age * WAITING_AGES)
    if as_json:
        click.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode())
        return
    from asana_mirror.status import print_state

    print_state(state, _console(140))


def _check_health(mirror: Path, max_age_s: float, *, as_json: bool) -> None:
    from asana_mirror.health import health_line, read_health

    health = read_health(mirror, max_age_s=max_age_s)
    click.echo(orjson.dumps(health).decode() if as_json else health_line(health))
    if not health["healthy"]:
        sys.exit(UNHEALTHY)


@cli.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=True))
@mirror_argument
@json_option
def backup_command(file: Path, mirror: Path, as_json: bool) -> None:
    """Copy MIRROR into FILE as it is at this moment; a sync may write it meanwhile.

    FILE needs nothing beside it and may be synced on. An earlier mirror of that name is replaced once the copy is whole
    and checked, anything else is not.
    """
    from asana_mirror.backup import backup

    report = backup(mirror, file)
    if as_json:
        click.echo(orjson.dumps(asdict(report)).decode())
        return
    click.echo(f"Copied {mirror} into {file}: {report.bytes / 1e6:,.1f} MB in {report.seconds:,.1f} s.")


@cli.command("purge")
@mirror_argument
@click.option("--person", multiple=True, metavar="GID_OR_URL", help="A user or agent; may be repeated.")
@click.option("--project", multiple=True, metavar="GID_OR_URL", help="A project; may be repeated.")
@click.option(
    "--tombstones-older-than", type=Duration(), metavar="AGE", help="What left Asana so long ago, as in 90d."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def purge_command(
    mirror: Path,
    person: tuple[str, ...],
    project: tuple[str, ...],
    tombstones_older_than: float | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase a person, a project or old tombstones from MIRROR for good.

    A person: identity and words go, the work stays. Erased are name, e-mail, photo, memberships, follows and likes,
    the comments they wrote, and what stories by or about them say; in texts of others, [purged] takes the place of
    the full name and the e-mail address (a first name alone is not found). Tasks stay, with a nameless gid where the
    person was. Later syncs leave the person out.

    A project: with its sections, settings and links, and with the tasks that live nowhere else, their subtasks,
    stories and attachments, files included. The next sync brings it back if Asana still shows it to the token.

    Tombstones: what left Asana so long ago, with all that hangs on it. Copies of the file are yours to erase.
    """
    from asana_mirror.display import purge_told
    from asana_mirror.purge import PurgeOptions, PurgeReport, purge

    if not yes and not sys.stdin.isatty():
        raise WrongUsage(
            "Nobody can be asked whether to purge: this is no terminal.",
            hint="Run it in a terminal, or say --yes to purge without being asked.",
        )

    def agreed(report: PurgeReport) -> None:
        click.echo(f"This will change {mirror} for good:\n{purge_told(report)}", err=True)
        if not yes:
            click.confirm("Go on?", abort=True, err=True)

    options = PurgeOptions(
        mirror,
        people=tuple(config.gids_in(text, "person") for text in person),
        projects=tuple(config.gids_in(text, "project") for text in project),
        tombstones_before=None if tombstones_older_than is None else utc_before(tombstones_older_than),
    )
    report = purge(options, agreed=agreed)
    if as_json:
        click.echo(orjson.dumps(asdict(report)).decode())
        return
    click.echo(f"Purged. {mirror} has {report.bytes_after:,} bytes (before: {report.bytes_before:,}).")
    if report.files_removed:
        click.echo(f"Files of attachments removed: {report.files_removed:,}.")
    if report.projects:
        click.echo("A project that Asana still shows to the token comes back with the next sync.")


@cli.command("verify")
@mirror_argument
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Records to compare, and tasks whose stories, subtasks and attachments to compare.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Choose the same sample again.")
@click.option("--repair", is_flag=True, help="Read again what differs, then say what is left.")
@workspace_option
@asana_options
@json_option
def verify_command(
    mirror: Path,
    sample: int,
    seed: int | None,
    repair: bool,
    workspace: tuple[str, ...],
    reach: Reach,
    as_json: bool,
) -> None:
    """Compare MIRROR with Asana: who is listed, and a sample of records column by column.

    Nothing is written without --repair. Ends with 7 when there are differences.
    """
    check_mirror(mirror, must_exist=True)
    options = reach.options(mirror, Scope(workspaces_named(workspace)))
    from asana_mirror.verify import verify
    from asana_mirror.watched import watched

    found = watched(
        lambda stop, show: verify(options, sample=sample, seed=seed, repair=repair, stop=stop, show=show)
    )
    if as_json:
        click.echo(orjson.dumps({"agrees": found.agrees, **asdict(found)}).decode())
    else:
        from asana_mirror.differences import print_verification

        print_verification(found, _console(160))
    if not found.agrees:
        sys.exit(DIFFERENT)
    if found.given_up:
        raise AsanaUnreachable(
            f"{found.given_up} things could not be compared: Asana failed again and again."
        )


@cli.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="asana-mirror-demo")
@click.option("--tasks", type=click.IntRange(min=10), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--serve/--no-serve", "serving", default=True, help="Open Datasette at the end.")
@port_option
def demo_command(folder: Path, tasks: int, seed: int, serving: bool, port: int) -> None:
    """See it work without token or network: mirror a small Asana of made-up data, change it, mirror it again."""
    from asana_mirror.demo import demo

    demo(folder, tasks=tasks, seed=seed, serve_port=port if serving else None)


@cli.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True)
@click.option("--tasks", type=click.IntRange(min=0), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--workspaces", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--limits",
    type=click.Choice(["none", "free", "paid"]),
    default="none",
    show_default=True,
    help="Rate limits as on a free or a paid domain.",
)
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of requests that fail.",
)
def sandbox_command(
    host: str,
    port: int,
    tasks: int,
    seed: int,
    workspaces: int,
    limits: str,
    latency_ms: float,
    faults: float,
) -> None:
    """Serve a small Asana of made-up data on a local port, until stopped."""
    from asana_mirror.demo import serve_sandbox

    serve_sandbox(
        host=host,
        port=port,
        tasks=tasks,
        seed=seed,
        workspaces=workspaces,
        limits=limits,
        latency_s=latency_ms / 1000,
        faults=faults,
    )


for _command in (watch_command, serve_command, webhooks, attachments, doctor_command):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run a command; every failure is one sentence and one hint on stderr, and its exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "asana-mirror"
        _fail(error, error.format_message(), f"{command} --help shows what it takes.", 2)
    except click.ClickException as error:
        _fail(error, error.format_message(), WrongUsage.hint, 2)
    except MirrorError as error:
        _fail(error, str(error), error.hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _fail(error, "Stopped on request.", "Run it again whenever you like.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (Exception, sqlite3.Error) as error:
        hint = "This is a bug. Run it again with asana-mirror --debug and report what it shows."
        _fail(error, f"Something unexpected happened: {type(error).__name__}: {error}", hint, 1)
    sys.exit(0)


def _fail(error: BaseException, sentence: str, hint: str, exit_code: int) -> NoReturn:
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    click.echo(f"asana-mirror: {sentence}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)
    sys.exit(exit_code)
