"""Which lists a run asks for: few of a kind that is not offered, those of every field, by age those of a workspace."""

from __future__ import annotations

from pathlib import Path

from worlds import mirror, rows, value

from asana_mirror.sandbox import Limits, create_app, generate
from asana_mirror.words import Scope


def test_a_kind_that_is_not_offered_is_asked_for_a_few_times_however_many_parents_there_are(
    tmp_path: Path,
) -> None:
    world = generate(31, 60, projects=40, users=5)
    world.refuse("/budgets", 402)
    app = create_app(world, limits=Limits(latency_s=0.02))
    mirror(world, tmp_path / "m.db", app, scope=Scope(only=("budgets",)))
    asked = value(tmp_path / "m.db", "SELECT requests FROM sync_requests WHERE endpoint = '/budgets'")
    assert 3 <= asked <= 8


def test_members_of_fields_that_stand_in_settings_only_are_asked_for_as_well(tmp_path: Path) -> None:
    world = generate(32, 30, projects=3, users=5)
    mirror(world, tmp_path / "m.db", create_app(world))
    local = rows(tmp_path / "m.db", "SELECT gid FROM custom_fields WHERE is_global_to_workspace = 0")
    read = "SELECT parent_gid FROM sync_checkpoints WHERE name = 'custom_field_memberships'"
    assert local
    assert {row["gid"] for row in local} <= {row["parent_gid"] for row in rows(tmp_path / "m.db", read)}


def test_a_run_narrowed_to_a_workspace_reads_by_age_what_stands_there(tmp_path: Path) -> None:
    world = generate(33, 30, projects=3, users=5)
    app, path, scope = create_app(world), tmp_path / "m.db", Scope(workspaces=(world.workspaces[0],))
    mirror(world, path, app, scope=scope)
    role = next(iter(world.iter_records("roles")))["gid"]
    world.records[role]["name"] = "Renamed"
    mirror(world, path, app, scope=scope, max_age_s=0.0)
    assert value(path, "SELECT name FROM roles WHERE gid = ?", role) == "Renamed"
