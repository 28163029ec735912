"""The audit log: who did what to which record, kept as it happens and never changed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plan_records import add
from .render import NODES, Node, Rec, value

if TYPE_CHECKING:
    from .world import World

KIND = "audit_log_event"
CATEGORIES = {
    "user_login_succeeded": "logins",
    "user_login_failed": "logins",
    "user_invited": "user_updates",
    "user_deprovisioned": "user_updates",
    "user_workspace_admin_role_changed": "roles",
    "workspace_password_requirements_changed": "admin_settings",
    "team_privacy_settings_changed": "access_control",
    "project_privacy_settings_changed": "access_control",
    "task_deleted": "deletion",
    "project_deleted": "deletion",
    "attachment_downloaded": "content_export",
    "personal_access_token_created": "apps",
    "oauth_app_authorized": "apps",
    "rule_created": "rules",
}


class AuditLog:
    """Events of the organization, oldest first; `forget` drops old ones, as Asana does after 90 days."""

    def __init__(self, world: World) -> None:
        self.world = world

    def write(
        self,
        event_type: str,
        *,
        actor: str | None = None,
        resource: str | None = None,
        actor_type: str = "user",
        details: Rec | None = None,
        context: Rec | None = None,
        created_at: str | None = None,
        gid: str | None = None,
    ) -> Rec:
        """Add an event; actor and resource are gids, `created_at` is now unless told."""
        world = self.world
        return add(
            world,
            KIND,
            gid,
            workspace=world.workspaces[0],
            created_at=created_at or world.now(),
            event_type=event_type,
            event_category=CATEGORIES.get(event_type, "other"),
            actor=_actor(world.records[actor or world.me])
            if actor_type == "user"
            else {"actor_type": actor_type},
            resource=_resource(world.find(resource or world.workspaces[0]) or {}),
            details=details or {},
            context=context
            or {"context_type": "web", "client_ip_address": "192.0.2.7", "user_agent": "Mozilla/5.0"},
        )

    def forget(self, before: str) -> int:
        """Delete the events older than this time for good; how many there were."""
        held = self.world.inside[KIND, self.world.workspaces[0]]
        old = [gid for gid in held if self.world.records[gid]["created_at"] < before]
        for gid in old:
            held.remove(gid)
            del self.world.records[gid]
        return len(old)


def _actor(rec: Rec) -> Rec:
    return {"actor_type": "user", "gid": rec["gid"], "name": rec["name"], "email": rec.get("email")}


def _resource(rec: Rec) -> Rec:
    found: Rec = {
        key: rec[key] for key in ("resource_type", "resource_subtype", "gid", "email") if key in rec
    }
    return {**found, "name": rec.get("name")}


_FIELDS: tuple[str, ...] = (
    *("gid", "created_at", "event_type", "event_category"),
    *("actor", "resource", "details", "context"),
)
NODES[KIND] = Node({name: value(name) for name in _FIELDS}, _FIELDS)
