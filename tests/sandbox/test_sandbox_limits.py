"""Rate, flight, cost, faults: what a client must survive, and what is counted of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from asana_mirror.sandbox import Faults, Limits, create_app, running
from asana_mirror.sandbox.limits import CostQuota, Window


def test_a_window_counts_refused_requests_too() -> None:
    window = Window(3)
    assert [window.knock(t) for t in (0, 1, 2)] == [0, 0, 0]
    assert window.knock(3) == 58  # room for one comes when the first two are a minute old
    assert window.knock(60.5) == 2  # and this one counts as well
    assert window.knock(200) == 0


def test_a_steady_pace_at_the_limit_is_never_refused() -> None:
    window = Window(1500)
    assert not any(window.knock(place * 60 / 1499) for place in range(10_000))


def test_cost_may_overdraw_and_refills() -> None:
    quota = CostQuota(600)
    assert quota.knock(0) == 0
    quota.charge(1000)
    wait = quota.knock(0)
    assert wait == 41
    assert quota.knock(wait - 2) > 0
    assert quota.knock(wait) == 0


def test_the_rate_limit_tells_when_to_come_back(front_with: Any, clock: Any) -> None:
    front = front_with(Limits(per_minute=5))
    assert [front.get("/workspaces").status_code for _ in range(6)] == [200] * 5 + [429]
    refused = front.get("/workspaces")
    assert refused.headers["retry-after"].isdecimal()
    assert front.app.stats.refused == 2
    assert front.app.stats.early == 0
    clock.now += 2
    front.get("/workspaces")
    assert front.app.stats.early == 1
    clock.now += int(refused.headers["retry-after"]) + 1
    assert front.get("/workspaces").status_code == 200


def test_too_many_requests_at_once_are_refused(front_with: Any) -> None:
    front = front_with(Limits(reads_in_flight=3, latency_s=0.05))

    async def burst() -> list[int]:
        answers = await asyncio.gather(*(front.ask("GET", "/workspaces") for _ in range(5)))
        return sorted(answer.status_code for answer in answers)

    assert asyncio.run(burst()) == [200, 200, 200, 429, 429]
    assert front.app.stats.most_in_flight >= 3
    assert front.get("/workspaces").status_code == 200


@pytest.mark.parametrize(("tells", "header"), [(True, "1"), (False, None)])
def test_a_refusal_for_what_is_in_flight_need_not_say_when_to_return(
    front_with: Any, tells: bool, header: str | None
) -> None:
    front = front_with(Limits(reads_in_flight=1, latency_s=0.05, concurrency_tells=tells))

    async def burst() -> list[httpx.Response]:
        return list(await asyncio.gather(*(front.ask("GET", "/workspaces") for _ in range(2))))

    refused = next(answer for answer in asyncio.run(burst()) if answer.status_code == 429)
    assert refused.headers.get("retry-after") == header
    assert set(refused.json()) == {"errors"}


def test_a_refusal_for_the_rate_always_says_when_to_return(front_with: Any) -> None:
    front = front_with(Limits(per_minute=1, concurrency_tells=False))
    assert "retry-after" not in front.get("/workspaces").headers
    assert front.get("/workspaces").headers["retry-after"] == "60"


def test_pages_full_of_links_empty_the_cost_quota(front_with: Any) -> None:
    front = front_with(Limits(cost_per_minute=300))
    project = front.world.inside["project", front.world.workspaces[0]][0]
    fields = (
        "followers.name,memberships.project.name,memberships.section.name,custom_fields.name,assignee.name"
    )
    statuses = [
        front.get(f"/projects/{project}/tasks", opt_fields=fields, limit=100).status_code for _ in range(6)
    ]
    assert statuses[0] == 200
    assert statuses[-1] == 429


@pytest.mark.parametrize(
    ("kind", "status"), [("500", 500), ("502", 502), ("503", 503), ("429", 429), ("slow", 200)]
)
def test_a_fault_on_order_happens_once(front_with: Any, kind: str, status: int) -> None:
    faults = Faults(slow_s=0.01)
    front = front_with(faults=faults)
    faults.next("/workspaces$", kind)
    answer = front.get("/workspaces")
    assert answer.status_code == status
    if kind == "500":
        assert answer.json()["errors"][0]["phrase"]
    if kind == "502":
        assert answer.headers["content-type"] == "text/html"
    if kind == "429":
        assert answer.headers["retry-after"] == "1"
    assert front.get("/workspaces").status_code == 200


def test_in_process_a_cut_answer_is_short_and_a_reset_raises(front_with: Any) -> None:
    faults = Faults()
    front = front_with(faults=faults)
    faults.next("/workspaces", "cut")
    answer = front.get("/workspaces")
    assert len(answer.content) < int(answer.headers["content-length"])
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    faults.next("/workspaces", "reset")
    with pytest.raises(ConnectionResetError):
        front.get("/workspaces")


def test_over_a_socket_connections_really_break(world: Any) -> None:
    faults = Faults()
    with running(create_app(world, faults=faults, gzip=True)) as url:
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {world.token}"})
        task_path = f"/tasks?project={world.inside['project', world.workspaces[0]][0]}"
        for kind in ("reset", "cut"):
            faults.next("/tasks", kind)
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(task_path)
        whole = client.get(task_path)
        assert whole.headers["content-encoding"] == "gzip"
        assert whole.json()["data"]


def test_an_offset_can_die_early(front_with: Any) -> None:
    faults = Faults()
    front = front_with(faults=faults)
    project = front.world.inside["project", front.world.workspaces[0]][0]
    offset = front.get(f"/projects/{project}/tasks", limit=1).json()["next_page"]["offset"]
    faults.next("offset=", "offset")
    assert front.get(f"/projects/{project}/tasks", limit=1, offset=offset).status_code == 400
    assert front.get(f"/projects/{project}/tasks", limit=1, offset=offset).status_code == 200


def test_faults_by_lot_keep_their_share(front_with: Any) -> None:
    front = front_with(faults=Faults(seed=2, share=0.2, kinds=("500", "503")))
    bad = sum(front.get("/workspaces").status_code >= 500 for _ in range(300))
    assert 35 <= bad <= 85


def test_changes_of_the_api_are_announced(front: Any) -> None:
    front.app.announce("new_gids", "https://example.com/a")
    front.app.announce("no_tags", "https://example.com/b", affected=False)
    front.app.add_header("Asana-Deprecation-Warning", "soon")
    headers = front.get("/workspaces").headers
    assert headers.get_list("asana-change") == [
        "name=new_gids;info=https://example.com/a;affected=true",
        "name=no_tags;info=https://example.com/b;affected=false",
    ]
    assert headers["asana-deprecation-warning"] == "soon"


def test_the_date_is_the_sandboxs_own(front: Any, clock: Any) -> None:
    assert front.get("/workspaces").headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"


def test_statistics_and_edits_are_reachable_from_outside(world: Any) -> None:
    with running(create_app(world)) as url:
        root = url.removesuffix("/api/1.0")
        headers = {"Authorization": f"Bearer {world.token}"}
        httpx.get(f"{url}/workspaces", headers=headers)
        httpx.get(f"{url}/tasks/{world.tasks[0]}", headers=headers)
        stats = httpx.get(f"{root}/-/stats").json()
        assert stats["requests"] == 2
        assert {"method": "GET", "route": "/tasks/{}", "status": 200, "requests": 1} in stats["routes"]
        assert len(httpx.post(f"{root}/-/edit?n=5&seed=2").json()["edits"]) == 5
