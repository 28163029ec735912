"""Random edits."""

from __future__ import annotations

from .world import World


def random_edits(world: World, n: int, seed: int) -> list[str]:
    return []
