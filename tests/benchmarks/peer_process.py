"""What one would write without the mirror: Asana's own client, sqlite-utils, one request after another.

Tasks in no project stay unseen, and it knows nothing of resuming, of limits, or of who is gone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import asana
import sqlite_utils
from spent import Spent

from asana_mirror.catalog import opt_fields

Record = dict[str, Any]


class Peer:
    """Asks for the same fields as the mirror and writes each list at once."""

    def __init__(self, base_url: str, token: str, path: str) -> None:
        settings = asana.Configuration()
        settings.host = base_url
        settings.access_token = token
        settings.page_limit = 100
        client = asana.ApiClient(settings)
        self._workspaces = asana.WorkspacesApi(client)
        self._users = asana.UsersApi(client)
        self._teams = asana.TeamsApi(client)
        self._projects = asana.ProjectsApi(client)
        self._tasks = asana.TasksApi(client)
        self._stories = asana.StoriesApi(client)
        self._attachments = asana.AttachmentsApi(client)
        self._db = sqlite_utils.Database(path)
        self._db.enable_wal()
        self._done: set[str] = set()

    def run(self) -> None:
        for workspace in self._keep("workspaces", self._workspaces.get_workspaces(_asked("workspaces"))):
            gid = workspace["gid"]
            within = {"workspace": gid}
            self._keep("users", self._users.get_users(_asked("users") | within))
            self._keep("teams", self._teams.get_teams_for_workspace(gid, _asked("teams")))
            for project in self._keep("projects", self._projects.get_projects(_asked("projects") | within)):
                self._read_tasks(self._tasks.get_tasks_for_project(project["gid"], _asked("tasks")))
        self._db.close()

    def _read_tasks(self, tasks: Iterable[Record]) -> None:
        """Keep tasks and all that stands below them, each task's once."""
        for task in self._keep("tasks", tasks):
            gid = task["gid"]
            if gid in self._done:
                continue
            self._done.add(gid)
            self._keep("stories", self._stories.get_stories_for_task(gid, _asked("stories")))
            self._keep(
                "attachments", self._attachments.get_attachments_for_object(gid, _asked("attachments"))
            )
            if task["num_subtasks"]:
                self._read_tasks(self._tasks.get_subtasks_for_task(gid, _asked("tasks")))

    def _keep(self, table: str, found: Iterable[Record]) -> list[Record]:
        records = list(found)
        self._db.table(table).upsert_all(records, pk="gid", alter=True)
        return records


def _asked(resource: str) -> Record:
    return {"limit": 100, "opt_fields": opt_fields(resource)}


def main() -> None:
    order = json.loads(sys.argv[1])
    spent = Spent()
    with spent.measured():
        Peer(order["base_url"], os.environ["ASANA_ACCESS_TOKEN"], order["path"]).run()
    sys.stdout.write(json.dumps(spent.as_json()) + "\n")


if __name__ == "__main__":
    main()
