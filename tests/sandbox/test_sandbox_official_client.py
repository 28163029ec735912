"""Asana's own client for Python works against the sandbox: lists, reads, writes, events, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from asana_mirror.sandbox import create_app, generate, running

asana = pytest.importorskip("asana")


@pytest.fixture(scope="module")
def world() -> Any:
    return generate(seed=11, tasks=400)


@pytest.fixture(scope="module")
def client(world: Any) -> Iterator[Any]:
    with running(create_app(world)) as url:
        settings = asana.Configuration()
        settings.host = url
        settings.access_token = world.token
        settings.page_limit = 20
        yield asana.ApiClient(settings)


def test_it_pages_through_lists(client: Any, world: Any) -> None:
    ws = world.workspaces[0]
    projects = [p["gid"] for p in asana.ProjectsApi(client).get_projects({"workspace": ws, "limit": 3})]
    assert projects == world.inside["project", ws]
    for project in projects[:3]:
        found = asana.TasksApi(client).get_tasks_for_project(project, {"limit": 7, "opt_fields": "name"})
        assert [task["gid"] for task in found] == world.project_order(project)


def test_it_reads_single_records(client: Any, world: Any) -> None:
    task = asana.TasksApi(client).get_task(world.tasks[0], {"opt_fields": "name,num_subtasks,html_notes"})
    assert task == {
        key: value
        for key, value in world.record(world.tasks[0]).items()
        if key in ("gid", "resource_type", "name", "num_subtasks", "html_notes")
    }
    assert asana.UsersApi(client).get_user("me", {})["gid"] == world.me


def test_it_reads_and_writes_goals_and_portfolios(client: Any, world: Any) -> None:
    ws = world.workspaces[0]
    goals = asana.GoalsApi(client)
    listed = [goal["gid"] for goal in goals.get_goals({"workspace": ws, "limit": 2})]
    assert listed == world.inside["goal", ws]
    made = goals.create_goal({"data": {"name": "From outside", "workspace": ws}}, {})
    relation = {"data": {"supporting_resource": made["gid"]}}
    tied = asana.GoalRelationshipsApi(client).add_supporting_relationship(relation, listed[0], {})
    assert tied["supporting_resource"]["gid"] == made["gid"]
    own = next(asana.PortfoliosApi(client).get_portfolios(ws, {"owner": "me", "limit": 1}))["gid"]
    items = asana.PortfoliosApi(client).get_items_for_portfolio(own, {"limit": 2})
    assert [item["gid"] for item in items] == world.records[own]["items"]
    given = {"data": {"parent": own, "text": "Fine", "status_type": "on_track"}}
    status = asana.StatusUpdatesApi(client).create_status_for_object(given, {})
    assert (
        next(asana.StatusUpdatesApi(client).get_statuses_for_object(own, {"limit": 1}))["gid"]
        == status["gid"]
    )


def test_it_reads_and_writes_plans_and_tracked_time(client: Any, world: Any) -> None:
    ws = world.workspaces[0]
    days = {"workspace": ws, "entered_on_start_date": "2000-01-01", "limit": 9}
    entries = asana.TimeTrackingEntriesApi(client)
    listed = sorted(entry["gid"] for entry in entries.get_time_tracking_entries(days))
    assert listed == sorted(entry["gid"] for entry in world.iter_records("time_tracking_entries"))
    made = entries.create_time_tracking_entry({"data": {"duration_minutes": 7}}, world.tasks[0], {})
    assert entries.get_time_tracking_entry(made["gid"], {}) == world.record(made["gid"])
    roles = asana.RolesApi(client).get_roles(ws, {"limit": 2})
    assert [role["gid"] for role in roles] == world.inside["role", ws]
    held = next(iter(world.iter_records("allocations")))
    query = {"assignee": held["assignee"]["gid"], "workspace": ws}
    assert held in list(asana.AllocationsApi(client).get_allocations(query))
    types = asana.CustomTypesApi(client).get_custom_types({"project": world.inside["project", ws][0]})
    assert {kind["resource_type"] for kind in types} == {"custom_type"}
    favorites = asana.UsersApi(client).get_favorites_for_user("me", "project", ws, {})
    assert [rec["gid"] for rec in favorites] == [
        gid for gid in world.favorites[world.me, ws] if world.records[gid]["resource_type"] == "project"
    ]


def test_it_writes_and_takes_events(client: Any, world: Any) -> None:
    project = world.inside["project", world.workspaces[0]][0]
    events = asana.EventsApi(client)
    assert list(events.get_events(project, {})) == []  # it takes the 412 and its token by itself
    headers = {"Authorization": f"Bearer {world.token}"}
    url = f"{client.configuration.host}/events?resource={project}"
    sync = httpx.get(url, headers=headers).json()["sync"]
    tasks = asana.TasksApi(client)
    task = tasks.create_task({"data": {"name": "From outside ✅", "projects": [project]}}, {})
    asana.StoriesApi(client).create_story_for_task({"data": {"text": "Hello"}}, task["gid"], {})
    tasks.update_task({"data": {"completed": True}}, task["gid"], {})
    link = {"parent": task["gid"], "resource_subtype": "external", "name": "A", "url": "https://example.com"}
    attachment = asana.AttachmentsApi(client).create_attachment_for_object(link)
    assert attachment["host"] == "external"
    found = list(events.get_events(project, {"sync": sync}))
    said = {(event["resource"]["resource_type"], event["action"]) for event in found}
    assert {("task", "added"), ("task", "changed"), ("story", "added"), ("attachment", "added")} <= said
    tasks.delete_task(task["gid"])
    with pytest.raises(asana.rest.ApiException) as gone:
        tasks.get_task(task["gid"], {})
    assert gone.value.status == 404
