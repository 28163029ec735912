"""Turns stored records into the JSON that a request asked for: compact, full, or named fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

Rec = dict[str, Any]
MISSING: Any = object()  # a field that this record does not have, as opposed to null


class View:
    """One reader's eyes for one answer; counts the links it followed, since those cost quota."""

    __slots__ = ("agents", "links", "me", "origin", "records", "sees", "world")

    def __init__(
        self, world: World, me: str, agents: bool = True, sees: Callable[[Rec], bool] | None = None
    ) -> None:
        self.world = world
        self.records = world.records
        self.me = me
        self.agents = agents
        self.sees = sees
        self.links = 0
        self.origin = ""  # of the address that was asked

    def ref(self, gid: str | None) -> Rec | None:
        """The record behind a reference, None when it is gone or not for these eyes."""
        rec = self.past(gid)
        return None if rec is None or "trashed" in rec else rec

    def past(self, gid: str | None) -> Rec | None:
        """Like `ref`, but what is in the trash still shows: stories tell of it."""
        if gid is None:
            return None
        rec = self.records.get(gid)
        if rec is None or (rec["resource_type"] == "agent" and not self.agents):
            return None
        if self.sees is not None and not self.sees(rec):
            return None
        return rec

    def refs(self, gids: Iterable[str]) -> list[Rec]:
        return [rec for gid in gids if (rec := self.ref(gid)) is not None]


Getter = Callable[[View, Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource: how to get it, and what it leads to (`node`) when it is not a plain value."""

    get: Getter
    node: str = ""
    many: bool = False
    part: bool = False  # belongs to its owner and comes in full with it, unlike a reference
    opt_in: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    fields: dict[str, Field]
    compact: tuple[str, ...]

    def always(self) -> tuple[str, ...]:
        return tuple(name for name in ("gid", "resource_type") if name in self.fields)


NODES: dict[str, Node] = {}


@dataclass
class Tree:
    """opt_fields taken apart; `bare` marks a name that was asked for without anything below it."""

    bare: bool = False
    below: dict[str, Tree] = field(default_factory=dict)


def parse(opt_fields: str) -> Tree:
    root = Tree()
    for path in opt_fields.split(","):
        here = root
        for name in path.strip().split("."):
            here = here.below.setdefault(name, Tree())
        here.bare = True
    return root


Renderer = Callable[[View, Any], dict[str, Any]]


@lru_cache(maxsize=512)
def renderer(node_name: str, mode: str, opt_fields: str | None = None) -> Renderer:
    """mode: compact, full or all (full and opt-in); opt_fields replaces it when given."""
    if opt_fields is not None:
        return _build(node_name, "ids", parse(opt_fields))
    return _build(node_name, mode, Tree())


def _build(node_name: str, mode: str, tree: Tree) -> Renderer:
    node = NODES[node_name]
    steps: list[tuple[str, Getter]] = []
    for name, one in node.fields.items():
        wanted = tree.below.get(name)
        by_mode = _in_mode(node, name, one, mode)
        if wanted is None and not by_mode:
            continue
        inner = "compact"
        if wanted is not None and not wanted.bare and not by_mode:
            inner = "ids"
        elif one.part and mode in ("full", "all"):
            inner = mode
        steps.append((name, _step(one, inner, wanted or Tree())))

    def render(view: View, rec: Any) -> dict[str, Any]:
        out = {}
        for name, get in steps:
            value = get(view, rec)
            if value is not MISSING:
                out[name] = value
        return out

    return render


def _in_mode(node: Node, name: str, one: Field, mode: str) -> bool:
    if name in ("gid", "resource_type") or mode == "all":
        return True
    if mode == "full":
        return not one.opt_in
    return mode == "compact" and name in node.compact


def _step(one: Field, mode: str, tree: Tree) -> Getter:
    get = one.get
    if not one.node:
        return _picking(get, tuple(tree.below)) if mode == "ids" else get
    inner = _build(one.node, mode, tree)

    def single(view: View, rec: Any) -> Any:
        other = get(view, rec)
        if other is None or other is MISSING:
            return other
        view.links += 1
        return inner(view, other)

    def several(view: View, rec: Any) -> Any:
        others = get(view, rec)
        if others is MISSING or not others:
            return others
        view.links += len(others)
        return [inner(view, other) for other in others]

    return several if one.many else single


def _picking(get: Getter, keys: tuple[str, ...]) -> Getter:
    """Named keys of a small structure that is no resource."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: value[key] for key in ("gid", "resource_type", *keys) if key in value}
        return value

    def step(view: View, rec: Any) -> Any:
        value = get(view, rec)
        return [cut(item) for item in value] if isinstance(value, list) else cut(value)

    return step


def value(key: str, default: Any = None, opt_in: bool = False) -> Field:
    return Field(lambda view, rec: rec.get(key, default), opt_in=opt_in)


def told(key: str) -> Field:
    """A conditional value: absent unless the record has it."""
    return Field(lambda view, rec: rec.get(key, MISSING))


def made(get: Getter, opt_in: bool = False) -> Field:
    return Field(get, opt_in=opt_in)


def one(node: str, key: str, opt_in: bool = False) -> Field:
    return Field(lambda view, rec: view.ref(rec.get(key)), node, opt_in=opt_in)


def many(node: str, key: str, opt_in: bool = False) -> Field:
    return Field(lambda view, rec: view.refs(rec.get(key, ())), node, many=True, opt_in=opt_in)


def part(node: str, get: Getter, many: bool = False, opt_in: bool = False) -> Field:
    return Field(get, node, many=many, part=True, opt_in=opt_in)


def head() -> dict[str, Field]:
    return {
        "gid": Field(lambda view, rec: rec["gid"]),
        "resource_type": Field(lambda view, rec: rec["resource_type"]),
    }
