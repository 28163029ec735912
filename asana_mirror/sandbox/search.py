"""GET /workspaces/{}/tasks/search: any task of a workspace, a hundred at a time, without offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .asks import Ask, Refused, bad
from .draw import iso, millis
from .reads import Answer
from .render import Rec, renderer

if TYPE_CHECKING:
    from .world import World

Test = Callable[[Rec], bool]
SORTS = ("modified_at", "created_at", "completed_at", "due_date", "likes")
MOMENTS = ("created_at", "modified_at", "completed_at", "due_at")
DAYS = ("due_on", "start_on")
WINDOW = ("created_at.after", "created_at.before")
SHAPING = ("limit", "opt_fields", "opt_pretty", "sort_by", "sort_ascending", *WINDOW)


def search(ask: Ask) -> Answer:
    """Found tasks, newest change first unless `sort_by` says otherwise; 402 without a premium plan."""
    if ask.world.plan == "free" or not ask.limits.premium:
        raise Refused(402, "Advanced search requires a premium plan")
    workspace = ask.rec("workspace")["gid"]
    limit = int(ask.query.get("limit", "100")) if ask.query.get("limit", "100").isdecimal() else 0
    if not 1 <= limit <= 100:
        raise bad("limit: Value is not between 1 and 100")
    sort = ask.query.get("sort_by", "modified_at")
    if sort not in SORTS:
        raise bad(f"sort_by: Not a valid order: {sort}")
    tests = list(_tests(ask))
    ascending = _flag(ask.query.get("sort_ascending", "false"))
    recs = _sorted(ask, sort, ascending)
    found: list[Rec] = []
    for rec in recs:
        shows = rec["workspace"] == workspace and "trashed" not in rec and ask.sees(rec)
        if shows and all(test(rec) for test in tests):
            found.append(rec)
            if len(found) == limit:
                break
    render = renderer("task", "compact", ask.query.get("opt_fields"))
    ask.view.links += len(found)
    return {"data": [render(ask.view, rec) for rec in found]}


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise bad(f"Not a boolean: {text}")
    return text == "true"


def _moment(text: str) -> str:
    try:
        return iso(millis(text))
    except ValueError:
        raise bad(f"Not a valid date or time: {text}") from None


def _sorted(ask: Ask, sort: str, ascending: bool) -> Iterable[Rec]:
    """Tasks in order; those in the asked-for window of creation only, for that is found at once."""
    bounds = [ask.query.get(f"created_at.{end}") for end in ("after", "before")]
    window = ask.world.by_creation.window(ask.world, *(text and _moment(text) for text in bounds))
    if sort == "created_at":
        return window if ascending else reversed(window)
    keys: dict[str, Callable[[Rec], Any]] = {
        "likes": lambda rec: len(rec.get("likes", ())),
        "due_date": lambda rec: rec.get("due_on") or "",
    }
    return sorted(window, key=keys.get(sort, lambda rec: rec.get(sort) or ""), reverse=not ascending)


def _tests(ask: Ask) -> Iterator[Test]:
    for name, text in ask.query.items():
        if name in SHAPING:
            continue
        field, _, how = name.partition(".")
        if name in _FLAGS:
            yield _flagged(_FLAGS[name], ask.world, _flag(text))
        elif field in _PLACES and how in ("any", "not", "all"):
            yield _placed(_PLACES[field], set(text.split(",")), how)
        elif field in (*MOMENTS, *DAYS) and how in ("after", "before", ""):
            yield _timed(field, how, _moment(text) if field in MOMENTS else text)
        elif name == "resource_subtype":
            yield _of_subtype(text)
        elif name == "text":
            yield _saying(text.lower())
        else:
            raise bad(f"{name}: The sandbox cannot search by this")


_FLAGS: dict[str, Callable[[World, Rec], bool]] = {
    "is_subtask": lambda world, rec: bool(rec.get("parent")),
    "has_attachment": lambda world, rec: world.attachment_count(rec) > 0,
    "completed": lambda world, rec: bool(rec.get("completed")),
    "is_blocked": lambda world, rec: bool(world.living(rec.get("dependencies", ()))),
    "is_blocking": lambda world, rec: bool(world.living(rec.get("dependents", ()))),
}
_PLACES: dict[str, Callable[[Rec], Iterable[str]]] = {
    "projects": lambda rec: [project for project, _ in rec.get("memberships", ())],
    "sections": lambda rec: [section for _, section in rec.get("memberships", ())],
    "tags": lambda rec: rec.get("tags", ()),
    "assignee": lambda rec: [rec.get("assignee") or "null"],
    "followers": lambda rec: rec.get("followers", ()),
    "created_by": lambda rec: [rec["created_by"]],
}


def _of_subtype(subtype: str) -> Test:
    return lambda rec: bool(rec.get("resource_subtype", "default_task") == subtype)


def _saying(words: str) -> Test:
    return lambda rec: words in f"{rec['name']} {rec.get('notes', '')}".lower()


def _flagged(get: Callable[[World, Rec], bool], world: World, wanted: bool) -> Test:
    return lambda rec: get(world, rec) == wanted


def _placed(get: Callable[[Rec], Iterable[str]], wanted: set[str], how: str) -> Test:
    if how == "all":
        return lambda rec: wanted <= set(get(rec))
    return lambda rec: wanted.isdisjoint(get(rec)) == (how == "not")


def _timed(field: str, how: str, bound: str) -> Test:
    def test(rec: Rec) -> bool:
        held = rec.get(field)
        if held is None:
            return False
        return bool(held > bound if how == "after" else held < bound if how == "before" else held == bound)

    return test
