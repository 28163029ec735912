"""How many tasks a project has: an answer in which every field must be asked for, and each costs much."""

from __future__ import annotations

from collections.abc import Callable

from .asks import Ask
from .reads import Answer
from .render import NODES, Node, Rec, View, made, renderer

LINKS_PER_FIELD = 100  # a guess: Asana says "especially high", and no number


def _living_tasks(view: View, project: Rec) -> list[Rec]:
    sections = view.refs(project.get("sections", ()))
    return [task for section in sections for task in view.refs(section["tasks"])]


def _count(milestones: bool, completed: bool | None) -> Callable[[View, Rec], int]:
    def count(view: View, project: Rec) -> int:
        return sum(
            (not milestones or task.get("resource_subtype") == "milestone")
            and completed in (None, bool(task.get("completed")))
            for task in _living_tasks(view, project)
        )

    return count


NODES["task_count"] = Node(
    {
        f"num_{state}{kind}": made(_count(kind == "milestones", completed), opt_in=True)
        for kind in ("tasks", "milestones")
        for state, completed in (("", None), ("incomplete_", False), ("completed_", True))
    },
    (),
)


def task_counts(ask: Ask) -> Answer:
    """The counts that are named in opt_fields, and nothing else; gid is none of them."""
    project, fields = ask.rec("project"), ask.query.get("opt_fields")
    found = renderer("task_count", "full", fields)(ask.view, project)
    ask.view.links += 1 + LINKS_PER_FIELD * len(found)
    return {"data": found}
