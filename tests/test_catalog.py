"""What the catalog promises beyond what Asana's description tells (that is held against it in test_coverage)."""

from __future__ import annotations

from asana_mirror.catalog import LISTINGS, RESOURCES, opt_fields


def test_opt_in_fields_are_asked_for_by_name() -> None:
    asked = opt_fields("tasks").split(",")
    for field in (
        "created_by",
        "dependencies",
        "external",
        "html_notes",
        "is_rendered_as_separator",
        "num_subtasks",
    ):
        assert field in asked
    assert "html_text" in opt_fields("stories").split(",")


def test_whoever_may_be_an_agent_is_asked_for_in_a_way_that_tells() -> None:
    """A bare name brings the kind of an actor; a dotted one alone brings only gid and name."""
    for field in ("assignee", "created_by", "completed_by", "followers", "likes.user"):
        assert field in opt_fields("tasks").split(",")


def test_every_listing_leads_somewhere_known() -> None:
    for listing in LISTINGS.values():
        assert listing.kept or listing.resource in RESOURCES
        for parent in (listing.below, listing.opener):
            assert parent is None or parent == "actors" or parent in RESOURCES
        for other in (listing.split, listing.via, listing.instead, listing.alone):
            assert other is None or other in LISTINGS
