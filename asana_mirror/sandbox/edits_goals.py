"""Edits at random of goals, portfolios, status updates, briefs, templates and memberships, in words."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from . import (
    change_fields,
    change_places,
    change_portfolios,
    change_sharing,
    change_status,
    change_stories,
    change_tasks,
    names,
)
from . import change_goals as goals
from .asks import Refused
from .draw import DAY_MS, day, millis
from .edits import Office
from .generate_tasks import some_value
from .render import Rec
from .sharing import HELD_IN, LEVELS, memberships_of
from .standing import below
from .world import World

TRIES = 200
WITH_STATUS = ("project", "portfolio", "goal")


class Board(Office):
    """Picks who does what to which goal or portfolio; each method is one kind of edit and says what it did."""

    def __init__(self, world: World, rng: random.Random) -> None:
        super().__init__(world, 0)
        self.rng = rng

    def any_below(self, kind: str, owners: tuple[str, ...]) -> Rec:
        """Any living record of a kind that stands on one of these kinds; LookupError when none is met."""
        for _ in range(20):
            found = below(self.world, kind, self.living(self.rng.choice(owners))["gid"])
            if found:
                return self.world.records[self.rng.choice(found)]
        raise LookupError(kind)

    def words(self, text: str) -> str:
        return f"{text} {self.rng.randrange(10**6)}"

    # -- status updates and briefs --------------------------------------------------------------------

    def status_new(self) -> str:
        parent = self.living(self.rng.choice(WITH_STATUS))
        kind = parent["resource_type"]
        given = {
            "title": self.words("Status"),
            "text": self.rng.choice(names.REMARKS),
            "parent": parent["gid"],
        }
        given["status_type"] = self.rng.choice(change_status.STATUS_TYPES[kind])
        rec = change_status.post_status(self.world, self.by(), given)
        return f"posted status update {rec['gid']} on {kind} {parent['gid']}"

    def status_gone(self) -> str:
        rec = self.any_below("status_update", WITH_STATUS)
        change_status.trash_status(self.world, self.by(), rec)
        return f"deleted status update {rec['gid']} of {rec['parent']}"

    def status_react(self) -> str:
        rec, by = self.any_below("status_update", WITH_STATUS), self.by()
        if self.rng.random() < 0.6:
            change_stories.react(self.world, by, rec, *self.rng.choice(names.EMOJI))
        else:
            change_fields.set_liked(self.world, by, rec, by not in rec.get("likes", ()))
        return f"reacted to status update {rec['gid']}"

    def brief_write(self) -> str:
        project = self.project()
        held = below(self.world, "project_brief", project["gid"])
        given = {
            "title": self.words("Brief"),
            "html_text": f"<body>{self.words('As <em>agreed</em>')}</body>",
        }
        if held:
            change_status.edit_brief(self.world, self.by(), self.world.records[held[0]], given)
            return f"edited brief {held[0]} of project {project['gid']}"
        rec = change_status.write_brief(self.world, self.by(), project, given)
        return f"wrote brief {rec['gid']} of project {project['gid']}"

    def brief_gone(self) -> str:
        rec = self.any_below("project_brief", ("project",))
        change_status.trash_brief(self.world, self.by(), rec)
        return f"deleted brief {rec['gid']} of project {rec['project']}"

    def brief_attach(self) -> str:
        rec = self.any_below("project_brief", ("project",))
        given = {"parent": rec["gid"], "resource_subtype": "external", "url": "https://example.com/b"}
        given["name"] = self.rng.choice(names.FILES)
        file = change_stories.add_attachment(self.world, self.by(), given)
        return f"attached {file['gid']} to brief {rec['gid']}"

    # -- portfolios -----------------------------------------------------------------------------------

    def portfolio_new(self) -> str:
        given = {"name": self.words("Portfolio"), "workspace": self.workspace}
        by = self.rng.choice((self.world.me, self.person()))
        return f"created portfolio {change_portfolios.create_portfolio(self.world, by, given)['gid']}"

    def portfolio_change(self) -> str:
        rec = self.living("portfolio")
        given: Rec = self.rng.choice(
            (
                {"name": self.words("Renamed")},
                {"color": self.rng.choice(names.COLORS)},
                {"archived": not rec.get("archived")},
                {"due_on": self.rng.choice((self._date(), None))},
                {"public": rec.get("privacy_setting") == "members_only"},
                {"owner": self.person()},
            )
        )
        change_portfolios.update_portfolio(self.world, self.by(), rec, given)
        return f"changed {', '.join(given)} of portfolio {rec['gid']}"

    def _date(self) -> str:
        return day(millis("2026-01-01") + self.rng.randrange(700) * DAY_MS)

    def portfolio_people(self) -> str:
        rec, add = self.living("portfolio"), self.rng.random() < 0.6
        change_tasks.change_people(self.world, self.by(), rec, "members", [self.by()], add)
        return f"changed the members of portfolio {rec['gid']}"

    def item_in(self) -> str:
        rec, item = (
            self.living("portfolio"),
            self.living(self.rng.choice(("project", "project", "portfolio"))),
        )
        given: Rec = {"item": item["gid"]}
        if rec["items"] and self.rng.random() < 0.5:
            given["insert_before"] = self.rng.choice(rec["items"])
        change_portfolios.add_item(self.world, self.by(), rec, given)
        return f"put {item['resource_type']} {item['gid']} into portfolio {rec['gid']}"

    def item_out(self) -> str:
        rec = self.living("portfolio")
        item = self.rng.choice(rec["items"])
        change_portfolios.remove_item(self.world, self.by(), rec, {"item": item})
        return f"took {item} out of portfolio {rec['gid']}"

    def inherit(self) -> str:
        rec = self.any_below("project_portfolio_setting", ("portfolio",))
        given = {"is_access_control_inherited": not rec["is_access_control_inherited"]}
        change_portfolios.update_setting(self.world, self.by(), rec, given)
        return f"changed project portfolio setting {rec['gid']}"

    def portfolio_gone(self) -> str:
        return self._gone("portfolio")

    def _gone(self, kind: str) -> str:
        if len(self.world.living(self.world.inside[kind, self.workspace])) < 3:
            raise LookupError(kind)
        rec = self.living(kind)
        change_portfolios.trash(self.world, self.by(), rec)
        return f"deleted {kind} {rec['gid']}"

    # -- custom fields of portfolios and goals --------------------------------------------------------

    def field_value(self) -> str:
        owner = self.living(self.rng.choice(("portfolio", "goal")))
        field = self.world.records[self.rng.choice(change_fields.fields_on(self.world, owner))]
        value = some_value(self.world, self.rng, field) if self.rng.random() < 0.8 else None
        change_fields.set_custom_field(self.world, self.by(), owner, field, value)
        return f"set custom field {field['gid']} of {owner['resource_type']} {owner['gid']}"

    def field_on(self) -> str:
        place, field = self.living(self.rng.choice(("portfolio", "goal"))), self.living("custom_field")
        held = [self.world.records[gid]["custom_field"] for gid in place["settings"]]
        where = f"{place['resource_type']} {place['gid']}"
        if field["gid"] in held:
            change_places.remove_setting(self.world, self.by(), place, field["gid"])
            return f"removed custom field {field['gid']} from {where}"
        change_places.add_setting(self.world, self.by(), place, {"custom_field": field["gid"]})
        return f"added custom field {field['gid']} to {where}"

    # -- goals ----------------------------------------------------------------------------------------

    def goal_new(self) -> str:
        given: Rec = {"name": self.words("Goal"), "workspace": self.workspace}
        if self.rng.random() < 0.5:
            given["team"] = self.living("team")["gid"]
        return f"created goal {goals.create_goal(self.world, self.by(), given)['gid']}"

    def goal_change(self) -> str:
        goal, by = self.living("goal"), self.by()
        given: Rec = self.rng.choice(
            (
                {"name": self.words("Renamed")},
                {"notes": self.rng.choice(names.REMARKS)},
                {"due_on": self.rng.choice((self._date(), None))},
                {"owner": self.rng.choice((self.person(), None))},
                {"liked": by not in goal.get("likes", ())},
                {"team": self.rng.choice((self.living("team")["gid"], None))},
            )
        )
        goals.update_goal(self.world, by, goal, given)
        return f"changed {', '.join(given)} of goal {goal['gid']}"

    def goal_metric(self) -> str:
        goal = self.living("goal")
        if goal.get("metric") is None or self.rng.random() < 0.2:
            given: Rec = {"unit": "none", "target_number_value": self.rng.randrange(1, 100)}
            goals.set_metric(self.world, self.by(), goal, given)
            return f"gave goal {goal['gid']} a metric"
        given = {"current_number_value": self.rng.randrange(1000) / 4}
        goals.set_metric_value(self.world, self.by(), goal, given)
        return f"measured goal {goal['gid']}"

    def goal_follow(self) -> str:
        goal, add = self.living("goal"), self.rng.random() < 0.6
        change_tasks.change_people(self.world, self.by(), goal, "followers", [self.by()], add)
        return f"changed the followers of goal {goal['gid']}"

    def goal_comment(self) -> str:
        goal = self.living("goal")
        text = self.words(self.rng.choice(names.REMARKS))
        rec = change_stories.add_comment(self.world, self.by(), goal, {"text": text})
        return f"commented on goal {goal['gid']}: story {rec['gid']}"

    def goal_comment_touch(self) -> str:
        goal, by = self.living("goal"), self.by()
        comments = [s for s in self.world.stories(goal) if s["resource_subtype"] == "comment_added"]
        story = self.rng.choice(comments)
        lot = self.rng.randrange(4)
        if lot == 0:
            change_stories.react(self.world, by, story, *self.rng.choice(names.EMOJI))
        elif lot == 1:
            change_stories.edit_story(self.world, by, story, {"text": self.words("Edited")})
        elif lot == 2:
            change_stories.edit_story(self.world, by, story, {"liked": by not in story.get("likes", ())})
        else:
            change_stories.trash_story(self.world, by, story)
        what = ("reacted to", "edited", "liked or unliked", "deleted")[lot]
        return f"{what} story {story['gid']} of goal {goal['gid']}"

    def goal_support(self) -> str:
        goal = self.living("goal")
        other = self.living(self.rng.choice(goals.SUPPORTERS))
        rec = goals.relate(self.world, self.by(), goal, {"supporting_resource": other["gid"]})
        return f"let {other['resource_type']} {other['gid']} support goal {goal['gid']}: {rec['gid']}"

    def goal_weigh(self) -> str:
        rec = self.any_below("goal_relationship", ("goal",))
        given = {"contribution_weight": self.rng.choice((0, 0.5, 1))}
        goals.update_relationship(self.world, self.by(), rec, given)
        return f"weighed goal relationship {rec['gid']}"

    def goal_unsupport(self) -> str:
        rec = self.any_below("goal_relationship", ("goal",))
        goal = self.world.records[rec["supported_goal"]]
        goals.unrelate(self.world, self.by(), goal, rec)
        return f"took {rec['supporting_resource']} from what supports goal {goal['gid']}"

    def goal_gone(self) -> str:
        return self._gone("goal")

    # -- memberships and templates --------------------------------------------------------------------

    def share(self) -> str:
        kind = self.rng.choice(list(HELD_IN))
        parent = self.living(kind)
        member = self.rng.choice((self.by(), self.living("team")["gid"]))
        given: Rec = {"parent": parent["gid"], "member": member}
        given["access_level"] = self.rng.choice(LEVELS[kind])
        rec = change_sharing.share(self.world, self.by(), given)
        return f"shared {kind} {parent['gid']} with {member}: membership {rec['gid']}"

    def _membership(self) -> Rec:
        return self.rng.choice(list(memberships_of(self.world, self.living(self.rng.choice(list(HELD_IN))))))

    def share_level(self) -> str:
        rec = self._membership()
        kind = self.world.records[rec["parent"]]["resource_type"]
        given = {"access_level": self.rng.choice(LEVELS[kind])}
        change_sharing.set_level(self.world, self.by(), rec, given)
        return f"changed the level of membership {rec['gid']} of {kind} {rec['parent']}"

    def unshare(self) -> str:
        rec = self._membership()
        change_sharing.unshare(self.world, self.by(), rec)
        return f"ended membership {rec['gid']} of {rec['parent']}"

    def template_rename(self) -> str:
        """As people do it: the API cannot."""
        rec = self._template()
        rec["name"] = self.words("Template")
        return f"renamed {rec['resource_type']} {rec['gid']}"

    def template_gone(self) -> str:
        rec = self._template()
        kind = rec["resource_type"]
        if len(list(self.world.iter_records(f"{kind}s"))) < 3:
            raise LookupError(kind)
        change_portfolios.trash(self.world, self.by(), rec)
        return f"deleted {kind} {rec['gid']}"

    def _template(self) -> Rec:
        if self.rng.random() < 0.5:
            return self.living("project_template")
        return self.any_below("task_template", ("project",))


WEIGHTS: dict[str, int] = {
    **dict.fromkeys(("status_new", "goal_change", "goal_comment", "portfolio_change", "item_in"), 6),
    **dict.fromkeys(("status_react", "goal_support", "goal_metric", "share", "brief_write"), 4),
    **dict.fromkeys(("portfolio_people", "item_out", "inherit", "field_value", "field_on", "share_level"), 3),
    **dict.fromkeys(("goal_follow", "goal_comment_touch", "goal_weigh", "unshare", "goal_new"), 3),
    **dict.fromkeys(("status_gone", "brief_attach", "portfolio_new", "goal_unsupport", "template_rename"), 2),
    **dict.fromkeys(("brief_gone", "portfolio_gone", "goal_gone", "template_gone"), 1),
}


def change_goals(world: World, rng: random.Random) -> str:
    """One change, in words; LookupError when the world has nothing left to change."""
    board = Board(world, rng)
    for _ in range(TRIES):
        kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        edit: Callable[[], Any] = getattr(board, kind)
        try:
            return str(edit())
        except (Refused, LookupError):  # not every lot fits: a circle, an empty portfolio, nothing left
            continue
    raise LookupError("Nothing to change")
