"""What a benchmark says: a figure, and the target that it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure. Without `at_most` and `at_least` it only explains others."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        bounds = [f"≤ {self.at_most:,g}"] if self.at_most is not None else []
        bounds += [f"≥ {self.at_least:,g}"] if self.at_least is not None else []
        return ", ".join(bounds)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}
