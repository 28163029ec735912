"""The sections of one's own My Tasks, which are listed as if the list were a project."""

from __future__ import annotations

from .asks import Ask
from .pages import of_gids, page
from .reads import Answer, in_section, own, section_named, shown, tasks_among


def sections(ask: Ask) -> Answer:
    """Of a project, or of the My Tasks list of the one who asks."""
    return page(ask, of_gids(ask, "section", _own_sections(ask) or own("project", "sections")(ask)))


def _own_sections(ask: Ask) -> list[str]:
    user, world = ask.identity.user, ask.world
    for workspace in world.workspaces_of(user):
        if world.user_task_list(user, workspace)["gid"] == ask.gids[0]:
            return world.inside["section", ask.gids[0]]
    return []


def section(ask: Ask) -> Answer:
    return shown(ask, "section", section_named(ask, ask.gids[0]))


def section_tasks(ask: Ask) -> Answer:
    return tasks_among(ask, in_section(ask, section_named(ask, ask.gids[0])))
