"""The filters of a search, as the description names them, over the tasks as search knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from .asks import Ask, bad
from .change_fields import SUBTYPES
from .draw import iso, millis
from .past import ATTACHMENTS
from .render import Rec
from .world import World

Test = Callable[[Rec], bool]
MOMENTS = ("created_at", "modified_at", "completed_at", "due_at")
DAYS = {  # which day it is at a moment is told in UTC here; Asana goes by the reader's own time zone
    "due_on": "due_on",
    "start_on": "start_on",
    "created_on": "created_at",
    "modified_on": "modified_at",
    "completed_on": "completed_at",
}
WINDOW = ("created_at.after", "created_at.before")  # what search looks up instead of testing
SHAPING = ("limit", "opt_fields", "opt_pretty", "sort_by", "sort_ascending", *WINDOW)
ANYWHERE = ("projects.any", "sections.any")


class Index:
    """The tasks as search knows them: as they were `lag_s` seconds ago."""

    def __init__(self, world: World, lag_s: float) -> None:
        self.world = world
        self.was = world.past.as_of(lag_s) if lag_s else {}

    def known(self, task: Rec) -> Rec | None:
        """None for what was not there or in the trash."""
        then = self.was.get(task["gid"], task)
        return None if then is None or "trashed" in then else then

    def living(self, gids: Iterable[str]) -> list[Rec]:
        tasks = (self.known(self.world.records[gid]) for gid in gids)
        return [task for task in tasks if task is not None]

    def attachment_count(self, then: Rec) -> int:
        count = then.get(ATTACHMENTS)
        return self.world.attachment_count(then) if count is None else int(count)

    def alive(self, gids: Iterable[str]) -> list[str]:
        """Of projects, sections and tags, which search looks up when it is asked."""
        return [gid for gid in gids if self.world.alive(gid)]


def flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise bad(f"{name}: Value is not a boolean: {text}")
    return text == "true"


def moment(name: str, text: str) -> str:
    try:
        return iso(millis(text))
    except ValueError:
        raise bad(f"{name}: Not a valid date or time: {text}") from None


def _day(name: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise bad(f"{name}: Not a valid date: {text}") from None


def tests(ask: Ask, index: Index) -> list[Test]:
    """What a task must pass, all of it; 400 for a filter that search does not have."""
    found: list[Test] = []
    anywhere: list[Test] = []
    for name, text in ask.query.items():
        if name not in SHAPING:
            (anywhere if name in ANYWHERE else found).append(_test(ask, index, name, text))
    if anywhere:  # "you will receive tasks for the project and tasks for the section"
        found.append(lambda then: any(test(then) for test in anywhere))
    return found


def _test(ask: Ask, index: Index, name: str, text: str) -> Test:
    field, _, how = name.partition(".")
    if name in _FLAGS:
        return _flagged(_FLAGS[name], index, flag(name, text))
    if name in _TIES:
        wanted = {part.strip() for part in text.split(",")}
        if field in PEOPLE:
            wanted = {ask.user_gid(part) for part in wanted}
        return _tied(_TIES[name], index, wanted, how)
    if field in MOMENTS and how in ("after", "before"):
        return _timed(field, 24, how, moment(name, text))
    if field in DAYS and how in ("after", "before", ""):
        unset = text == "null" and not how
        return _timed(DAYS[field], 10, how, None if unset else _day(name, text))
    if name == "resource_subtype":
        return _of_subtype(text)
    if name == "text":
        return _saying(text.lower())
    raise bad(f"{name}: The sandbox cannot search by this")


def _is_blocked(index: Index, then: Rec) -> bool:
    return any(not other.get("completed") for other in index.living(then.get("dependencies", ())))


def _is_blocking(index: Index, then: Rec) -> bool:
    return not then.get("completed") and bool(index.living(then.get("dependents", ())))


_FLAGS: dict[str, Callable[[Index, Rec], bool]] = {
    "is_subtask": lambda index, then: bool(then.get("parent")),
    "has_attachment": lambda index, then: index.attachment_count(then) > 0,
    "completed": lambda index, then: bool(then.get("completed")),
    "is_blocked": _is_blocked,
    "is_blocking": _is_blocking,
}


def _projects(index: Index, then: Rec) -> list[str]:
    return index.alive(project for project, _ in then.get("memberships", ()))


def _sections(index: Index, then: Rec) -> list[str]:
    return index.alive(section for _, section in then.get("memberships", ()))


def _teams(index: Index, then: Rec) -> Iterator[str]:
    for project in _projects(index, then):
        team = index.world.records[project].get("team")
        if team:
            yield team


def _one(key: str) -> Getter:
    return lambda index, then: [then.get(key) or "null"]


Getter = Callable[[Index, Rec], Iterable[str]]
PEOPLE = ("assignee", "assigned_by", "created_by", "followers", "liked_by")
_TIES: dict[str, Getter] = {
    f"{field}.{how}": get
    for field, hows, get in (
        ("projects", ("any", "not", "all"), _projects),
        ("sections", ("any", "not", "all"), _sections),
        ("tags", ("any", "not", "all"), lambda index, then: index.alive(then.get("tags", ()))),
        ("teams", ("any",), _teams),
        ("assignee", ("any", "not"), _one("assignee")),
        ("assigned_by", ("any", "not"), _one("assigned_by")),
        ("created_by", ("any", "not"), _one("created_by")),
        ("followers", ("any", "not"), lambda index, then: then.get("followers", ())),
        ("liked_by", ("not",), lambda index, then: then.get("likes", ())),
    )
    for how in hows
}


def _flagged(get: Callable[[Index, Rec], bool], index: Index, wanted: bool) -> Test:
    return lambda then: get(index, then) == wanted


def _tied(get: Getter, index: Index, wanted: set[str], how: str) -> Test:
    if how == "all":
        return lambda then: wanted <= set(get(index, then))
    return lambda then: wanted.isdisjoint(get(index, then)) == (how == "not")


def _timed(field: str, length: int, how: str, bound: str | None) -> Test:
    """`length` cuts a moment down to its day; bound None: the field is empty."""

    def test(then: Rec) -> bool:
        held = then.get(field)
        if held is None or bound is None:
            return bool(held is bound)
        part = held[:length]
        return bool(part > bound if how == "after" else part < bound if how == "before" else part == bound)

    return test


def _of_subtype(subtype: str) -> Test:
    if subtype not in SUBTYPES:
        raise bad(f"resource_subtype: Not a valid subtype: {subtype}")
    return lambda then: bool(then.get("resource_subtype", "default_task") == subtype)


def _saying(words: str) -> Test:
    return lambda then: words in f"{then['name']} {then.get('notes', '')}".lower()
