"""What Asana does not offer to this token: learned from a few refusals, so that not every parent is asked for."""

from __future__ import annotations

from collections import Counter

from asana_mirror.catalog import Listing
from asana_mirror.visibility import is_for_good
from asana_mirror.words import Step

ENOUGH = 3  # refusals of one kind in one workspace, and not one answer

Kind = tuple[str, str | None]  # a listing's name and the workspace


class NotOffered:
    """One run's knowledge of kinds of lists that a plan does not include, or the token's scopes do not reach.

    Only kinds that are asked for by age: of the others each list is asked.
    """

    def __init__(self) -> None:
        self._refused: Counter[Kind] = Counter()
        self._words: dict[Kind, tuple[int, str]] = {}
        self._answered: set[Kind] = set()
        self._met: set[str] = (
            set()
        )  # kinds of which any list was answered, or refused for a reason of its own

    def refused(self, step: Step, status: int, message: str) -> None:
        """A list was refused: by the plan (402), by a scope that is missing (403), or for a reason of its own."""
        if not is_for_good(status, message):
            self._met.add(step.listing.name)
        elif step.listing.is_patient:
            kind = _kind(step)
            self._refused[kind] += 1
            self._words[kind] = status, message

    def answered(self, step: Step) -> None:
        """A list was shown, so that others of its kind may be as well."""
        self._met.add(step.listing.name)
        if step.listing.is_patient:
            self._answered.add(_kind(step))

    def is_answered(self, listing: Listing) -> bool:
        """Whether a list of this kind is worth asking for without waiting for what becomes of the first ones."""
        return not listing.is_patient or listing.name in self._met

    def here(self, step: Step) -> tuple[int, str] | None:
        """Status and words with which this list would be refused; None where it is worth asking."""
        kind = _kind(step)
        if self._refused[kind] < ENOUGH or kind in self._answered:
            return None
        return self._words[kind]


def _kind(step: Step) -> Kind:
    return step.listing.name, step.workspace_gid
