"""Where files lie, what is asked of their host, what its answers mean."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asana_mirror.download import Downloads
from asana_mirror.errors import CarryOnWithout, StartOver, WaitAndRepeat
from asana_mirror.files import (
    Body,
    body_of,
    bytes_of,
    in_words,
    is_ours,
    part_of,
    place_of,
    range_headers,
    strong,
)
from asana_mirror.shelf import Shelf

HASH = hashlib.sha256(b"x").hexdigest()
NASTY = [
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "x" * 300,
    "☂😀",
    "..",
    ".",
    "",
    "CON",
    "a/b",
    "\ud800",
    "~",
]


def is_inside(place: str) -> bool:
    path = PurePosixPath(place)
    return not path.is_absolute() and ".." not in path.parts and len(path.parts) == 2 and place.isascii()


@given(st.one_of(st.text(), st.sampled_from(NASTY), st.characters(categories=["Cs"])))
def test_a_part_lies_in_the_folder_whatever_the_gid(gid: str) -> None:
    place = part_of(gid)
    assert is_inside(place)
    assert is_ours(place)
    assert place.startswith("partial/")
    assert part_of(f"{gid}1") != place


@given(st.one_of(st.text(), st.sampled_from(NASTY), st.from_regex(r"[0-9a-fA-F/.]{62,66}", fullmatch=True)))
def test_a_whole_file_lies_under_a_hash_or_nowhere(text: str) -> None:
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    if is_hash:
        assert is_inside(place_of(text))
        assert place_of(text).split("/") == [text[:2], text]
    else:
        with pytest.raises(ValueError, match="SHA-256"):
            place_of(text)


@given(st.text())
def test_nothing_else_is_ever_removed(place: str) -> None:
    assert not is_ours(place)


@pytest.mark.parametrize(
    "place",
    [
        f"../{HASH}",
        f"/{HASH}",
        f"zz/{HASH}",
        f"{HASH[:2]}/{HASH}\n",
        f"{HASH[:2]}/{HASH}/x",
        "partial/.lock",
        *NASTY,
    ],
)
def test_a_place_that_somebody_put_into_the_table_is_left_alone(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "a" / "b"
    (folder / "partial").mkdir(parents=True)
    for name in (tmp_path / "a" / HASH, folder / "partial" / ".lock"):
        name.touch()
    assert Shelf(folder).remove([place]) == 0
    assert (tmp_path / "a" / HASH).exists()
    assert (folder / "partial" / ".lock").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MB", 10_000_000), ("2GB", 2 * 10**9), ("123", 123), ("1.5 kb", 1500), ("4KiB", 4096), ("7B", 7)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "ten", "10XB", "1e3", "٣MB", "10 MB MB", "1.MB"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        bytes_of(text)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (12_345_678, "12.3 MB")]
)
def test_sizes_are_told(size: int, words: str) -> None:
    assert in_words(size) == words
    assert in_words(5 * 10**15) == "5,000.0 TB"


def test_a_part_is_gone_on_with_only_in_the_same_version() -> None:
    assert range_headers(7, '"v1"') == {"Range": "bytes=7-", "If-Range": '"v1"'}
    assert range_headers(0, '"v1"') == range_headers(7, None) == {}
    assert [strong(etag) for etag in ('"a"', 'W/"a"', "a", None, "")] == ['"a"', None, None, None, None]


def test_what_an_answer_brings() -> None:
    headers = {"content-length": "10", "etag": '"v"'}
    assert body_of(200, headers, 4, '"w"') == Body(0, 10, '"v"')
    assert body_of(200, {"content-length": "many"}, 0, None) == Body(0, None, None)
    part = {"content-range": "bytes 4-9/10", "etag": '"v"'}
    assert body_of(206, part, 4, '"v"') == Body(4, 10, '"v"')
    assert body_of(206, {"content-range": "bytes 4-9/*"}, 4, '"v"') == Body(4, 10, None)
    for etag in ('"w"', 'W/"v"', "v", ""):
        with pytest.raises(StartOver, match="another version"):
            body_of(206, part | {"etag": etag}, 4, '"v"')
    for told in ("bytes 3-9/10", "bytes 5-9/10", "bytes 4-8/10"):
        with pytest.raises(StartOver):
            body_of(206, {"content-range": told}, 4, '"v"')
    for told, have in (("", 4), ("bytes */10", 4), ("bytes 0-9/10", 0)):
        with pytest.raises(WaitAndRepeat):
            body_of(206, {"content-range": told}, have, '"v"')


def test_a_part_is_whole_at_once_or_not_at_all(tmp_path: Path) -> None:
    async def work() -> None:
        shelf = Shelf(tmp_path / "files")
        shelf.make()
        part = await shelf.part("1", 0)
        part.write(b"abc")
        part.flush()
        part.write(b"lost")
        part.close()
        again = await shelf.part("1", 3)
        assert again.size == 3
        again.write(b"def")
        sha256 = again.finish()
        assert sha256 == hashlib.sha256(b"abcdef").hexdigest()
        assert shelf.has(sha256, 6)
        assert not shelf.has(sha256, 7)
        assert await shelf.is_sound(sha256)
        assert [file.name for file in (tmp_path / "files" / "partial").iterdir()] == []

    asyncio.run(work())


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "files")
    shelf.make()
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (shelf.folder / part_of("1")).symlink_to(outside)
    with pytest.raises(Exception, match="cannot be written"):
        asyncio.run(shelf.part("1", 0))
    assert outside.read_bytes() == b"mine"


def test_parts_that_were_given_up_are_cleared_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.make()
    old, young, other = (tmp_path / place for place in (part_of("1"), part_of("2"), "partial/notes.txt"))
    for file in (old, young, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (0, 0))
    shelf.clear_away()
    assert [file.exists() for file in (old, young, other)] == [False, True, True]


@pytest.mark.parametrize(
    "url", ["http://[", "https://", "file:///etc/passwd", "", "http://files.example/x", "x" * 70_000]
)
def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    async def work() -> None:
        async with Downloads(plainly=False) as downloads, downloads.fetch(url):
            raise AssertionError

    with pytest.raises(CarryOnWithout, match="address"):
        asyncio.run(work())
