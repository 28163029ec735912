"""Which module may know which: arrows point downward only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import asana_mirror

PACKAGE = Path(asana_mirror.__file__).parent

# Lower floors know nothing of higher ones. Modules on one floor may know each other, except across a wall.
FLOORS = [
    {"errors", "times", "schema_files"},
    {"catalog"},
    {"words", "described"},
    {
        "wire",
        "decode",
        "plan",
        "folding",
        "quota",
        "prices",
        "refusals",
        "windows",
        "rotation",
        "freshness",
        "metrics",
        "erasure",
        "exclusion",
        "compare",
        "estimate",
        "deliveries",
        "drift",
        "visibility",
        "files",
    },
    {"client", "turns", "store", "config", "download", "shelf", "disk"},
    {
        "contact",
        "group_commit",
        "sifting",
        "consequences",
        "portions",
        "offers",
        "partial",
        "sounding",
        "queue",
        "reading",
        "singly",
        "listening",
        "errands",
        "review",
        "glance",
        "hot",
        "doubts",
        "search_lanes",
        "specimens",
    },
    {
        "ending",
        "hooks",
        "work",
        "run",
        "outlook",
        "forecast",
        "purge",
        "fetching",
        "pull",
        "repair",
        "verify",
        "receiver",
        "backup",
        "health",
        "checkup",
        "doctor",
    },
    {
        "display",
        "status",
        "operation",
        "logs",
        "ports",
        "timetable",
        "watch",
        "long_lived",
        "watched_file",
        "watch_commands",
        "planned",
        "differences",
        "browse",
        "demo",
        "options",
        "exclusion_options",
        "watched",
        "webhook_commands",
        "attachment_commands",
        "doctor_command",
        "cli",
        "__main__",
    },
]
WALLS = [
    *(("client", "store"), ("turns", "store"), ("client", "config"), ("config", "store")),
    *(("download", "client"), ("download", "store"), ("download", "config"), ("shelf", "store")),
]
EVERYONES = {""}  # the package itself holds nothing but the version


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def known_to(path: Path) -> Iterator[str]:
    """The rooms (first part below the package) that a module imports from, wherever in it."""
    inside = path.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = inside[: len(inside) - node.level]
                yield (above + tuple(module.split(".")))[0] if above or module else ""
            elif module == "asana_mirror":
                names = {alias.name for alias in node.names}
                yield from (name if name != "__version__" else "" for name in names)
            elif module.startswith("asana_mirror."):
                yield module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("asana_mirror."):
                    yield alias.name.split(".")[1]


def floor_of(room: str) -> int:
    (floor,) = (number for number, rooms in enumerate(FLOORS) if room in rooms)
    return floor


def test_arrows_point_downward_only() -> None:
    upward = []
    for name, path in modules():
        room = name.split(".")[0]
        if room in ("sandbox", "__init__"):
            continue
        for known in set(known_to(path)) - EVERYONES - {room}:
            if known == "sandbox":
                if room != "demo":
                    upward.append(f"{name} → sandbox")
            elif floor_of(known) > floor_of(room) or (room, known) in WALLS or (known, room) in WALLS:
                upward.append(f"{name} → {known}")
    assert upward == []


def test_the_sandbox_knows_nothing_of_the_engine() -> None:
    for name, path in modules():
        if name.split(".")[0] == "sandbox":
            assert set(known_to(path)) <= {"sandbox"}, name


def test_pure_modules_touch_nothing() -> None:
    forbidden = {"sqlite3", "httpx", "aiohttp", "asyncio", "os", "time", "logging", "pathlib"}
    for name in (
        "wire",
        "decode",
        "plan",
        "folding",
        "quota",
        "prices",
        "refusals",
        "windows",
        "erasure",
        "exclusion",
        "compare",
        "estimate",
        "deliveries",
        "drift",
        "visibility",
        "files",
        "rotation",
        "freshness",
        "words",
    ):
        tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & forbidden, name


def test_no_import_goes_in_circles() -> None:
    reached: dict[str, set[str]] = {}
    for name, path in modules():
        room = name.split(".")[0]
        reached.setdefault(room, set()).update(set(known_to(path)) - EVERYONES - {room})
    done: set[str] = set()

    def visit(room: str, above: tuple[str, ...]) -> None:
        assert room not in above, " → ".join((*above, room))
        if room not in done:
            for known in reached.get(room, ()):
                visit(known, (*above, room))
            done.add(room)

    for room in reached:
        visit(room, ())
