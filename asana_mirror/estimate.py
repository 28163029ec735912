"""What a run is expected to cost: pure arithmetic over counts that others have made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from asana_mirror.plan import pages
from asana_mirror.quota import READS_IN_FLIGHT

T = TypeVar("T")

ANSWER_S = 0.3  # in which Asana answers, about: what counts where no quota does


@dataclass
class Line:
    """Lists of one kind (or records read by themselves) that are asked for one reason."""

    listing: str
    why: str
    lists: int = 0
    requests: int = 0


@dataclass
class Estimate:
    """Requests by kind and reason, as they are found."""

    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    lower_bound: bool = False

    def add(self, listing: str, why: str, *, lists: int = 1, requests: int | None = None) -> None:
        """Count lists, and the requests that they take: one each unless it is said."""
        if lists:
            line = self.lines.setdefault((listing, why), Line(listing, why))
            line.lists += lists
            line.requests += lists if requests is None else requests

    def remark(self, sentence: str, *, lower_bound: bool = False) -> None:
        """Say something about the whole, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)
        self.lower_bound = self.lower_bound or lower_bound

    @property
    def requests(self) -> int:
        return sum(line.requests for line in self.lines.values())


def seconds_for(requests: int, per_minute: float) -> float:
    """Seconds that so many requests take: at the allowance, or with all that may be in flight at once."""
    at_best_s = requests * ANSWER_S / READS_IN_FLIGHT
    return max(at_best_s, requests * 60.0 / per_minute) if per_minute > 0 else at_best_s


def evenly(things: Sequence[T], most: int) -> list[T]:
    """At most so many, from all over."""
    if len(things) <= most:
        return list(things)
    return [things[(2 * place + 1) * len(things) // (2 * most)] for place in range(most)]


@dataclass(frozen=True)
class SampledProject:
    """How many tasks a project has, and what some of them say: (subtasks, projects in which it stands)."""

    tasks: int
    shown: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class SampledTree:
    """What is below a task that has subtasks: how many tasks at any depth, in how many lists."""

    tasks: int
    lists: int


@dataclass(frozen=True)
class Expected:
    """Tasks and lists to be expected in some projects."""

    tasks: int  # with those below them, each once
    project_pages: int
    subtask_lists: int
    below: int = 0  # of the tasks, those below others

    def plus(self, each: float, loose: Sequence[int], trees: Sequence[SampledTree]) -> Expected:
        """With tasks in no project, each standing for `each`; given are their numbers of subtasks."""
        parents = each * sum(subtasks > 0 for subtasks in loose)
        below = parents * _mean(tree.tasks for tree in trees)
        return replace(
            self,
            tasks=round(self.tasks + each * len(loose) + below),
            below=round(self.below + below),
            subtask_lists=round(self.subtask_lists + parents * _mean(tree.lists for tree in trees)),
        )


def expected(projects: int, sample: Sequence[SampledProject], trees: Sequence[SampledTree]) -> Expected:
    """What some projects and trees say of all of them."""
    if not sample:
        return Expected(0, projects, 0)
    each = projects / len(sample)
    distinct = parents = 0.0
    for project in sample:
        if project.shown:
            weight = each * project.tasks / len(project.shown)
            distinct += weight * sum(1 / max(1, homes) for _, homes in project.shown)
            parents += weight * sum(1 / max(1, homes) for subtasks, homes in project.shown if subtasks)
    below, lists = _mean(tree.tasks for tree in trees), _mean(tree.lists for tree in trees)
    return Expected(
        tasks=round(distinct + parents * below),
        project_pages=round(each * sum(pages(project.tasks) for project in sample)),
        subtask_lists=round(parents * lists),
        below=round(parents * below),
    )


def _mean(numbers: Iterable[int]) -> float:
    found = list(numbers)
    return sum(found) / len(found) if found else 0.0
