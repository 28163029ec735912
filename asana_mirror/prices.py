"""What requests cost, as far as one can tell from their answers: the records and nested links in them.

Asana publishes no price list: https://developers.asana.com/docs/rate-limits#cost-limits
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asana_mirror.plan import PAGE

SMALLEST_PAGE = 10
UNKNOWN = 10.0  # the price of what was never asked
WEIGHT = 0.1  # of the last answer in the average
DEAR = 2.0  # times the usual price
CALM_ANSWERS = 50  # after so many, pages may grow again


@dataclass
class PageSize:
    """How many records are asked for at a time, and how often that was refused while others passed."""

    limit: int = PAGE
    refused: int = 0
    calm: int = 0


@dataclass
class Prices:
    """Average price by endpoint, and sizes of pages."""

    by_endpoint: dict[str, float] = field(default_factory=dict)
    usual: float = UNKNOWN
    pages: dict[str, PageSize] = field(default_factory=dict)

    def of(self, endpoint: str) -> float:
        """The expected price of a request."""
        return self.by_endpoint.get(endpoint, UNKNOWN)

    def is_dear(self, endpoint: str) -> bool:
        """Whether it costs much more than what is usually asked."""
        return self.of(endpoint) > DEAR * self.usual

    def learn(self, endpoint: str, price: float) -> None:
        """An answer came, and this is what it cost."""
        known = self.by_endpoint.get(endpoint)
        self.by_endpoint[endpoint] = price if known is None else known + WEIGHT * (price - known)
        self.usual += WEIGHT / 10 * (price - self.usual)
        page = self.pages.get(endpoint)
        if page is not None:
            page.calm += 1
            if page.calm >= CALM_ANSWERS:
                page.limit, page.refused, page.calm = min(PAGE, page.limit * 2), 0, 0

    def limit(self, endpoint: str) -> int:
        """Records to ask for in a page."""
        page = self.pages.get(endpoint)
        return page.limit if page else PAGE

    def refused_alone(self, endpoint: str) -> None:
        """It was refused while cheaper requests passed; where that happens again, its pages become smaller."""
        page = self.pages.setdefault(endpoint, PageSize())
        page.refused += 1
        page.calm = 0
        if page.refused > 1:
            page.limit, page.refused = max(SMALLEST_PAGE, page.limit // 2), 0
