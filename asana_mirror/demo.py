"""The demo and the sandbox command: a small Asana on this machine, and the mirror of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from asana_mirror.display import summary
from asana_mirror.errors import CannotWrite, WrongUsage
from asana_mirror.run import Report, SyncOptions, sync
from asana_mirror.sandbox import Faults, Limits, create_app, generate, random_edits, running, serve
from asana_mirror.watched import watched

EDITS = 60
SHOWN_EDITS = 5
GUARD_LIFTED = 1_000_000


def demo(folder: Path, *, tasks: int, seed: int, serve_port: int | None) -> None:
    """Generate a world, mirror it, change it, mirror it again; then open Datasette, unless `serve_port` is None."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be made: {error.strerror}.") from error
    mirror = folder / "demo.db"
    click.echo(f"Making a small Asana of {tasks:,} tasks on this machine …")
    world = generate(seed=seed, tasks=tasks)
    with running(create_app(world)) as base_url:
        # In a world so small a few deletions are a large share: the guard would rightly stop and ask.
        options = SyncOptions(
            mirror=mirror, token=world.token, base_url=base_url, per_minute=0, max_deletes=GUARD_LIFTED
        )
        click.echo("First run: everything is read.")
        click.echo(f"  {summary(_sync(options), str(mirror))}")
        edits = random_edits(world, EDITS, seed=seed)
        click.echo(f"Meanwhile people and agents work; {len(edits)} changes, among them:")
        for words in edits[:SHOWN_EDITS]:
            click.echo(f"  · {words}")
        click.echo("Second run: what changed, moved and vanished is found.")
        click.echo(f"  {summary(_sync(options), str(mirror))}")
    _say_what_next(mirror)
    if serve_port is not None:
        from asana_mirror.browse import serve as serve_mirror

        serve_mirror(mirror, port=serve_port)


def _sync(options: SyncOptions) -> Report:
    return watched(lambda stop, show: sync(options, stop=stop, show=show))


def _say_what_next(mirror: Path) -> None:
    click.echo(
        "\nTry next:\n"
        f"  asana-mirror serve {mirror}      browse it\n"
        f"  asana-mirror status {mirror}     what is in it, how old, what could not be read\n"
        f"  sqlite3 {mirror} 'SELECT * FROM workload'\n"
        "With your own Asana:\n"
        "  export ASANA_ACCESS_TOKEN=…   (https://app.asana.com/0/my-apps)\n"
        "  asana-mirror sync\n"
    )


def serve_sandbox(
    *,
    host: str,
    port: int,
    tasks: int,
    seed: int,
    workspaces: int,
    limits: str,
    latency_s: float,
    faults: float,
) -> None:
    """Serve a generated world until stopped; prints its base URL and tokens."""
    world = generate(seed=seed, tasks=tasks, workspaces=workspaces)
    makers: dict[str, Callable[[], Limits]] = {"none": Limits, "free": Limits.free, "paid": Limits.paid}
    allowance = replace(makers[limits](), latency_s=latency_s)

    def announce(base_url: str) -> None:
        click.echo(f"export ASANA_BASE_URL={base_url}")
        click.echo(f"export ASANA_ACCESS_TOKEN={world.token}")
        for name, token in world.tokens.items():
            click.echo(f"# token {name}: {token}")
        click.echo("# Stop with Ctrl-C.")

    try:
        serve(
            world,
            host=host,
            port=port,
            announce=announce,
            limits=allowance,
            faults=Faults(seed=seed, share=faults) if faults else None,
        )
    except OSError as error:
        raise WrongUsage(
            f"Port {port} on {host} cannot be used: {error.strerror}.", hint="Choose another with --port."
        ) from error
