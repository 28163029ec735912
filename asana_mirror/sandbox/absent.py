"""Listings of which this world has no records: they answer, page and refuse like any other, but are empty."""

from __future__ import annotations

from .asks import Ask, bad, unknown
from .pages import of_gids, page
from .reads import Answer, Reader

ABSENT: tuple[tuple[str, tuple[str, ...], str | None], ...] = (  # path, what it needs, scope
    ("/teams/{}/custom_field_settings", (), "teams:read"),
)
OWNERS = ("parent", "project", "workspace", "target")


def nothing(template: str, needs: tuple[str, ...]) -> Reader:
    """An empty listing of a path; 400 without what it needs, 404 when its owner is unknown."""
    kind = template.split("/")[1].removesuffix("s") if "{}" in template else ""

    def answer(ask: Ask) -> Answer:
        if kind:
            ask.rec(kind)
        for name in needs:
            if name not in ask.query:
                raise bad(f"{name}: Missing input")
        for name in OWNERS:
            gid = ask.query.get(name)
            rec = ask.world.find(gid) if gid else None
            if gid and (rec is None or not ask.sees(rec)):
                raise unknown(name, gid)
        return page(ask, of_gids(ask, "named", []))

    return answer
