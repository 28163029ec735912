"""The paths of goals, portfolios, status updates, briefs, templates, reactions and memberships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import change_goals, change_places, change_portfolios, change_sharing, change_status
from .asks import Ask, bad
from .change_stories import add_comment
from .reads import Answer, Reader, shown, single, stories
from .reads_goals import (
    goal_relationships,
    goals,
    parent_goals,
    project_status,
    project_statuses,
    reactions,
    settings,
    status_of_project,
    status_updates,
)
from .reads_portfolios import (
    items,
    listed_below,
    portfolios,
    project_templates,
    task_templates,
    team_project_templates,
)
from .render import Rec
from .sharing import find_membership, membership, memberships, older, older_single, portfolio_memberships
from .writes import NOTHING, by, done, made, made_in, people, trashed, updated

SETTING = "project_portfolio_setting"

GOAL_READS: tuple[tuple[str, Reader, str | None], ...] = (
    ("/status_updates", status_updates, None),
    ("/status_updates/{}", single("status_update"), None),
    ("/projects/{}/project_statuses", project_statuses, None),
    ("/project_statuses/{}", project_status, None),
    ("/project_briefs/{}", single("project_brief"), None),
    ("/portfolios", portfolios, "portfolios:read"),
    ("/portfolios/{}", single("portfolio"), "portfolios:read"),
    ("/portfolios/{}/items", items, "portfolios:read"),
    ("/portfolios/{}/custom_field_settings", settings("portfolio"), "portfolios:read"),
    ("/portfolios/{}/portfolio_memberships", older("portfolio"), None),
    ("/portfolios/{}/project_portfolio_settings", listed_below(SETTING, "portfolio"), f"{SETTING}s:read"),
    ("/projects/{}/project_portfolio_settings", listed_below(SETTING, "project"), f"{SETTING}s:read"),
    ("/project_portfolio_settings/{}", single(SETTING), f"{SETTING}s:read"),
    ("/portfolio_memberships", portfolio_memberships, None),
    ("/portfolio_memberships/{}", older_single("portfolio"), None),
    ("/projects/{}/project_memberships", older("project"), None),
    ("/project_memberships/{}", older_single("project"), None),
    ("/memberships", memberships, None),
    ("/memberships/{}", membership, None),
    ("/goals", goals, "goals:read"),
    ("/goals/{}", single("goal"), "goals:read"),
    ("/goals/{}/parentGoals", parent_goals, "goals:read"),
    ("/goals/{}/custom_field_settings", settings("goal"), "goals:read"),
    ("/goals/{}/stories", stories("goal"), "stories:read"),
    ("/goal_relationships", goal_relationships, None),
    ("/goal_relationships/{}", single("goal_relationship"), None),
    ("/project_templates", project_templates, "project_templates:read"),
    ("/project_templates/{}", single("project_template"), "project_templates:read"),
    ("/teams/{}/project_templates", team_project_templates, "project_templates:read"),
    ("/task_templates", task_templates, "task_templates:read"),
    ("/task_templates/{}", single("task_template"), "task_templates:read"),
    ("/reactions", reactions, None),
)


def given(change: Callable[..., Any]) -> Callable[[Ask, Rec], Any]:
    """A change of the record in the path that takes the whole body."""
    return lambda ask, rec: change(ask.world, by(ask), rec, ask.body)


def setting_gone(ask: Ask, place: Rec) -> None:
    change_places.remove_setting(ask.world, by(ask), place, str(ask.body.get("custom_field")))


def _related(ask: Ask) -> Answer:
    rec = change_goals.relate(ask.world, by(ask), ask.rec("goal"), ask.body)
    return shown(ask, "goal_relationship", rec)


def _settings_added(kind: str) -> Reader:
    return made_in("custom_field_setting", kind, change_places.add_setting)


# -- memberships --------------------------------------------------------------------------------------


def _share(ask: Ask) -> Answer:
    for key in ("parent", "member"):
        if not ask.body.get(key):
            raise bad(f"{key}: Missing input")
    rec = change_sharing.share(ask.world, by(ask), ask.body)
    return shown(ask, rec["node"], rec)


def _set_level(ask: Ask) -> Answer:
    rec = find_membership(ask, ask.gids[0])
    change_sharing.set_level(ask.world, by(ask), rec, ask.body)
    return membership(ask)


def _unshare(ask: Ask) -> Answer:
    change_sharing.unshare(ask.world, by(ask), find_membership(ask, ask.gids[0]))
    return NOTHING


def _trash_project_status(ask: Ask) -> Answer:
    change_status.trash_status(ask.world, by(ask), status_of_project(ask))
    return NOTHING


WRITES_OF_STATUS: tuple[tuple[str, str, Reader, str | None], ...] = (
    ("POST", "/status_updates", made("status_update", change_status.post_status), None),
    ("DELETE", "/status_updates/{}", trashed("status_update", change_status.trash_status), None),
    (
        "POST",
        "/projects/{}/project_statuses",
        made_in("project_status", "project", change_status.post_project_status),
        None,
    ),
    ("DELETE", "/project_statuses/{}", _trash_project_status, None),
    (
        "POST",
        "/projects/{}/project_briefs",
        made_in("project_brief", "project", change_status.write_brief),
        None,
    ),
    ("PUT", "/project_briefs/{}", updated("project_brief", change_status.edit_brief), None),
    ("DELETE", "/project_briefs/{}", trashed("project_brief", change_status.trash_brief), None),
)
WRITES_OF_PORTFOLIOS: tuple[tuple[str, str, Reader, str | None], ...] = (
    ("POST", "/portfolios", made("portfolio", change_portfolios.create_portfolio), "portfolios:write"),
    ("PUT", "/portfolios/{}", updated("portfolio", change_portfolios.update_portfolio), "portfolios:write"),
    ("DELETE", "/portfolios/{}", trashed("portfolio", change_portfolios.trash), None),
    (
        "POST",
        "/portfolios/{}/addItem",
        done("portfolio", given(change_portfolios.add_item)),
        "portfolios:write",
    ),
    (
        "POST",
        "/portfolios/{}/removeItem",
        done("portfolio", given(change_portfolios.remove_item)),
        "portfolios:write",
    ),
    ("POST", "/portfolios/{}/addMembers", done("portfolio", people("members", True), "portfolio"), None),
    ("POST", "/portfolios/{}/removeMembers", done("portfolio", people("members", False), "portfolio"), None),
    ("POST", "/portfolios/{}/addCustomFieldSetting", _settings_added("portfolio"), "portfolios:write"),
    (
        "POST",
        "/portfolios/{}/removeCustomFieldSetting",
        done("portfolio", setting_gone),
        "portfolios:write",
    ),
    (
        "PUT",
        "/project_portfolio_settings/{}",
        updated(SETTING, change_portfolios.update_setting),
        f"{SETTING}s:write",
    ),
    ("DELETE", "/project_templates/{}", trashed("project_template", change_portfolios.trash), None),
    ("DELETE", "/task_templates/{}", trashed("task_template", change_portfolios.trash), None),
)
WRITES_OF_GOALS: tuple[tuple[str, str, Reader, str | None], ...] = (
    ("POST", "/goals", made("goal", change_goals.create_goal), None),
    ("PUT", "/goals/{}", updated("goal", change_goals.update_goal), None),
    ("DELETE", "/goals/{}", trashed("goal", change_portfolios.trash), None),
    ("POST", "/goals/{}/addSupportingRelationship", _related, None),
    ("POST", "/goals/{}/removeSupportingRelationship", done("goal", given(change_goals.unrelate)), None),
    ("POST", "/goals/{}/setMetric", done("goal", given(change_goals.set_metric), "goal"), None),
    (
        "POST",
        "/goals/{}/setMetricCurrentValue",
        done("goal", given(change_goals.set_metric_value), "goal"),
        None,
    ),
    ("POST", "/goals/{}/addFollowers", done("goal", people("followers", True), "goal"), None),
    ("POST", "/goals/{}/removeFollowers", done("goal", people("followers", False), "goal"), None),
    ("POST", "/goals/{}/addCustomFieldSetting", _settings_added("goal"), "goals:write"),
    ("POST", "/goals/{}/removeCustomFieldSetting", done("goal", setting_gone), "goals:write"),
    ("POST", "/goals/{}/stories", made_in("story", "goal", add_comment), "stories:write"),
    (
        "PUT",
        "/goal_relationships/{}",
        updated("goal_relationship", change_goals.update_relationship),
        None,
    ),
)
WRITES_OF_SHARING: tuple[tuple[str, str, Reader, str | None], ...] = (
    ("POST", "/memberships", _share, None),
    ("PUT", "/memberships/{}", _set_level, None),
    ("DELETE", "/memberships/{}", _unshare, None),
)
GOAL_WRITES = (*WRITES_OF_STATUS, *WRITES_OF_PORTFOLIOS, *WRITES_OF_GOALS, *WRITES_OF_SHARING)
