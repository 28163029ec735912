"""What people browse of access, reactions and the audit log: everything has its name."""

from __future__ import annotations

import json

from test_views import Mirror, at
from test_views import mirror as mirror
from test_views_plan import MEMBERSHIPS, query


def test_access_of_all_kinds_stands_together(mirror: Mirror) -> None:
    mirror.living("teams", "team", name="Sales")
    for kind, table in MEMBERSHIPS.items():
        mirror.living(table, f"a {kind}", name=f"Some {kind}")
        for member, member_type in (("ada", "user"), ("bot", "agent"), ("team", "team"), ("unseen", None)):
            ends = {"parent_gid": f"a {kind}", "member_gid": member, "member_type": member_type}
            mirror.living(f"{kind}_memberships", f"{kind} {member}", access_level="brand_new", **ends)
    rows = mirror.rows("who_has_access")
    assert len(rows) == len(MEMBERSHIPS) * 4
    assert {(row["resource"], row["parent_type"], row["parent"]) for row in rows} == {
        (f"{kind}_memberships", kind, f"Some {kind}") for kind in MEMBERSHIPS
    }
    assert {row["member_gid"]: row["member"] for row in rows} == {
        "ada": "Ada", "bot": "Bot", "team": "Sales", "unseen": None,
    }  # fmt: skip


def test_only_requests_that_wait_are_open(mirror: Mirror) -> None:
    mirror.living("portfolios", "f", name="Future")
    mirror.living("goals", "g", name="Earn")
    asked: list[tuple[str, str | None, str]]
    asked = [("1", "pending", "f"), ("2", "approved", "f"), ("3", "brand_new", "f"), ("4", None, "f")]
    asked += [("5", "pending", "g"), ("6", "pending", "p"), ("7", "pending", "unseen")]
    for gid, status, target in asked:
        mirror.living("access_requests", gid, approval_status=status, requester_gid="ada", target_gid=target)
    found = [(row["gid"], row["requester"], row["target"]) for row in mirror.rows("open_access_requests")]
    assert found == [
        ("1", "Ada", "Future"), ("5", "Ada", "Earn"), ("6", "Ada", "Launch"), ("7", "Ada", None),
    ]  # fmt: skip


def test_reactions_show_what_they_were_given_to(mirror: Mirror) -> None:
    mirror.comment("s", text="x" * 100, created_by_gid="bot", created_at=at(-1))
    mirror.living("status_updates", "u", title="Going well", author_gid="ada")
    for target in ("s", "u", "unseen"):
        mirror.living("reactions", f"on {target}", emoji="👍", user_gid="cy", target_gid=target)
    rows = {row["target_gid"]: row for row in mirror.rows("reactions_given")}
    assert {gid: (row["person"], row["target"], row["author"]) for gid, row in rows.items()} == {
        "s": ("Cy", "x" * 80, "Bot"), "u": ("Cy", "Going well", "Ada"), "unseen": ("Cy", None, None),
    }  # fmt: skip


def test_the_audit_log_is_taken_apart(mirror: Mirror) -> None:
    parts = {
        "actor": {"gid": "ada", "name": "Ada then", "actor_type": "user", "email": "a@example.com"},
        "resource": {"gid": "p", "resource_type": "project", "name": "Launch then"},
        "details": {"old_value": "public", "new_value": {"to": "private"}},
        "context": {"context_type": "api", "api_authentication_method": "oauth", "oauth_app_name": "App"},
    }
    mirror.living("audit_log_events", "e", **{name: json.dumps(part) for name, part in parts.items()})
    (row,) = mirror.rows("audit_log")
    expected = {
        "actor": "Ada then", "actor_type": "user", "actor_email": "a@example.com", "actor_gid": "ada",
        "resource": "Launch then", "resource_type": "project", "resource_gid": "p", "old_value": "public",
        "new_value": '{"to":"private"}', "context_type": "api", "authentication": "oauth", "app_or_rule": "App",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_favorites_have_names_of_every_kind(mirror: Mirror) -> None:
    mirror.task("t")
    named = {"portfolios": "portfolio", "tags": "tag", "project_templates": "project_template"}
    for table, kind in named.items():
        mirror.living(table, table, name=f"Some {kind}")
    favorites = [("p", "project"), ("t", "task"), ("ada", "user"), ("x", "brand_new"), *named.items()]
    for position, (gid, kind) in enumerate(favorites):
        mirror.put("favorites", workspace_gid="w", item_gid=gid, item_type=kind, position=position)
    found = [row["name"] for row in mirror.rows("my_favorites", "1 ORDER BY position")]
    assert found == ["Launch", "Task t", "Ada", None, "Some portfolio", "Some tag", "Some project_template"]


def test_access_through_a_team_is_access(mirror: Mirror) -> None:
    mirror.living("teams", "t", name="Sales")
    mirror.living("team_memberships", "m", user_gid="ada", team_gid="t")
    for gid, member in (("1", "ada"), ("2", "t"), ("3", "bot")):
        mirror.living("project_memberships", gid, parent_gid="p", member_gid=member, access_level="editor")
    found = [(row["name"], row["through_team"]) for row in query(mirror, "access_of_member", member="ad")]
    assert sorted(found, key=str) == [("Ada", "Sales"), ("Ada", None)]
    assert len(query(mirror, "access_of_member", member="sales")) == 1
    assert query(mirror, "access_of_member") == []
