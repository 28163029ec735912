"""Listings of which this world has no records: they answer, page and refuse like any other, but are empty."""

from __future__ import annotations

from .asks import Ask, Refused, bad, unknown
from .pages import of_gids, page
from .reads import Answer, Reader

ABSENT: tuple[tuple[str, tuple[str, ...], str | None], ...] = (  # path, what it needs, scope
    ("/access_requests", ("target",), None),
    ("/allocations", (), None),
    ("/budgets", ("parent",), None),
    ("/custom_types", ("project",), None),
    ("/goal_relationships", ("supported_goal",), None),
    ("/goals", (), "goals:read"),
    ("/ooo_entries", ("user", "workspace"), "ooo_entries:read"),
    ("/portfolio_memberships", (), None),
    ("/portfolios", ("workspace",), "portfolios:read"),
    ("/project_templates", (), "project_templates:read"),
    ("/projects/{}/project_portfolio_settings", (), "project_portfolio_settings:read"),
    ("/projects/{}/project_statuses", (), None),
    ("/rates", ("parent",), None),
    ("/reactions", ("target", "emoji_base"), None),
    ("/roles", (), "roles:read"),
    ("/status_updates", ("parent",), None),
    ("/task_templates", ("project",), "task_templates:read"),
    ("/tasks/{}/time_tracking_entries", (), "time_tracking_entries:read"),
    ("/teams/{}/custom_field_settings", (), "teams:read"),
    ("/teams/{}/project_templates", (), "project_templates:read"),
    ("/time_periods", ("workspace",), None),
    ("/time_tracking_categories", ("workspace",), "time_tracking_categories:read"),
    ("/time_tracking_entries", (), "time_tracking_entries:read"),
    ("/timesheet_approval_statuses", ("workspace",), None),
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
        if ask.world.plan == "free" and template in ("/portfolios", "/goals"):
            raise Refused(402, "This feature requires a premium plan")
        return page(ask, of_gids(ask, "named", []))

    return answer
