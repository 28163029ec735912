"""The options by which a sync keeps things out for good: `asana-mirror.toml` is the place for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from asana_mirror import config
from asana_mirror.exclusion import Exclusion


def exclusion_options(command: Callable[..., None]) -> Callable[..., None]:
    """What to keep out; it comes to the command as one `exclude`."""

    @functools.wraps(command)
    def excluding(
        exclude_project: tuple[str, ...],
        exclude_team: tuple[str, ...],
        exclude_archived: bool,
        exclude_private: bool,
        **others: Any,
    ) -> None:
        exclude = Exclusion(
            projects=frozenset(config.place_gid(text, "project") for text in exclude_project),
            teams=frozenset(config.place_gid(text, "team") for text in exclude_team),
            archived=exclude_archived,
            private=exclude_private,
        )
        command(exclude=exclude, **others)

    taken: Callable[..., None] = excluding
    for option in (
        click.option("--exclude-private", is_flag=True, help="Keep private projects out."),
        click.option("--exclude-archived", is_flag=True, help="Keep archived projects out."),
        click.option(
            "--exclude-team",
            multiple=True,
            metavar="GID_OR_URL",
            help="Keep this team and its projects out; may be repeated.",
        ),
        click.option(
            "--exclude-project",
            multiple=True,
            metavar="GID_OR_URL",
            help="Keep this project out, and what stands nowhere else; may be repeated.",
        ),
    ):
        taken = option(taken)
    return taken
