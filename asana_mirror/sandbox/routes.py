"""Which path leads to which answer, and which scope it takes."""

from __future__ import annotations

from . import hook_routes
from .absent import ABSENT, nothing
from .goal_routes import GOAL_READS, GOAL_WRITES
from .my_tasks import section, section_tasks, sections
from .reads import (
    Maker,
    Reader,
    Route,
    agents,
    attachments,
    events,
    inside,
    listed,
    listed_projects,
    memberships_of_team,
    memberships_of_user,
    memberships_of_workspace,
    of_team,
    own,
    project_tasks,
    projects,
    shown,
    single,
    stories,
    tag_tasks,
    tags,
    task_list,
    task_list_tasks,
    task_projects,
    tasks,
    team_memberships,
    team_users,
    user_task_list,
    user_team_memberships,
    user_teams,
    users,
    workspace_user,
    workspace_users,
    workspaces,
)
from .reads_org import ORG_READS
from .reads_plan import PLAN_READS
from .reads_time import TIME_READS
from .search import search
from .task_counts import task_counts
from .writes import WRITES
from .writes_plan import PLAN_WRITES

READS: tuple[tuple[str, Reader, str | None], ...] = (
    ("/workspaces", listed("workspace", workspaces), "workspaces:read"),
    ("/workspaces/{}", single("workspace"), "workspaces:read"),
    ("/workspaces/{}/users", workspace_users, "users:read"),
    ("/workspaces/{}/users/{}", workspace_user, "users:read"),
    ("/workspaces/{}/agents", agents, None),
    ("/workspaces/{}/teams", listed("team", inside("team")), "teams:read"),
    ("/workspaces/{}/projects", lambda ask: listed_projects(ask, inside("project")(ask)), "projects:read"),
    ("/workspaces/{}/tags", listed("tag", inside("tag")), "tags:read"),
    (
        "/workspaces/{}/custom_fields",
        listed("custom_field", inside("custom_field"), "full"),
        "custom_fields:read",
    ),
    ("/workspaces/{}/workspace_memberships", listed("workspace_membership", memberships_of_workspace), None),
    ("/workspace_memberships/{}", single("workspace_membership"), None),
    ("/agents/{}", single("agent"), None),
    ("/users", users, "users:read"),
    ("/users/{}", single("user"), "users:read"),
    ("/users/{}/teams", listed("team", user_teams), "teams:read"),
    ("/users/{}/team_memberships", listed("team_membership", user_team_memberships), "team_memberships:read"),
    ("/users/{}/workspace_memberships", listed("workspace_membership", memberships_of_user), None),
    ("/users/{}/user_task_list", user_task_list, "tasks:read"),
    ("/user_task_lists/{}", lambda ask: shown(ask, "user_task_list", task_list(ask)), "tasks:read"),
    ("/user_task_lists/{}/tasks", task_list_tasks, "tasks:read"),
    ("/teams/{}", single("team"), "teams:read"),
    ("/teams/{}/users", team_users, "users:read"),
    ("/teams/{}/projects", lambda ask: listed_projects(ask, of_team(ask, ask.rec("team"))), "projects:read"),
    ("/teams/{}/team_memberships", listed("team_membership", memberships_of_team), "team_memberships:read"),
    ("/team_memberships", listed("team_membership", team_memberships), "team_memberships:read"),
    ("/team_memberships/{}", single("team_membership"), "team_memberships:read"),
    ("/projects", projects, "projects:read"),
    ("/workspaces/{}/tasks/search", search, "tasks:read"),
    ("/projects/{}", single("project"), "projects:read"),
    ("/projects/{}/task_counts", task_counts, "projects:read"),
    ("/projects/{}/sections", sections, None),
    ("/projects/{}/tasks", project_tasks, "tasks:read"),
    (
        "/projects/{}/custom_field_settings",
        listed("custom_field_setting", own("project", "settings"), "full"),
        "projects:read",
    ),
    ("/sections/{}", section, None),
    ("/sections/{}/tasks", section_tasks, "tasks:read"),
    ("/tags", listed("tag", tags), "tags:read"),
    ("/tags/{}", single("tag"), "tags:read"),
    ("/tags/{}/tasks", tag_tasks, "tasks:read"),
    ("/custom_fields/{}", single("custom_field"), "custom_fields:read"),
    ("/tasks", tasks, "tasks:read"),
    ("/tasks/{}", single("task"), "tasks:read"),
    ("/tasks/{}/subtasks", listed("task", own("task", "subtasks")), "tasks:read"),
    ("/tasks/{}/dependencies", listed("task", own("task", "dependencies")), "tasks:read"),
    ("/tasks/{}/dependents", listed("task", own("task", "dependents")), "tasks:read"),
    ("/tasks/{}/projects", listed("project", task_projects), "projects:read"),
    ("/tasks/{}/tags", listed("tag", own("task", "tags")), "tags:read"),
    ("/tasks/{}/stories", stories("task"), "stories:read"),
    ("/stories/{}", single("story"), "stories:read"),
    ("/attachments", attachments, "attachments:read"),
    ("/attachments/{}", single("attachment"), "attachments:read"),
    ("/events", events, None),
)

HOOKS: tuple[tuple[str, str, Reader | Maker, str], ...] = (
    ("POST", "/webhooks", hook_routes.create, "webhooks:write"),
    ("GET", "/webhooks", hook_routes.listed, "webhooks:read"),
    ("GET", "/webhooks/{}", hook_routes.single, "webhooks:read"),
    ("PUT", "/webhooks/{}", hook_routes.update, "webhooks:write"),
    ("DELETE", "/webhooks/{}", hook_routes.delete, "webhooks:delete"),
)

Key = tuple[str, ...]
TABLE: dict[Key, Route] = {}


def add(method: str, template: str, answer: Reader | Maker, scope: str | None) -> None:
    TABLE[(method, *template[1:].split("/"))] = Route(answer, scope, template)


for _template, _answer, _scope in READS:
    add("GET", _template, _answer, _scope)
for _template, _answer, _scope in GOAL_READS:
    add("GET", _template, _answer, _scope)
for _template, _answer, _scope in (*PLAN_READS, *TIME_READS, *ORG_READS):
    add("GET", _template, _answer, _scope)
for _template, _needs, _scope in ABSENT:
    add("GET", _template, nothing(_template, _needs), _scope)
for _method, _template, _answer, _scope in (*WRITES, *GOAL_WRITES):
    add(_method, _template, _answer, _scope)
for _method, _template, _answer, _scope in PLAN_WRITES:
    add(_method, _template, _answer, _scope)
for _method, _template, _hooked, _scope in HOOKS:
    add(_method, _template, _hooked, _scope)


def find(method: str, path: str) -> tuple[Route | None, list[str]]:
    """The route of a path below the API's root, and the gids in it."""
    parts = path[1:].split("/")
    gids = parts[1::2]
    if len(parts) == 4 and (method, parts[0], "{}", parts[2], parts[3]) in TABLE:
        return TABLE[method, parts[0], "{}", parts[2], parts[3]], gids[:1]
    key = (method, *(part if place % 2 == 0 else "{}" for place, part in enumerate(parts)))
    return TABLE.get(key), gids
