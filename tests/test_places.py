"""How places are named: by gid, or by any address that a person copies from Asana."""

from __future__ import annotations

import pytest

from asana_mirror.config import place_gid
from asana_mirror.errors import WrongUsage

APP = "https://app.asana.com"
ADDRESSES = [
    ("project", "123", "123"),
    ("project", " 123\n", "123"),
    ("project", f"{APP}/0/123/list", "123"),
    ("project", f"{APP}/0/123", "123"),
    ("project", f"{APP}/0/123/456", "123"),
    ("project", f"{APP}/0/123/456/f", "123"),
    ("project", f"{APP}/0/123/board?search=now#there", "123"),
    ("project", f"{APP}/1/77/project/123/list/55", "123"),
    ("project", f"{APP}/1/77/project/123", "123"),
    ("project", f"{APP}/1/77/project/123/task/456?focus=true", "123"),
    ("project", f"{APP}/1/77/project/123/task/456/comment/9/", "123"),
    ("project", f"{APP}/api/1.0/projects/123", "123"),
    ("project", "app.asana.com/0/123/list", "123"),
    ("project", "https://APP.ASANA.COM/1/77/project/123/overview", "123"),
    ("team", "123", "123"),
    ("team", f"{APP}/1/77/team/123", "123"),
    ("team", f"{APP}/1/77/team/123/overview?x=1", "123"),
    ("team", f"{APP}/0/team/123/55", "123"),
    ("team", f"{APP}/0/team/123#top", "123"),
    ("workspace", "123", "123"),
    ("workspace", f"{APP}/0/home/123", "123"),
    ("workspace", f"{APP}/0/home/123/456", "123"),
    ("workspace", f"{APP}/1/123/project/99/list/55", "123"),
    ("workspace", f"{APP}/1/123/team/99", "123"),
    ("workspace", f"{APP}/1/123/home", "123"),
    ("workspace", f"{APP}/admin/123/members", "123"),
    ("workspace", "app.asana.com/1/123", "123"),
]


@pytest.mark.parametrize(("kind", "text", "gid"), ADDRESSES)
def test_a_place_may_be_named_by_any_of_its_addresses(kind: str, text: str, gid: str) -> None:
    assert place_gid(text, kind) == gid


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("workspace", "my workspace"),
        ("workspace", ""),
        ("workspace", f"{APP}/0/123/list"),
        ("team", f"{APP}/1/77/project/123/list"),
        ("team", f"{APP}/0/123/456"),
        ("project", f"{APP}/0/0/456"),
        ("project", f"{APP}/1/77/task/456"),
        ("project", f"{APP}/0/home/77"),
        ("project", f"{APP}/0/team/99/overview"),
        ("project", f"{APP}/0/portfolio/99/list"),
        ("project", "https://example.com/0/123/list"),
        ("project", "https://notasana.com/0/123/list"),
        ("project", "https://[::1/0/123"),
        ("project", "12x"),
    ],
)
def test_an_address_that_names_no_such_place_is_refused(kind: str, text: str) -> None:
    with pytest.raises(WrongUsage, match=f"names no {kind}") as told:
        place_gid(text, kind)
    assert "https://app.asana.com/" in told.value.hint
