"""Keeps one webhook for each project at Asana: makes, adopts and deletes them, and replaces those that are silent.

https://developers.asana.com/docs/webhooks-guide
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asana_mirror import wire
from asana_mirror.client import Asana
from asana_mirror.ending import GRACE_S
from asana_mirror.errors import (
    AsanaUnreachable,
    CarryOnWithout,
    ListTooLong,
    MirrorError,
    OffsetExpired,
    WaitAndRepeat,
)
from asana_mirror.freshness import SILENT_S
from asana_mirror.store import Mirror
from asana_mirror.store.webhooks import ACTIVE, ASKED, REFUSED, Webhook
from asana_mirror.times import earlier, utc_now

T = TypeVar("T")

FILTERS = [{"resource_type": kind} for kind in ("task", "story", "section", "attachment", "project")]
MOST_OF_A_TOKEN = 10_000  # at Asana, those of other programs with this token included
MOST_PAGES = 500  # of one workspace; a list that leads to itself must not be followed for ever
AT_ONCE = 10  # of the 13 writes that may be in flight
FAILURES = 3  # in a row, before anything succeeded: the next ones would fail as well
KEY_BYTES = 24
REFUSED_FOR_S = 24 * 3600.0  # a project, where others have a webhook
ALL_REFUSED_FOR_S = 1800.0
NO_HANDSHAKE = (
    "Asana made it, but its handshake did not come to this mirror: another receiver answers at this address."
)


@dataclass
class Tended:
    """What became of the webhooks.

    `made`: projects whose webhook is new; what happened before, their event streams alone tell. `lost`: projects
    whose webhook was found deleted or silent. `refused`: of those that were asked for.
    """

    made: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    trouble: str | None = None


@dataclass(frozen=True)
class Doomed:
    """A webhook to be deleted at Asana, and its row, which is kept until that is done."""

    gid: str
    row: Webhook | None = None


@dataclass
class Decision:
    """What is to become of the webhooks that there are."""

    # Made, though the answer was never read; with the gid.
    adopt: list[tuple[Webhook, str]] = field(default_factory=list)
    forget: list[Webhook] = field(default_factory=list)
    delete: list[Doomed] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass
class Listed:
    """The webhooks at Asana, gid → target, in those workspaces that could be listed to the end."""

    targets: dict[str, str] = field(default_factory=dict)
    workspaces: set[str] = field(default_factory=set)
    refusal: MirrorError | None = None

    def covers(self, project_gid: str, homes: Mapping[str, str]) -> bool:
        """Whether a project's webhook would have been seen."""
        home = homes.get(project_gid)
        return home in self.workspaces or (home is None and not self.refusal and bool(self.workspaces))


async def webhooks_in(asana: Asana, workspace_gid: str, fields: str) -> AsyncIterator[Mapping[str, Any]]:
    """All webhooks of this token in a workspace; where an offset died, some come twice."""
    offset: str | None = None
    for _ in range(MOST_PAGES):
        try:
            page = (await asana.page(*wire.webhooks_request(workspace_gid, offset, fields))).content
        except OffsetExpired:
            offset = None
            continue
        for record in page.records:
            if isinstance(record, dict) and record.get("gid"):
                yield record
        offset = page.next_offset
        if offset is None:
            return
    raise WaitAndRepeat("The list of webhooks does not come to an end.")


def decide(
    rows: Iterable[Webhook], at_asana: Mapping[str, str], wanted: Collection[str], url: str, *, now: str
) -> Decision:
    """Hold what was asked for against what Asana lists (gid → target)."""
    decision, kept = Decision(), set()
    gids = {target: gid for gid, target in at_asana.items()}
    heard_since = earlier(now, SILENT_S)
    for row in rows:
        gid = row.gid if row.gid in at_asana else gids.get(row.target)
        project = row.project_gid
        is_wanted = project in wanted and project not in kept
        is_silent = row.heard_at is None or row.heard_at < heard_since
        if row.state == REFUSED:
            decision.delete += [Doomed(gid)] if gid else []
            decision.forget += [] if is_wanted and is_below(url, row.target) else [row]
        elif gid is None:
            decision.forget.append(row)
            decision.lost += [project] if is_wanted and row.state == ACTIVE else []
        elif is_wanted and row.secret and not is_silent and is_below(url, row.target):
            kept.add(project)
            decision.adopt += [(row, gid)] if row.state == ASKED else []
        else:
            decision.delete.append(Doomed(gid, row))
            decision.lost += [project] if is_wanted and row.state == ACTIVE and is_silent else []
    return decision


def unknown(rows: Iterable[Webhook], at_asana: Mapping[str, str], url: str) -> list[Doomed]:
    """Those below our address of which no row knows."""
    rows = list(rows)
    known = {row.target for row in rows} | {row.gid for row in rows}
    return [
        Doomed(gid)
        for gid, target in at_asana.items()
        if is_below(url, target) and gid not in known and target not in known
    ]


def is_below(url: str, target: str) -> bool:
    """Whether a target is this address and a key."""
    return target.rpartition("/")[0] == url


def missing(rows: Sequence[Webhook], wanted: Iterable[str], *, now: str) -> dict[str, Webhook | None]:
    """The projects that want a webhook, each with an earlier refusal that is over; who was never refused is first."""
    taken = {row.project_gid for row in rows if row.state != REFUSED}
    refused = {row.project_gid: row for row in rows if row.state == REFUSED}
    over_before = earlier(now, REFUSED_FOR_S if has_any(rows) else ALL_REFUSED_FOR_S)
    due = {project: refused.get(project) for project in wanted if project not in taken}
    due = {project: row for project, row in due.items() if row is None or row.noted_at <= over_before}
    return dict(sorted(due.items(), key=lambda one: one[1].noted_at if one[1] else ""))


def has_any(rows: Iterable[Webhook]) -> bool:
    """Whether a webhook was made at all: as long as none was, a refusal says nothing of its project."""
    return any(row.state == ACTIVE for row in rows)


class Hooks:
    """The webhooks of one mirror, whose targets are `{url}/{key}`. All others of this token are left alone."""

    def __init__(self, asana: Asana, mirror: Mirror, url: str) -> None:
        self._asana = asana
        self._mirror = mirror
        self._url = url.rstrip("/")

    async def tend(self, projects: Sequence[str], *, now: str | None = None, stop: asyncio.Event) -> Tended:
        """See to it that just these projects have a webhook, the most wanted first; ends early where `stop` is set.

        Asana's refusals are told in the result. Raises BadToken.
        """
        tending = self._tending(stop, now)
        work = asyncio.create_task(tending.tend(list(dict.fromkeys(projects))))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait({work}, timeout=GRACE_S)
            if work.done():
                work.result()
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.wait({work, stopping})
        return tending.done

    async def forget_all(self) -> int:
        """Delete all of them at Asana; returns how many. Raises where some could not be found or deleted."""
        tending = self._tending(asyncio.Event(), None)
        await tending.forget_all()
        if tending.failed is not None:
            raise tending.failed
        return tending.deleted

    def _tending(self, stop: asyncio.Event, now: str | None) -> Tending:
        return Tending(self._asana, self._mirror, self._url, stop, now or utc_now())


@dataclass
class Tending:
    """One look after the webhooks. Whatever is noted of one is written before and after each request."""

    asana: Asana
    mirror: Mirror
    url: str
    stop: asyncio.Event
    now: str
    done: Tended = field(default_factory=Tended)
    deleted: int = 0
    failed: MirrorError | None = None  # the last deletion that did not succeed

    async def tend(self, projects: list[str]) -> None:
        try:
            listed = await self._list()
            if self.stop.is_set():
                return  # what was not listed is not gone
            homes = self.mirror.webhooks.homes()
            wanted = dict.fromkeys(gid for gid in projects if listed.covers(gid, homes))
            rows = self.mirror.webhooks.all()
            seen = [row for row in rows if listed.covers(row.project_gid, homes)]
            decision = decide(seen, listed.targets, wanted, self.url, now=self.now)
            decision.delete += unknown(rows, listed.targets, self.url)
            self._note(decision)
            await self._clear(decision.delete)
            await self._fill(wanted, MOST_OF_A_TOKEN - len(listed.targets) + self.deleted)
        except AsanaUnreachable as trouble:
            self._say(str(trouble))

    async def forget_all(self) -> None:
        listed = await self._list()
        rows = self.mirror.webhooks.all()
        # Whether Asana still has those whose gid is known need not be known to delete them.
        targets = listed.targets | {row.gid: row.target for row in rows if row.gid}
        decision = decide(rows, targets, (), self.url, now=self.now)
        decision.delete += unknown(rows, targets, self.url)
        self._note(decision)
        await self._clear(decision.delete)
        self.failed = self.failed or listed.refusal

    async def _list(self) -> Listed:
        """The webhooks of this token. What cannot be listed is told, and neither made nor given up."""
        listed = Listed()
        for workspace in self.mirror.webhooks.workspaces():
            if self.stop.is_set():
                break
            found: dict[str, str] = {}
            try:
                async for webhook in webhooks_in(self.asana, workspace, "target"):
                    found[str(webhook["gid"])] = str(webhook.get("target"))
                    if self.stop.is_set():
                        return listed
            except (CarryOnWithout, ListTooLong, WaitAndRepeat) as refusal:
                listed.refusal = refusal
                self._say(f"The webhooks of workspace {workspace} could not be listed: {refusal}")
                continue
            listed.targets |= found
            listed.workspaces.add(workspace)
        return listed

    def _note(self, decision: Decision) -> None:
        webhooks = self.mirror.webhooks
        with self.mirror.atomic():
            webhooks.forget(row.key for row in decision.forget)
            for row, gid in decision.adopt:
                webhooks.establish(row.key, gid, now=self.now)
        self.done.made += [row.project_gid for row, _ in decision.adopt]
        self.done.lost += decision.lost

    async def _clear(self, doomed: Iterable[Doomed]) -> None:
        await self._each(doomed, self._delete)
        if self.failed:
            self._say(f"A webhook could not be deleted: {self.failed}")

    async def _fill(self, wanted: Iterable[str], room: int) -> None:
        """Make those that are missing, as far as one token may have them."""
        rows, room = self.mirror.webhooks.all(), max(0, room)
        gaps = list(missing(rows, wanted, now=self.now).items())
        why = await self._each(gaps[:room], self._make)
        if why:
            self._say(
                f"Asana makes no webhook for {self.url}: {why.rstrip('.')}. "
                "The address must be reachable from the internet, and the token needs the scope webhooks:write."
            )
        if len(gaps) > room:
            self._say(f"{len(gaps) - room:,} projects have no webhook: a token may have {MOST_OF_A_TOKEN:,}.")
        if self.done.made and not has_any(rows):
            with self.mirror.atomic():  # what was refused before anything could be made is asked for again
                self.mirror.webhooks.forget(row.key for row in rows if row.state == REFUSED)

    async def _make(self, gap: tuple[str, Webhook | None]) -> str | None:
        """Make one; returns why not. A row is there before Asana is asked: from then on the handshake is expected."""
        project, refused = gap
        key = secrets.token_urlsafe(KEY_BYTES)
        target = f"{self.url}/{key}"
        with self.mirror.atomic():
            self.mirror.webhooks.forget([refused.key] if refused else [])
            self.mirror.webhooks.ask(key, project, target, now=self.now)
        fields = {"resource": project, "target": target, "filters": FILTERS}
        try:
            gid = str((await self.asana.create(wire.WEBHOOKS, fields)).content.get("gid"))
        except CarryOnWithout as refusal:
            return self._refuse(key, refusal.status, str(refusal))
        except WaitAndRepeat as trouble:  # the next look finds it at Asana, or does not
            return str(trouble)
        row = self.mirror.webhooks.of_key(key)
        if row is None or row.secret is None:
            await self._delete(Doomed(gid))
            return self._refuse(key, None, NO_HANDSHAKE)
        with self.mirror.atomic():
            self.mirror.webhooks.establish(key, gid, now=self.now)
        self.done.made.append(project)
        return None

    def _refuse(self, key: str, status: int | None, message: str) -> str:
        with self.mirror.atomic():
            self.mirror.webhooks.refuse(key, status, message, now=self.now)
        self.done.refused += 1
        return message if status is None else f"{message} ({status})"

    async def _delete(self, doomed: Doomed) -> str | None:
        """Delete one at Asana, then its row; returns why not."""
        try:
            await self.asana.delete(wire.webhook_path(doomed.gid))
        except (CarryOnWithout, WaitAndRepeat) as trouble:
            self.failed = trouble
            return str(trouble)
        self.deleted += 1
        if doomed.row is not None:
            with self.mirror.atomic():
                self.mirror.webhooks.forget([doomed.row.key])
        return None

    async def _each(self, items: Iterable[T], act: Callable[[T], Awaitable[str | None]]) -> str | None:
        """One after another until the first success, then ten at once; failures in a row end it.

        Returns why, where it ended so or nothing succeeded.
        """
        waiting, in_a_row, why = deque(items), 0, ""

        async def work(most: int, *, alone: bool = False) -> None:
            nonlocal in_a_row, why
            while waiting and in_a_row < most and not self.stop.is_set():
                failure = await act(waiting.popleft())
                in_a_row, why = (in_a_row + 1, failure) if failure else (0, why)
                if alone and not failure:
                    return

        await work(FAILURES, alone=True)
        if in_a_row:
            return why
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work(FAILURES * AT_ONCE))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return why if in_a_row >= FAILURES * AT_ONCE else None

    def _say(self, trouble: str) -> None:
        self.done.trouble = f"{self.done.trouble} {trouble}" if self.done.trouble else trouble
