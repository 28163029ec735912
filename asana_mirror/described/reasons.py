"""What Asana describes and the mirror does without, each with its reason.

Fields that a resource leaves out have their reasons in its catalog entry. A test fails for what is missing here, and
for what need not be here any more.
"""

from __future__ import annotations

# GETs that nothing in the catalog or in `wire` asks for.
OPERATIONS: dict[str, str] = {
    # other ways to records that are read otherwise
    "/goals/{goal_gid}/custom_field_settings": "A goal's settings come inside the goal.",
    "/goals/{goal_gid}/parentGoals": "The relationships of the goals above say the same, for all goals at once.",
    "/portfolio_memberships": "Deprecated in favour of /memberships, which is read for each portfolio.",
    "/portfolio_memberships/{portfolio_membership_gid}": "Deprecated in favour of /memberships/{membership_gid}.",
    "/portfolios/{portfolio_gid}/custom_field_settings": "A portfolio's settings come inside the portfolio.",
    "/portfolios/{portfolio_gid}/portfolio_memberships": "Deprecated in favour of /memberships.",
    "/portfolios/{portfolio_gid}/project_portfolio_settings": "The same records are listed below their projects.",
    "/project_memberships/{project_membership_gid}": "The same record is read at /memberships/{membership_gid}.",
    "/projects/{project_gid}/custom_field_settings": "A project's settings come inside the project.",
    "/projects/{project_gid}/project_memberships": "The same records are listed by /memberships.",
    "/tags": "The tags of each workspace are listed below it.",
    "/tasks/{task_gid}/dependencies": "A task's dependencies come inside the task.",
    "/tasks/{task_gid}/dependents": "They are the other side of dependencies, which come inside the tasks.",
    "/tasks/{task_gid}/projects": "A task's projects come inside the task, as its memberships.",
    "/tasks/{task_gid}/tags": "A task's tags come inside the task.",
    "/tasks/{task_gid}/time_tracking_entries": "The workspace lists the entries of all tasks at once.",
    "/team_memberships": "The memberships of each team are listed below it.",
    "/teams/{team_gid}/custom_field_settings": "A team's settings come inside the team.",
    "/teams/{team_gid}/project_templates": "The workspace lists the templates of all teams at once.",
    "/teams/{team_gid}/users": "Who is in a team is said by its memberships, and this list ends at 2,000.",
    "/time_tracking_categories/{time_tracking_category_gid}/time_tracking_entries": (
        "The workspace lists the entries of all categories at once, with their categories."
    ),
    "/user_task_lists/{user_task_list_gid}/tasks": "The tasks of each person are listed by their assignee.",
    "/users/{user_gid}/team_memberships": "The same records are listed below their teams.",
    "/users/{user_gid}/teams": "Who is in a team is said by its memberships.",
    "/users/{user_gid}/workspace_memberships": "The same records are listed below their workspaces.",
    "/workspaces/{workspace_gid}/projects": "The same records are listed by /projects?workspace=.",
    "/workspaces/{workspace_gid}/tasks/custom_id/{custom_id}": (
        "It looks one task up by its custom ID; the mirror has the task and that field's value."
    ),
    "/workspaces/{workspace_gid}/users": "The same records are listed by /users?workspace=, beyond 2,000 too.",
    "/workspaces/{workspace_gid}/users/{user_gid}": "The same record is read at /users/{user_gid}.",
    # no records of the workspace's
    "/jobs/{job_gid}": "It tells of a job that a client has begun, and the mirror begins none.",
    "/organization_exports/{organization_export_gid}": "It tells of an export that a client has ordered.",
    "/workspaces/{workspace_gid}/events": (
        "Only service accounts of Enterprise+ may follow it, and the projects' own streams tell the same of the work."
    ),
    "/workspaces/{workspace_gid}/projects/search": "It finds what the list of projects shows anyway.",
    "/workspaces/{workspace_gid}/typeahead": "It guesses what a person is typing, and shows what lists show anyway.",
}

# Answers of which no table is made.
SCHEMAS: dict[str, str] = {
    "AsanaNamedResource": "It is a name in a list of several kinds, of which the gid and the type are kept as links.",
    "BatchResponse": "It holds the answers to several requests, and the mirror sends each by itself.",
    "EmptyResponse": "It has no fields.",
    "ErrorResponse": "It is a refusal, of which sync_problems keeps the message.",
    "EventResponse": "It is a notice of a change, followed and then let go of.",
    "GraphExportResponse": "It tells of an export that a client has ordered.",
    "JobResponse": "It tells of a job that a client has begun.",
    "OrganizationExportResponse": "It tells of an export that a client has ordered.",
    "ResourceExportResponse": "It tells of an export that a client has ordered.",
    "RuleTriggerResponse": "It confirms that a client has set off a rule.",
    "TaskCountResponse": "It holds counts, which the mirror's own rows give.",
}

# Answers that show records of a resource in other words: field by field they say what its table says.
SAME_RECORDS: dict[str, str] = {
    "DeprecatedPortfolioMembershipCompact": "portfolio_memberships",
    "DeprecatedPortfolioMembershipResponse": "portfolio_memberships",
    "ProjectMembershipCompact": "project_memberships",
    "ProjectMembershipNormalResponse": "project_memberships",
}

_VALUES = "The description names it for the custom fields of tasks and leaves it out here, where the same values stand."
_ENTRIES = "A list answers with any field that is named; records that come without are read by themselves."
_RECIPE = "The recipe by its bare name is its name alone."

# Fields that are asked for by name although the description does not list them: resource → field → why.
# What ends with a dot stands for all that begins with it.
ASKED_BEYOND: dict[str, dict[str, str]] = {
    "agents": {"created_by": "It is announced with the agents, and not described yet."},
    "goals": dict.fromkeys(
        ("custom_fields.people_value", "custom_fields.reference_value", "custom_fields.resource_subtype"),
        _VALUES,
    ),
    "portfolios": dict.fromkeys(
        ("custom_fields.people_value", "custom_fields.reference_value", "custom_fields.resource_subtype"),
        _VALUES,
    ),
    "task_templates": {"template.": _RECIPE},
    "time_tracking_entries": dict.fromkeys(
        ("approval_status", "billable_status", "created_at", "description", "task"), _ENTRIES
    ),
}
