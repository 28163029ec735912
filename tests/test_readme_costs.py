"""What the README says of each kind of thing beyond the work itself is what the catalog does."""

from __future__ import annotations

import re
from pathlib import Path

from asana_mirror.catalog import LISTINGS, NAMES, Listing

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
TABLE = README.partition("| `--skip` |")[2].partition("\n\n")[0]

# The work itself: its lists are told of in prose.
THE_WORK = {
    *("workspaces", "users", "agents", "teams", "team_memberships", "projects", "sections", "tags"),
    *("custom_fields", "tasks", "stories", "attachments"),
}


def again(listing: Listing) -> str:
    """When a list is read after the first time, in the words of the README."""
    if listing.each_run:
        return "each run"
    often = {1: "each day", 7: "each week"}.get(listing.by_age)
    when = "when its parent changes" if "*" in listing.when else "when news shows" if listing.when else None
    return ", ".join(filter(None, (often, when)))


def rows() -> dict[str, tuple[str, str]]:
    """Name → (one list for each of, when it is read again), as the README has it."""
    found = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]+) \| ([^|]+) \|$", TABLE, re.MULTILINE)
    return {name: (per.strip(), told.strip()) for name, per, told in found}


def test_each_kind_is_in_the_table_and_no_other() -> None:
    assert set(rows()) == set(NAMES) - THE_WORK


def test_the_table_says_what_each_list_costs_and_when_it_is_read_again() -> None:
    for name, (_, told) in rows().items():
        lists = [one for one in LISTINGS.values() if one.resource == name and not one.on_demand]
        assert told == " or ".join(dict.fromkeys(again(one) for one in lists)), name


def test_the_table_says_below_what_each_list_stands() -> None:
    for name, (per, _) in rows().items():
        lists = [one for one in LISTINGS.values() if one.resource == name and not one.on_demand]
        parents = dict.fromkeys((one.opener or str(one.below)).replace("_", " ") for one in lists)
        assert all(parent.removesuffix("s").removesuffix("ie") in per for parent in parents), (name, per)
