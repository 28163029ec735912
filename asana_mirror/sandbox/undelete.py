"""Brings back what was deleted, which Asana lets people do but not its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .change_places import restore_project
from .change_stories import restore_story
from .change_tasks import restore_task

if TYPE_CHECKING:
    from .world import World


def undelete(world: World, by: str, gid: str) -> bool:
    """False when this gid is not in the trash by itself, or what it belongs to still is."""
    rec = world.records.get(gid) or world.story(gid)
    if rec is None or rec.get("trashed") != gid:
        return False
    if rec["resource_type"] == "task":
        return restore_task(world, by, rec)
    if rec["resource_type"] == "project":
        return restore_project(world, by, rec)
    if rec["resource_type"] == "story" and world.alive(rec["target"]):
        restore_story(world, by, rec)
        return True
    return False
