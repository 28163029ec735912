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
