"""Worlds with an import, and with more or fewer attachments."""

from __future__ import annotations

from collections import Counter

from asana_mirror.sandbox import World, generate


def instants(world: World) -> Counter[str]:
    return Counter(world.records[gid]["created_at"] for gid in world.tasks)


def test_an_import_is_many_tasks_of_one_instant() -> None:
    world = generate(seed=4, tasks=1000, imported=300)
    [(instant, count), (_, next_count)] = instants(world).most_common(2)
    assert (len(world.tasks), count, next_count) == (1000, 300, 1)
    batch = [rec for rec in world.iter_records("tasks") if rec["created_at"] == instant]
    parents = {rec["parent"]["gid"] for rec in batch if rec["parent"]}
    assert len(parents) > 10
    assert any(world.records[gid]["created_at"] != instant for gid in parents)
    assert any(not rec["parent"] and not rec["projects"] for rec in batch)
    assert any(rec["projects"] for rec in batch)
    assert 0 < sum(world.attachment_count(world.records[rec["gid"]]) > 0 for rec in batch) < 300
    assert {rec["gid"] for rec in batch} <= world.reachable_tasks()


def test_everything_may_be_imported() -> None:
    assert list(instants(generate(seed=4, tasks=60, imported=100)).values()) == [60]


def test_the_share_of_tasks_with_attachments_can_be_chosen() -> None:
    for share in (0.0, 0.02, 0.5, 1.0):
        world = generate(seed=4, tasks=2000, attachments_share=share)
        having = sum(world.attachment_count(world.records[gid]) > 0 for gid in world.tasks)
        assert abs(having / 2000 - share) < 0.03
        assert share not in (0.0, 1.0) or having == share * 2000


def test_another_share_of_attachments_changes_nothing_else() -> None:
    usual, other = generate(seed=4, tasks=300), generate(seed=4, tasks=300, attachments_share=0.6)
    assert [usual.record(gid) for gid in usual.tasks] == [other.record(gid) for gid in other.tasks]
