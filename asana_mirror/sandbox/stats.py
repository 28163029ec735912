"""Counts what was asked of the sandbox, so that a test or a benchmark can say what it cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

DELIVERIES = ("made", "refused", "retried", "lost", "doubled", "late")


class Stats:
    def __init__(self) -> None:
        self.by_route: Counter[tuple[str, str, int]] = Counter()  # (method, route template, status)
        self.requests = 0
        self.refused = 0  # with 429
        self.early = 0  # came although they had been told to wait
        self.in_flight = 0
        self.most_in_flight = 0
        self.records = 0
        self.bytes = 0
        self.cost = 0
        # webhooks: made (answered with 2xx), refused, retried; lost, doubled and late ones
        self.deliveries: Counter[str] = Counter()

    def begin(self) -> None:
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self, method: str, template: str, status: int) -> None:
        self.in_flight -= 1
        self.by_route[method, template, status] += 1
        self.refused += status == 429

    @property
    def accepted(self) -> int:
        return self.requests - self.refused

    def count(self, method: str | None = None, template: str | None = None, status: int | None = None) -> int:
        """Requests that match everything given."""
        wanted = (method, template, status)
        return sum(
            number
            for key, number in self.by_route.items()
            if all(want is None or want == have for want, have in zip(wanted, key, strict=True))
        )

    def as_json(self) -> dict[str, Any]:
        routes = [
            {"method": method, "route": template, "status": status, "requests": number}
            for (method, template, status), number in sorted(self.by_route.items())
        ]
        names = ("requests", "accepted", "refused", "early", "most_in_flight", "records", "bytes", "cost")
        whole = {name: getattr(self, name) for name in names} | {"routes": routes}
        return whole | {"deliveries": {kind: self.deliveries[kind] for kind in DELIVERIES}}

    def reset(self) -> None:
        in_flight = self.in_flight
        self.__init__()  # type: ignore[misc]
        self.in_flight = in_flight
