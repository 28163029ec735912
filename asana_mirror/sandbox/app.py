"""The ASGI application: who asks, whether they may, what they get, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import gzip as gz
from collections.abc import Callable, Iterable, MutableMapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson

from . import downloads
from . import faults as faulty
from .asks import PHRASES, Ask, Refused, bad
from .bodies import read_body
from .courier import Courier
from .edits import random_edits
from .faults import Faults, Send
from .limits import Allowance, Limits
from .reads import Route
from .render import View
from .routes import find
from .stats import Stats
from .who import Eyes, Identity
from .world import World
from .writes_plan import CREATED_IN_PLANS

if TYPE_CHECKING:
    import httpx

Scope = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]
ROOT = "/api/1.0"
AGENTS = "ai_teammate_actors"
NAMED_IN_QUERY = (  # what a request is about, where its path does not say it
    *("project", "section", "tag", "parent", "resource", "target", "task", "attributable_to"),
    *("portfolio", "supported_goal"),
)
GZIP_FROM = 1000  # bytes; smaller answers are not worth the work


class App:
    """A sandbox over one world. `stats`, `faults`, `limits` and `headers` may be changed while it runs."""

    def __init__(
        self,
        world: World,
        limits: Limits,
        faults: Faults | None,
        gzip: bool,
        headers: Headers,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.world = world
        self.limits = limits
        self.faults = faults or Faults()
        self.gzip = gzip
        self.headers = headers
        self.stats = Stats()
        self.courier = Courier(self, transport)
        self.allowances: dict[str, Allowance] = {}
        self.state = self

    @property
    def limits(self) -> Limits:
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self.world.past.keep_for(limits.search_lag_s)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(self.courier, receive, send)
        elif scope["type"] == "http":
            call = Call(self, scope, receive, send)
            if scope["path"].startswith(downloads.ROOT) and scope["method"] == "GET":
                await downloads.serve(self.world, scope["path"], call.query_text, call.headers, send)
            else:
                await (call.answer_api() if scope["path"].startswith(ROOT + "/") else call.answer_aside())
            self.courier.ensure()

    def add_header(self, name: str, value: str) -> None:
        """Send one more header with every answer; a name may come more than once."""
        self.headers.append((name.lower().encode(), value.encode()))

    def announce(self, name: str, url: str, affected: bool = True) -> None:
        """Announce a coming change of the API on every answer."""
        self.add_header("asana-change", f"name={name};info={url};affected={str(affected).lower()}")

    def allowance(self, token: str) -> Allowance:
        known = self.allowances.get(token)
        if known is None or known.limits is not self.limits:
            known = self.allowances[token] = Allowance(self.limits)
        return known


class Call:
    """One request on its way through the sandbox."""

    def __init__(self, app: App, scope: Scope, receive: Any, send: Send) -> None:
        self.app = app
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        self.path = unquote(raw.decode("latin-1").partition("?")[0].removeprefix(ROOT))
        self.query_text: str = scope["query_string"].decode("latin-1")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.template = "-"
        self.fault: str | None = None

    # -- beside the API -------------------------------------------------------------------------------

    async def answer_aside(self) -> None:
        """Statistics and edits for another process; no part of Asana."""
        path, app = self.scope["path"], self.app
        query = dict(parse_qsl(self.query_text))
        if (self.method, path) == ("GET", "/-/stats"):
            await self._send(200, app.stats.as_json())
        elif (self.method, path) == ("POST", "/-/edit"):
            done = random_edits(app.world, int(query.get("n", 10)), int(query.get("seed", 1)))
            await self._send(200, {"edits": done})
        elif (self.method, path) == ("POST", "/-/reset"):
            app.stats.reset()
            await self._send(200, {})
        else:
            await self._send(404, {"errors": [{"message": "Nothing here"}]})

    # -- the API --------------------------------------------------------------------------------------

    async def answer_api(self) -> None:
        stats = self.app.stats
        stats.begin()
        status = 0
        allowance: Allowance | None = None
        read = self.method == "GET"
        try:
            identity = self._identity()
            allowance = self._admitted(identity, read)
            status, answer = await self._answered(identity, allowance)
            await self._deliver(status, answer)
        except Refused as refused:
            status = refused.status
            wait = self._wait_header(refused)  # taken out first: it is no part of the body
            await self._send(status, refused.body(), wait)
        finally:
            if allowance is not None:
                allowance.in_flight[read] -= 1
            stats.end(self.method, self.template, status)

    def _identity(self) -> Identity:
        route, _ = find(self.method, self.path)
        self.template = route.template if route else "-"
        kind, _, token = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        known = self.app.world.identities.get(token.strip())
        if kind.lower() != "bearer" or known is None:
            raise Refused(401, "Not Authorized")
        return known

    def _admitted(self, identity: Identity, read: bool) -> Allowance:
        """The token's allowance with this request counted in flight; 429 when there is no room."""
        now = self.app.world.clock()
        allowance = self.app.allowance(identity.token)
        self.app.stats.early += allowance.is_early(now)
        wait = allowance.knock(now, search="/tasks/search" in self.path)
        full = not wait and allowance.is_full(read)
        if full and self.app.limits.concurrency_tells:
            wait = 1
        if wait:
            allowance.told(now, wait)
        if wait or full:
            raise Refused(
                429, "You have made too many requests recently. Please, be chill.", retry_after=wait or None
            )
        allowance.in_flight[read] += 1
        return allowance

    async def _answered(self, identity: Identity, allowance: Allowance) -> tuple[int, dict[str, Any]]:
        app = self.app
        target = f"{self.path}?{self.query_text}" if self.query_text else self.path
        self.fault = app.faults.choose(target, "offset=" in self.query_text)
        await self._linger()
        self._fail_whole(allowance)
        bodiless = self.method in ("GET", "DELETE")
        body = {} if bodiless else await read_body(self.headers, self.receive)
        ask = self._ask(identity, body)
        try:
            route = self._route(ask)
            made = route.answer(ask)
            answer = made if isinstance(made, dict) else await made
        finally:
            cost = 1 + ask.view.links
            app.stats.cost += cost
            if allowance.cost:
                allowance.cost.charge(cost)
        data = answer.get("data")
        app.stats.records += len(data) if isinstance(data, list) else 1
        return 201 if self.method == "POST" and self._creates() else 200, answer

    def _creates(self) -> bool:
        last = self.path.rpartition("/")[2]
        return last in (
            "tasks",
            "projects",
            "tags",
            "stories",
            "subtasks",
            "sections",
            "custom_fields",
            "enum_options",
            "webhooks",
            *CREATED_IN_PLANS,
            *("status_updates", "project_statuses", "project_briefs", "portfolios", "goals", "memberships"),
        )

    async def _linger(self) -> None:
        wait = self.app.limits.latency_s + (self.app.faults.slow_s if self.fault == "slow" else 0)
        if wait:
            await asyncio.sleep(wait)

    def _fail_whole(self, allowance: Allowance) -> None:
        """The faults that replace the answer altogether."""
        if self.fault == "500":
            raise Refused(500, f"Server Error. Phrase: {' '.join(PHRASES)}")
        if self.fault == "503":
            raise Refused(503, "The service is temporarily unavailable")
        if self.fault == "429":
            allowance.told(self.app.world.clock(), 1)
            raise Refused(429, "You have made too many requests recently.", retry_after=1)
        if self.fault in ("502", "reset"):
            raise Refused(502, "Bad gateway")

    def _ask(self, identity: Identity, body: dict[str, Any]) -> Ask:
        world = self.app.world
        blind = not identity.all_seeing or bool(world.refusals.by_gid)
        agents = AGENTS in self.headers.get(b"asana-enable", b"").decode("latin-1")
        view = View(world, identity.user, agents, Eyes(world, identity) if blind else None)
        query = dict(parse_qsl(self.query_text, keep_blank_values=True))
        _, gids = find(self.method, self.path)
        dead = self.fault == faulty.EXPIRED_OFFSET
        origin = f"{self.scope.get('scheme', 'http')}://{self.headers.get(b'host', b'localhost').decode()}"
        view.origin = origin
        limits, courier = self.app.limits, self.app.courier
        return Ask(world, identity, view, limits, courier, self.path, gids, query, body, dead, origin)

    def _route(self, ask: Ask) -> Route:
        route, gids = find(self.method, self.path)
        if route is None:
            raise Refused(404, "No matching route for request")
        named = [ask.query[key] for key in NAMED_IN_QUERY if key in ask.query]
        status = self.app.world.refusals.status(self.path, gids + named)
        if status is not None:
            raise Refused(status, _REASONS.get(status, "Refused"))
        scopes = ask.identity.scopes
        if route.scope and scopes is not None and not {route.scope, "default"} & scopes:
            raise Refused(403, f"Forbidden: the token lacks the required scope {route.scope}")
        if ask.query.get("limit") == "":
            raise bad("limit: Value is not between 1 and 100")
        return route

    # -- sending --------------------------------------------------------------------------------------

    def _wait_header(self, refused: Refused) -> Headers:
        wait = refused.more.pop("retry_after", None)
        return [] if wait is None else [(b"retry-after", str(wait).encode())]

    def _headers(self, body: bytes, kind: bytes = b"application/json; charset=UTF-8") -> Headers:
        return [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"date", formatdate(self.app.world.clock(), usegmt=True).encode()),
            *self.app.headers,
        ]

    async def _deliver(self, status: int, answer: dict[str, Any]) -> None:
        if self.fault == "cut":
            body, packed = self._packed(answer)
            await faulty.cut_short(self.send, self._headers(body) + packed, body)
        else:
            await self._send(status, answer)

    def _packed(self, answer: dict[str, Any]) -> tuple[bytes, Headers]:
        pretty = orjson.OPT_INDENT_2 if "opt_pretty" in self.query_text else 0
        body = orjson.dumps(answer, option=pretty)
        wanted = (
            self.app.gzip and len(body) >= GZIP_FROM and b"gzip" in self.headers.get(b"accept-encoding", b"")
        )
        if wanted:
            return gz.compress(body, 1), [(b"content-encoding", b"gzip")]
        return body, []

    async def _send(
        self, status: int, answer: dict[str, Any], more: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        if status == 502 and self.fault == "reset":
            await faulty.break_off(self.send)
            return
        if status == 502:
            packed: Headers = []
            body = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            headers = self._headers(body, b"text/html")
        else:
            body, packed = self._packed(answer)
            headers = self._headers(body)
        self.app.stats.bytes += len(body)
        await self.send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *packed, *more]}
        )
        await self.send({"type": "http.response.body", "body": body})


_REASONS = {
    402: "This request requires a premium plan",
    403: "You do not have permission to access this resource",
    404: "Not a recognized ID",
    451: "Unavailable for legal reasons",
}


async def _lifespan(courier: Courier, receive: Any, send: Any) -> None:
    courier.ensure()
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await courier.close()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def create_app(
    world: World,
    *,
    limits: Limits | None = None,
    faults: Faults | None = None,
    clock: Callable[[], float] | None = None,
    gzip: bool = False,
    headers: Iterable[tuple[str, str]] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> App:
    """An ASGI application that serves the world at /api/1.0; `clock` gives epoch seconds.

    Webhooks go out by `transport` (`httpx.ASGITransport(receiver)`: in process), else by a socket.
    """
    if clock is not None:
        world.clock = clock
    app = App(world, limits or Limits(), faults, gzip, [], transport)
    for name, text in headers:
        app.add_header(name, text)
    return app
