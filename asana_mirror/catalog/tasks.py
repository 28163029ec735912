"""Catalog entries: tasks and what stands on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asana_mirror.catalog.link_rows import (
    VALUE_COLUMNS,
    custom_field_values,
    likes,
    memberships,
    references_to,
)
from asana_mirror.catalog.people import USERS
from asana_mirror.catalog.shapes import Column, Links, Listing, OpenReference, Reference, Resource

DEPRECATED_HEARTS = dict.fromkeys(("hearted", "hearts", "num_hearts"), "deprecated in favour of likes")

TASKS = Resource(
    # https://developers.asana.com/reference/gettask
    name="tasks",
    path="/tasks/{gid}",
    columns=(
        Column("name"),
        Column("resource_subtype"),
        Column("approval_status"),
        Column("assignee_status"),
        Column("completed", "boolean"),
        Column("completed_at"),
        Column("created_at"),
        Column("modified_at"),
        Column("due_at"),
        Column("due_on"),
        Column("start_at"),
        Column("start_on"),
        Column("notes"),
        Column("html_notes"),
        Column("external", "json", asks=("data",)),
        Column("is_rendered_as_separator", "boolean"),
        Column("liked", "boolean"),
        Column("num_likes", "integer"),
        Column("num_subtasks", "integer"),
        Column("actual_time_minutes", "real"),
        Column("permalink_url"),
    ),
    references=(
        Reference("created_by", "actors", asks=()),
        Reference("assigned_by", "actors"),
        Reference("completed_by", "actors"),
        Reference("assignee", "actors"),
        Reference("assignee_section", "sections"),
        Reference("custom_type", "custom_types"),
        Reference("custom_type_status_option", "custom_type_status_options"),
        Reference("parent", "tasks"),
        Reference("workspace", "workspaces"),
    ),
    links=(
        Links(
            "memberships",
            table="task_projects",
            owner="task_gid",
            key=("project_gid",),
            values=("section_gid",),
            rows=memberships,
            asks=("project.name", "section.name"),
        ),
        Links(
            "tags",
            table="task_tags",
            owner="task_gid",
            key=("tag_gid",),
            rows=references_to("tags"),
            asks=("name",),
        ),
        Links(
            "followers",
            table="task_followers",
            owner="task_gid",
            key=("actor_gid",),
            rows=references_to("actors"),
            asks=("", "name"),
        ),
        Links(
            "likes",
            table="task_likes",
            owner="task_gid",
            key=("actor_gid",),
            rows=likes,
            asks=("user", "user.name"),
        ),
        Links(
            "dependencies",
            table="task_dependencies",
            owner="task_gid",
            key=("depends_on_gid",),
            rows=references_to("tasks"),
            asks=("",),
        ),
        Links(
            "custom_fields",
            table="task_custom_fields",
            owner="task_gid",
            key=("custom_field_gid",),
            values=VALUE_COLUMNS,
            rows=custom_field_values,
            asks=(
                *USERS.links[1].asks,
                "resource_subtype",
                "people_value",
                "people_value.name",
                "reference_value",
            ),
        ),
    ),
    leaves_out={
        **DEPRECATED_HEARTS,
        "dependents": "the other side of dependencies; the view task_dependents shows it",
        "projects": "the projects of memberships",
    },
)

STORIES = Resource(
    # https://developers.asana.com/reference/getstoriesfortask
    name="stories",
    path="/stories/{gid}",
    columns=(
        Column("created_at"),
        Column("type"),
        Column("resource_subtype"),
        Column("text"),
        Column("html_text"),
        Column("is_pinned", "boolean"),
        Column("is_editable", "boolean"),
        Column("is_edited", "boolean"),
        Column("sticker_name"),
        Column("source"),
        Column("liked", "boolean"),
        Column("num_likes", "integer"),
        Column("reaction_summary", "json", asks=("count", "emoji_base", "reacted", "variant")),
        Column(
            "previews",
            "json",
            asks=(
                "fallback",
                "footer",
                "header",
                "header_link",
                "html_text",
                "text",
                "title",
                "title_link",
            ),
        ),
        Column("old_name"),
        Column("new_name"),
        Column("old_dates", "json", asks=("due_at", "due_on", "start_on")),
        Column("new_dates", "json", asks=("due_at", "due_on", "start_on")),
        Column("old_resource_subtype"),
        Column("new_resource_subtype"),
        Column("old_text_value"),
        Column("new_text_value"),
        Column("old_number_value", "real"),
        Column("new_number_value", "real"),
        Column("old_date_value", "json"),
        Column("new_date_value", "json"),
        Column("old_people_value", "json", asks=("name",)),
        Column("new_people_value", "json", asks=("name",)),
        Column("old_multi_enum_values", "json", asks=("color", "enabled", "name")),
        Column("new_multi_enum_values", "json", asks=("color", "enabled", "name")),
        Column("old_approval_status"),
        Column("new_approval_status"),
    ),
    references=(
        Reference("created_by", "actors"),
        Reference("assignee", "actors"),
        Reference("follower", "actors"),
        Reference("story", "stories", asks=("resource_subtype",)),
        Reference("task", "tasks"),
        Reference("project", "projects"),
        Reference("tag", "tags"),
        Reference("custom_field", "custom_fields"),
        Reference("old_section", "sections"),
        Reference("new_section", "sections"),
        Reference("old_enum_value", "enum_options"),
        Reference("new_enum_value", "enum_options"),
        Reference("duplicate_of", "tasks"),
        Reference("duplicated_from", "tasks"),
        Reference("dependency", "tasks"),
    ),
    open_references=(OpenReference("target"),),
    links=(
        Links(
            "likes",
            table="story_likes",
            owner="story_gid",
            key=("actor_gid",),
            rows=likes,
            asks=("user", "user.name"),
        ),
    ),
    one_place=True,
    leaves_out=DEPRECATED_HEARTS,
)

ATTACHMENTS = Resource(
    # https://developers.asana.com/reference/getattachmentsforobject
    name="attachments",
    path="/attachments/{gid}",
    columns=(
        Column("name"),
        Column("resource_subtype"),
        Column("created_at"),
        Column("host"),
        Column("size", "integer"),
        Column("permanent_url"),
        Column("connected_to_app", "boolean"),
    ),
    open_references=(OpenReference("parent"),),
    one_place=True,
    leaves_out={
        "download_url": "dies within minutes; read again just before a download",
        "view_url": "dies within minutes",
    },
)

RESOURCES = (TASKS, STORIES, ATTACHMENTS)


def may_have_subtasks(task: Mapping[str, Any]) -> bool:
    """Worth a request unless Asana said that there are none."""
    return task["num_subtasks"] is None or task["num_subtasks"] > 0


LISTINGS = (
    Listing(
        "project_tasks",
        "tasks",
        below="projects",
        path="/projects/{gid}/tasks",
        rank=4,
        stands=("task_projects", "project_gid"),
        position="position",
        events=True,
        by_age=True,
        split="section_tasks",
    ),
    Listing(
        "modified_tasks",
        "tasks",
        below="projects",
        path="/tasks?project={gid}",
        rank=4,
        on_demand=True,
    ),
    Listing(
        "section_tasks",
        "tasks",
        below="sections",
        path="/sections/{gid}/tasks",
        rank=4,
        stands=("task_projects", "section_gid"),
        on_demand=True,
        position="position",
    ),
    Listing(
        "assigned_tasks",
        "tasks",
        below="actors",
        path="/tasks?assignee={gid}&workspace={workspace}",
        rank=5,
        each_run=True,
        stands="assignee_gid",
    ),
    Listing(
        "tagged_tasks",
        "tasks",
        below="tags",
        path="/tags/{gid}/tasks",
        rank=5,
        each_run=True,
        stands=("task_tags", "tag_gid"),
    ),
    Listing(
        "subtasks",
        "tasks",
        below="tasks",
        path="/tasks/{gid}/subtasks",
        rank=6,
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"),),
        when=may_have_subtasks,
    ),
    Listing(
        "task_stories",
        "stories",
        below="tasks",
        path="/tasks/{gid}/stories",
        rank=7,
        stands="target_gid",
        fills=(("target_gid", "{gid}"), ("target_type", "task")),
    ),
    Listing(
        "task_attachments",
        "attachments",
        below="tasks",
        path="/attachments?parent={gid}",
        rank=8,
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"), ("parent_type", "task")),
    ),
    Listing(
        "project_attachments",
        "attachments",
        below="projects",
        path="/attachments?parent={gid}",
        rank=8,
        by_age=True,
        stands="parent_gid",
        fills=(("parent_gid", "{gid}"), ("parent_type", "project")),
    ),
)
