"""Makes the plans of a world: roles, periods, custom types, capacity, money, absences, favorites, the audit log."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from . import names
from .audit import CATEGORIES
from .draw import DAY_MS, day, iso, millis
from .generate_tasks import CUSTOM_TYPES, FIRST_STATUSES
from .generate_time import add_time
from .plan_records import Planner, add, inside
from .render import Rec

if TYPE_CHECKING:
    from .world import World

BORN_MS = millis("2024-01-01")
UNTIL_MS = millis("2025-11-01")
PERMISSIONS = (
    *("create_app_authorization", "create_pat_authorization", "share_goal_with_domain", "assign_roles"),
    *("share_portfolios_with_org", "manage_roles", "export_project_data", "download_mobile_attachments"),
    *("import_data", "create_global_custom_fields", "upload_attachments", "create_team", "proactive_ai"),
    *("create_and_edit_ai_automations", "standard_ai", "create_and_edit_ai_teammates", "create_project"),
    *("share_teams_with_org", "create_goal", "create_read_only_link", "create_portfolio"),
    *("view_public_teams", "view_shared_with_org_projects", "view_shared_with_org_tasks"),
    "view_shared_with_org_portfolios",
)
ROLES = (  # name, base role, standard, description
    ("Super admin", "super_admin", True, "Manages everything"),
    ("Admin", "admin", True, "Manages people and teams"),
    ("Member", "member", True, ""),
    ("Guest", "guest", True, "Sees what was shared"),
    ("Developer 🛠️", "member", False, "Has exclusive access to create app and PAT tokens."),
    ("مدير المشاريع", "member", False, ""),
)
PERIODS = (  # period, its parent, first month and day, last month and day
    ("FY", None, (1, 1), (12, 31)),
    ("H1", "FY", (1, 1), (6, 30)),
    ("H2", "FY", (7, 1), (12, 31)),
    ("Q1", "H1", (1, 1), (3, 31)),
    ("Q2", "H1", (4, 1), (6, 30)),
    ("Q3", "H2", (7, 1), (9, 30)),
    ("Q4", "H2", (10, 1), (12, 31)),
)
YEARS = (2025, 2026)
PLACEHOLDERS = ("Backend developer", "Designer 🎨", "مترجم")
TYPES = (  # name, its statuses: name, completion state, enabled, color
    (
        "Bug ticket",
        (("Open", "Incomplete", True, "red"), ("Solved ✅", "Complete", True, "green")),
    ),
    (
        "Request",
        (
            ("Accepted", "Incomplete", True, "blue"),
            ("بانتظار الرد", None, True, None),
            ("Closed", "Complete", True, "none"),
            ("Parked", "Incomplete", False, "cool-gray"),
        ),
    ),
    ("Idea 💡", None),
)


def add_plan(world: World) -> Planner:
    """All that stands on people, projects and tasks, after these are made: so they keep their gids."""
    planner = Planner(world)
    for user, workspaces in _token_users(world).items():
        for workspace in workspaces:
            _add_my_tasks(planner, user, workspace)
    _add_roles(planner)
    _add_periods(planner)
    _add_custom_types(planner)
    add_time(planner)
    _add_allocations(planner)
    _add_budgets(planner)
    _add_absences(planner)
    _add_audit_events(planner)
    return planner


def finish_plan(planner: Planner) -> None:
    """What may name anything at all, portfolios and templates too, and so comes after everything."""
    _add_access_requests(planner)
    _add_favorites(planner)


def _token_users(world: World) -> dict[str, list[str]]:
    users = (identity.user for identity in world.identities.values())
    return {user: world.workspaces_of(user) for user in dict.fromkeys(users)}


def _moment(planner: Planner) -> str:
    return iso(planner.rng.randrange(BORN_MS, UNTIL_MS))


# -- My Tasks -----------------------------------------------------------------------------------------


def _add_my_tasks(planner: Planner, user: str, workspace: str) -> None:
    """Two to four sections for one whom a token speaks for: nobody else's can be seen."""
    world, rng = planner.world, planner.rng
    place = {"project": None, "owner": user, "workspace": workspace}
    listed = world.inside["section", world.user_task_list(user, workspace)["gid"]]
    for rec in world.records.values():
        if rec["resource_type"] == "section" and all(rec.get(key) == place[key] for key in place):
            listed.append(rec["gid"])
    for name in ("Recently assigned", "Today", "Later 🕰️", "אחר כך")[len(listed) : rng.randint(2, 4)]:
        section = world.put(
            "section", planner.gid(), name=name, created_at=_moment(planner), tasks=[], **place
        )
        listed.append(section["gid"])
    for gid in world.assigned[user, workspace]:
        world.records[gid]["assignee_section"] = rng.choice([*listed, listed[0]])


# -- the organization ---------------------------------------------------------------------------------


def _add_roles(planner: Planner) -> None:
    rng = planner.rng
    for name, base, standard, description in ROLES:
        powerful = base in ("admin", "super_admin")
        permissions: dict[str, Any] = {right: powerful or rng.random() < 0.6 for right in PERMISSIONS}
        permissions["task_deletion_policy"] = "all" if powerful else rng.choice(("all", "owned", "none"))
        permissions["allowed_guest_invites"] = "none" if base == "guest" else "all"
        made = _moment(planner)
        planner.add(
            "role",
            workspace=planner.org,
            name=name,
            description=description,
            is_standard_role=standard,
            base_role_type=base,
            creation_time=made,
            modified_at=made,
            permissions=permissions,
        )


def _add_periods(planner: Planner) -> None:
    for year in YEARS:
        made: dict[str, str] = {}
        for period, parent, first, last in PERIODS:
            rec = planner.add(
                "time_period",
                workspace=planner.org,
                period=period,
                display_name=f"{period} FY{year % 100}" if period != "FY" else f"FY{year % 100}",
                start_on=date(year, *first).isoformat(),
                end_on=date(year, *last).isoformat(),
                parent=parent and made[parent],
            )
            made[period] = rec["gid"]


def _add_custom_types(planner: Planner) -> None:
    """Two types that tasks have, in all projects with such tasks and in some others, and one nobody uses yet."""
    world = planner.world
    for place, (name, statuses) in enumerate(TYPES):
        gid = CUSTOM_TYPES[place] if place < len(CUSTOM_TYPES) else planner.gid()
        made = add(world, "custom_type", gid, workspace=planner.org, name=name, status_options=None)
        if statuses is not None:
            made["status_options"] = [
                _add_status(planner, made, k, FIRST_STATUSES[place], status)
                for k, status in enumerate(statuses)
            ]
        for project in planner.projects[place : place + 2]:
            project.setdefault("custom_types", []).append(made["gid"])
    for task in (world.records[gid] for gid in world.tasks):
        for project, _ in task.get("memberships", ()) if "custom_type" in task else ():
            held = world.records[project].setdefault("custom_types", [])
            if task["custom_type"] not in held:
                held.append(task["custom_type"])


def _add_status(planner: Planner, kind: Rec, place: int, first: str, status: tuple[Any, ...]) -> str:
    name, state, enabled, color = status
    rec = add(
        planner.world,
        "custom_type_status_option",
        planner.gid() if place else first,
        custom_type=kind["gid"],
        workspace=kind["workspace"],
        name=name,
        completion_state=state,
        enabled=enabled,
        color=color,
    )
    return str(rec["gid"])


# -- capacity and money -------------------------------------------------------------------------------


def _add_allocations(planner: Planner) -> None:
    rng = planner.rng
    holders = [planner.add("placeholder", workspace=planner.org, name=name)["gid"] for name in PLACEHOLDERS]
    for k, project in enumerate(planner.projects):
        for j in range(3 if k == 0 else rng.randint(0, 4)):
            start = BORN_MS + rng.randrange(600) * DAY_MS
            effort = rng.choice(("hours", "percent", None))
            planner.add(
                "allocation",
                workspace=planner.org,
                parent=project["gid"],
                assignee=rng.choice(holders) if (k + j) % 4 == 0 else planner.person(),
                created_by=planner.person(),
                start_date=day(start),
                end_date=day(start + rng.randrange(1, 90) * DAY_MS),
                effort=effort and {"type": effort, "value": rng.choice((4, 7.5, 20, 37.5, 100))},
            )


def _add_budgets(planner: Planner) -> None:
    """Budgets for two projects of five, rates there and in a third one that has no budget."""
    for k, project in enumerate(planner.projects):
        if k % 5 in (0, 3):
            _add_budget(planner, project, k)
        if k % 5 in (0, 1, 3):
            _add_rates(planner, project)


def _add_budget(planner: Planner, project: Rec, k: int) -> None:
    rng = planner.rng
    source = ("tasks", "none", "capacity_plans")[k // 2 % 3]
    planner.add(
        "budget",
        workspace=planner.org,
        parent=project["gid"],
        budget_type="cost" if k % 5 == 0 else "time",
        estimate={
            "billable_status_filter": rng.choice(("billable", "non_billable", "any")),
            "source": source,
            "enabled": source != "none",
        },
        estimates={"time": rng.randrange(600, 60_000), "cost": rng.randrange(50_000) / 4},
        actual={"billable_status_filter": rng.choice(("billable", "any"))},
        total={"enabled": k % 10 != 3},
        totals={"time": rng.randrange(6_000, 90_000), "cost": rng.randrange(1_000, 90_000) + 0.5},
    )


def _add_rates(planner: Planner, project: Rec) -> None:
    rng, world = planner.rng, planner.world
    holders = world.inside["placeholder", planner.org]
    people = rng.sample(planner.people, min(len(planner.people), rng.randint(1, 3)))
    for resource in (*people, rng.choice(holders)):
        planner.add(
            "rate",
            workspace=planner.org,
            parent=project["gid"],
            resource=resource,
            rate=rng.choice((0, 45, 80.5, 99.99, 120)),
            created_by=planner.person(),
        )


# -- people -------------------------------------------------------------------------------------------


def _add_absences(planner: Planner) -> None:
    rng = planner.rng
    for k, user in enumerate(planner.people):
        for _ in range(rng.randint(1, 3) if k % 3 == 0 else 0):
            start = date(2025, 1, 1) + timedelta(days=rng.randrange(700))
            planner.add(
                "ooo_entry",
                workspace=planner.org,
                user=user,
                created_by=rng.choice((user, planner.people[0])),
                start_date=start.isoformat(),
                end_date=(start + timedelta(days=rng.choice((0, 4, 13)))).isoformat(),
            )


def _add_access_requests(planner: Planner) -> None:
    messages = ("Please let me in 🙏", "אפשר להצטרף?", None)
    private = [rec for rec in planner.projects if rec["privacy_setting"] == "private"]
    portfolios = (planner.world.records[gid] for gid in planner.world.inside["portfolio", planner.org])
    private += [rec for rec in portfolios if rec.get("privacy_setting") == "members_only"]
    for k, target in enumerate(private):
        strangers = [user for user in planner.people if user not in inside(target)]
        for j, user in enumerate(strangers[: 1 + k % 3]):
            fields: Rec = {"target": target["gid"], "requester": user, "approval_status": "pending"}
            if messages[(k + j) % 3] is not None:
                fields["message"] = messages[(k + j) % 3]
            planner.add("access_request", workspace=planner.org, **fields)


def _add_audit_events(planner: Planner) -> None:
    rng, world = planner.rng, planner.world
    moments = sorted(iso(millis("2025-08-10") + rng.randrange(80 * DAY_MS)) for _ in range(30))
    for k, moment in enumerate(moments):
        resource = rng.choice((*planner.people, *world.inside["project", planner.org], *world.tasks[:50]))
        context: Rec = rng.choice(
            (
                {"context_type": "api", "api_authentication_method": "service_account"},
                {"context_type": "mobile", "client_ip_address": "198.51.100.4", "user_agent": "Asana/8 (🤖)"},
                {"context_type": "asana", "rule_name": "When a task is added"},
            )
        )
        world.log_audit(
            rng.choice(tuple(CATEGORIES)),
            actor=planner.person(),
            actor_type="asana" if k % 9 == 4 else "user",
            resource=resource,
            details={"old_value": None, "new_value": rng.choice(names.REMARKS)} if k % 2 else {},
            context=context,
            created_at=moment,
            gid=planner.gid(),
        )


def _add_favorites(planner: Planner) -> None:
    """What the users behind the tokens have in their sidebars."""
    world, rng = planner.world, planner.rng
    for user, workspaces in _token_users(world).items():
        for workspace in workspaces:
            most = {"project": 4, "task": 3, "tag": 2, "portfolio": 2, "project_template": 1}
            liked = rng.sample(list(world.members[workspace]), min(2, len(world.members[workspace])))
            for kind, count in most.items():
                gids = _tasks_in(world, workspace) if kind == "task" else world.inside[kind, workspace]
                liked += rng.sample(gids, min(count, len(gids)))
            rng.shuffle(liked)
            world.favorites[user, workspace] = liked


def _tasks_in(world: World, workspace: str) -> list[str]:
    return [gid for gid in world.tasks[:2000] if world.records[gid]["workspace"] == workspace]
