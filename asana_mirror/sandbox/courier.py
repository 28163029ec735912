"""Carries webhooks to their targets: handshakes, deliveries, retries, heartbeats. Only to this machine."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
from ipaddress import IPv4Network, IPv6Address, ip_address
from typing import TYPE_CHECKING

import orjson

from .asks import Refused, bad
from .draw import iso
from .hooks import Delivery, Hook, told
from .render import Rec

if TYPE_CHECKING:
    import httpx

    from .app import App

EVENTS_PER_DELIVERY = 100
LONGEST_BACKOFF_S = 3600.0  # a target that is back after an hour hears again within another one
SHORTEST_DELAY_S = 0.001
KEPT_OF_A_FAILURE = 1000  # characters
LOCAL = IPv4Network("127.0.0.0/8")


class Courier:
    """One app's deliveries; it works in the app's event loop, as long as there are webhooks."""

    def __init__(self, app: App, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.app = app
        self.transport = transport
        self._task: asyncio.Task[None] | None = None

    # -- lifecycle ------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Let deliveries run in this loop, unless there are no webhooks or they run already."""
        if not self.app.world.hooks:
            return
        held = self._task
        if held is None or held.done() or not held.get_loop().is_running():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="webhooks")

    async def close(self) -> None:
        """Stop delivering; what waits is kept, and goes out when an app serves this world again."""
        held, self._task = self._task, None
        if held is not None and held.get_loop() is asyncio.get_running_loop():
            held.cancel()
            await asyncio.wait([held])

    async def _run(self) -> None:
        hooks, world = self.app.world.hooks, self.app.world
        while hooks:
            async with self._client() as client, asyncio.TaskGroup() as group:
                while hooks:
                    await asyncio.sleep(max(self.app.limits.hook_delay_s, SHORTEST_DELAY_S))
                    now = world.clock()
                    for hook in hooks:
                        if hook.waits(now):
                            group.create_task(self._serve(client, hook))

    async def deliver(self) -> None:
        """One round now, without waiting for the delay: what is due leaves and is answered."""
        now = self.app.world.clock()
        async with self._client() as client, asyncio.TaskGroup() as group:
            for hook in self.app.world.hooks:
                if hook.waits(now):
                    group.create_task(self._serve(client, hook))

    def _client(self) -> httpx.AsyncClient:
        import httpx  # costs a tenth of a second, which worlds without webhooks need not pay

        none_kept = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncClient(
            transport=self.transport,
            timeout=None,  # the courier's own clock covers transports in process as well
            limits=none_kept,
            verify=False,  # certificates of this machine's own addresses are self-made
            trust_env=False,  # a proxy would be another machine
        )

    # -- the handshake --------------------------------------------------------------------------------

    def refuse_far(self, target: str) -> None:
        """403 for every target that is not an address of this machine (or is one, where those are refused)."""
        import httpx

        try:
            url = httpx.URL(target)  # as it will be read when something is sent there
            address = ip_address(url.host)
        except (httpx.InvalidURL, ValueError):
            raise Refused(403, f"target: Not an address that may be reached: {target}") from None
        near = address == IPv6Address("::1") or (address.version == 4 and address in LOCAL)
        if url.scheme not in ("http", "https") or not near:
            raise Refused(403, f"target: The sandbox only reaches this machine (127.0.0.1): {target}")
        if not self.app.limits.local_targets:
            raise Refused(403, f"target: Not a public address: {target}")

    async def shake_hands(self, hook: Hook) -> None:
        """Show the target its secret; 400 unless it says it back in time."""
        headers = {"content-type": "application/json", "x-hook-secret": hook.secret}
        async with self._client() as client:
            answer = await self._post(client, hook, b"{}", headers)
        if isinstance(answer, str):
            raise bad(f"target: The handshake failed, the target did not answer ({answer})")
        if answer.status_code not in (200, 204):
            raise bad(f"target: The handshake failed, the target answered {answer.status_code}")
        if answer.headers.get("x-hook-secret") != hook.secret:
            raise bad("target: The handshake failed, the target did not answer with the same X-Hook-Secret")

    async def _post(
        self, client: httpx.AsyncClient, hook: Hook, body: bytes, headers: dict[str, str]
    ) -> httpx.Response | str:
        """The target's answer, or why there was none."""
        try:
            async with asyncio.timeout(self.app.limits.hook_answer_s):
                return await client.post(hook.rec["target"], content=body, headers=headers)
        except TimeoutError:
            return "No answer in time"
        except Exception as error:  # a receiver in process may raise anything; on a socket this is a failure
            return f"{type(error).__name__}: {error}"

    # -- deliveries -----------------------------------------------------------------------------------

    async def _serve(self, client: httpx.AsyncClient, hook: Hook) -> None:
        """One round of one webhook: pack what waits and send it in order, up to the first failure."""
        if hook.busy:
            return
        hook.busy = True
        try:
            hook.rounds += 1
            self._pack(hook)
            if self.app.world.clock() >= hook.deleted_at_s:
                self._give_up(hook)
            for delivery in [one for one in hook.queue if one.not_before <= hook.rounds]:
                if hook not in self.app.world.hooks or not await self._send(client, hook, delivery):
                    return
                hook.queue.remove(delivery)
        finally:
            hook.busy = False

    def _pack(self, hook: Hook) -> None:
        """Cut the outbox into deliveries; by lot some are lost, doubled or late. Add a heartbeat when due."""
        now, stats, faults = self.app.world.clock(), self.app.stats, self.app.faults
        while hook.outbox:
            events = hook.outbox[:EVENTS_PER_DELIVERY]
            del hook.outbox[: len(events)]
            fate = faults.choose_delivery()
            if fate is not None:
                stats.deliveries[fate] += 1
            if fate == "lost":
                continue
            late = hook.rounds + faults.late_rounds if fate == "late" else 0
            body = self._body(hook, events)
            hook.queue.extend(Delivery(body, False, late) for _ in range(2 if fate == "doubled" else 1))
        if now >= hook.next_beat_s:
            hook.next_beat_s = now + self.app.limits.heartbeat_s
            hook.queue.append(Delivery(self._body(hook, []), beat=True))

    def _body(self, hook: Hook, events: list[Rec]) -> bytes:
        return orjson.dumps({"events": [told(self.app.world, hook, event) for event in events]})

    async def _send(self, client: httpx.AsyncClient, hook: Hook, delivery: Delivery) -> bool:
        signature = hmac.new(hook.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hook-signature": signature}
        stats = self.app.stats.deliveries
        stats["retried"] += delivery.tries > 0
        hook.rec["delivery_retry_count"] += delivery.tries > 0
        delivery.tries += 1
        answer = await self._post(client, hook, delivery.body, headers)
        if not isinstance(answer, str) and answer.is_success:
            stats["made"] += 1
            self._succeeded(hook)
            return True
        stats["refused"] += 1
        if not isinstance(answer, str):
            answer = f"{answer.status_code} {answer.reason_phrase}\n\n{answer.text}"
        self._failed(hook, delivery, answer)
        return False

    def _succeeded(self, hook: Hook) -> None:
        hook.deleted_at_s, hook.next_try_s = math.inf, 0.0
        hook.rec.update(
            active=True,
            last_success_at=self.app.world.now(),
            delivery_retry_count=0,
            next_attempt_after=None,
            failure_deletion_timestamp=None,
        )

    def _failed(self, hook: Hook, delivery: Delivery, content: str) -> None:
        now, limits = self.app.world.clock(), self.app.limits
        hook.deleted_at_s = min(hook.deleted_at_s, now + limits.hook_deadline_s)
        wait = min(limits.hook_backoff_s * 2.0 ** min(delivery.tries - 1, 30), LONGEST_BACKOFF_S)
        hook.next_try_s = now + wait
        hook.rec.update(
            last_failure_at=self.app.world.now(),
            last_failure_content=content[:KEPT_OF_A_FAILURE],
            next_attempt_after=iso(int(hook.next_try_s * 1000)),
            failure_deletion_timestamp=iso(int(hook.deleted_at_s * 1000)),
        )

    def _give_up(self, hook: Hook) -> None:
        """Nobody has answered for a day: the webhook ends, and what waited with it."""
        self.app.stats.deliveries["lost"] += sum(not one.beat for one in hook.queue)
        self.app.world.hooks.remove(hook)
