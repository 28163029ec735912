"""The world: every record that exists, where it stands, and who may see it."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .acting_agents import let_agents_act
from .audit import AuditLog
from .change_fields import set_custom_field, set_liked
from .change_places import leave_workspace
from .change_stories import kept, react
from .draw import ATTACHMENT_GIDS, ATTACHMENTS_PER_TASK, STORIES_PER_TASK, STORY_GIDS, gid_number, iso, mix
from .events import EventLog
from .hooks import Hooks
from .lazy import Pools, made_attachment, made_story
from .past import Past
from .render import Rec, View, renderer
from .standing import STANDS_ON
from .tasks_by_age import ByCreation
from .truth import Truth
from .undelete import undelete
from .who import Eyes, Identity, Refusals

LISTED_PER_WORKSPACE = (
    *("agent", "team", "tag", "custom_field", "project"),
    *("portfolio", "goal", "project_template"),
)


class World:
    """A small Asana's memory. Records are dicts of what differs from the defaults; references are gids."""

    def __init__(self, seed: int = 1, plan: str = "premium") -> None:
        self.seed = seed
        self.plan = plan
        self.rng = random.Random(seed)
        self.clock: Callable[[], float] = time.time
        self.records: dict[str, Rec] = {}
        self.workspaces: list[str] = []
        self.inside: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.members: dict[str, dict[str, str]] = defaultdict(dict)  # workspace: user -> membership
        self.team_members: dict[str, dict[str, str]] = defaultdict(dict)  # team: user -> membership
        self.assigned: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)  # (actor, workspace): tasks
        self.tagged: dict[str, dict[str, None]] = defaultdict(dict)
        self.tasks: list[str] = []  # by ordinal, which is how generated stories find their task
        self.pools = Pools()
        self.story_shelf: dict[str, list[Rec]] = {}  # tasks whose stories are no longer as generated
        self.attachment_shelf: dict[str, list[Rec]] = {}
        self.task_of_added: dict[str, str] = {}  # stories and attachments written after the beginning
        self.hooks = Hooks(self)
        self.events = EventLog(self)
        self.refusals = Refusals()
        self.truth = Truth(self)
        self.by_creation = ByCreation()
        self.past = Past(self)
        self.audit = AuditLog(self)
        self.favorites: dict[tuple[str, str], list[str]] = defaultdict(list)  # (user, workspace): in order
        self.lists_only_documented_fields = False  # of time tracking entries; a single GET gives all
        self.agents_everywhere = False  # see let_agents_act
        self.searches = 0  # no two of them order equals alike
        self.identities: dict[str, Identity] = {}
        self._minted = 0

    # -- time and names -------------------------------------------------------------------------------

    def epoch_s(self) -> int:
        return int(self.clock())

    def now(self) -> str:
        return iso(int(self.clock() * 1000))

    def mint(self) -> str:
        self._minted += 1
        return str(gid_number(self._minted))

    # -- tokens ---------------------------------------------------------------------------------------

    def admit(
        self,
        name: str,
        user: str,
        all_seeing: bool = True,
        scopes: Iterable[str] | None = None,
        service: bool = False,
    ) -> str:
        """Make a token; scopes as Asana writes them (`tasks:read`), None for all."""
        token = f"sandbox-{name}-{mix(self.seed * 1000 + len(self.identities)):016x}"
        granted = None if scopes is None else frozenset(scopes)
        self.identities[token] = Identity(name, token, user, all_seeing, granted, service)
        return token

    @property
    def tokens(self) -> dict[str, str]:
        return {identity.name: token for token, identity in self.identities.items()}

    @property
    def token(self) -> str:
        return next(iter(self.identities))

    @property
    def me(self) -> str:
        """The user behind the token that sees everything."""
        return self.identities[self.token].user

    def refuse(self, gid_or_path: str, status: int) -> None:
        """Answer requests that name this gid or path with 402, 403, 404 or 451 from now on."""
        self.refusals.refuse(gid_or_path, status)

    def allow(self, gid_or_path: str) -> None:
        self.refusals.allow(gid_or_path)

    def view(self, token: str | None = None, agents: bool = True) -> View:
        identity = self.identities[token or self.token]
        blind = not identity.all_seeing or bool(self.refusals.by_gid)
        return View(self, identity.user, agents, Eyes(self, identity) if blind else None)

    def visible(self, token: str, gid: str) -> bool:
        """Whether a single GET of this record answers with it."""
        rec = self.find(gid)
        if rec is None or gid in self.refusals.by_gid:
            return False
        return Eyes(self, self.identities[token])(rec)

    # -- records --------------------------------------------------------------------------------------

    def put(self, kind: str, gid: str | None = None, **fields: Any) -> Rec:
        """Add a record of a resource type; what is listed per workspace is listed from now on."""
        rec: Rec = {"gid": gid or self.mint(), "resource_type": kind, **fields}
        if kind == "task":
            rec = self.past.born(rec)
        self.records[rec["gid"]] = rec
        if kind in LISTED_PER_WORKSPACE and rec.get("is_global_to_workspace", True):
            self.inside[kind, rec["workspace"]].append(rec["gid"])
        return rec

    def find(self, gid: str) -> Rec | None:
        """The record with this gid, stories and attachments included; None when trashed or unknown."""
        rec = self.records.get(gid) or self.story(gid) or self.attachment(gid)
        return None if rec is None or "trashed" in rec or self._without_owner(rec) else rec

    def _without_owner(self, rec: Rec) -> bool:
        return any(self.find(rec[key]) is None for key in STANDS_ON.get(rec["resource_type"], ()))

    def alive(self, gid: str) -> bool:
        rec = self.records.get(gid)
        return rec is not None and "trashed" not in rec

    def living(self, gids: Iterable[str]) -> list[Rec]:
        return [self.records[gid] for gid in gids if "trashed" not in self.records[gid]]

    def workspaces_of(self, user: str) -> list[str]:
        return [gid for gid in self.workspaces if user in self.members[gid]]

    def user_task_list(self, user: str, workspace: str) -> Rec:
        number = mix(int(user) ^ mix(int(workspace))) % 10**15 + 4 * 10**15
        name = f"My tasks in {self.records[workspace]['name']}"
        return {
            "gid": str(number),
            "resource_type": "user_task_list",
            "name": name,
            "owner": user,
            "workspace": workspace,
        }

    # -- stories and attachments ----------------------------------------------------------------------

    def stories(self, task: Rec, start: int = 0, end: int | None = None) -> list[Rec]:
        """The living stories of a task, oldest first; made on the spot while nobody has touched them."""
        shelf = self.story_shelf.get(task["gid"])
        if shelf is not None:
            return [story for story in shelf if "trashed" not in story][start:end]
        count = task.get("story_count", 0)
        return [made_story(self, task, k) for k in range(start, count if end is None else min(end, count))]

    def story_count(self, task: Rec) -> int:
        shelf = self.story_shelf.get(task["gid"])
        if shelf is None:
            return int(task.get("story_count", 0))
        return sum("trashed" not in story for story in shelf)

    def attachments(self, owner: Rec) -> list[Rec]:
        shelf = self.attachment_shelf.get(owner["gid"])
        if shelf is not None:
            return [item for item in shelf if "trashed" not in item]
        return [made_attachment(self, owner, k) for k in range(owner.get("attachment_count", 0))]

    def attachment_count(self, owner: Rec) -> int:
        shelf = self.attachment_shelf.get(owner["gid"])
        if shelf is None:
            return int(owner.get("attachment_count", 0))
        return sum("trashed" not in item for item in shelf)

    def keep_stories(self, task: Rec) -> list[Rec]:
        """The task's stories as a list that may be edited from now on."""
        return self.story_shelf.setdefault(task["gid"], self.stories(task))

    def keep_attachments(self, owner: Rec) -> list[Rec]:
        """The owner's attachments as a list that is about to be edited."""
        if owner["resource_type"] == "task":
            self.past.before_change(owner)
        return self.attachment_shelf.setdefault(owner["gid"], self.attachments(owner))

    def story(self, gid: str) -> Rec | None:
        return self._part(gid, STORY_GIDS, STORIES_PER_TASK, self.story_shelf, self._generated_story)

    def attachment(self, gid: str) -> Rec | None:
        shelf, made = self.attachment_shelf, self._generated_attachment
        return self._part(gid, ATTACHMENT_GIDS, ATTACHMENTS_PER_TASK, shelf, made)

    def _part(
        self,
        gid: str,
        first: int,
        each: int,
        shelves: dict[str, list[Rec]],
        made: Callable[[Rec, int], Rec | None],
    ) -> Rec | None:
        """A story or attachment by its gid, which says whose it is."""
        owner, place = self.task_of_added.get(gid), -1
        if owner is None and gid.isdecimal() and len(gid) < 20:
            ordinal, place = divmod(int(gid) - first, each)
            if 0 <= ordinal < len(self.tasks):
                owner = self.tasks[ordinal]
        if owner is None:
            return None
        shelf = shelves.get(owner)
        if shelf is not None:
            return next((rec for rec in shelf if rec["gid"] == gid), None)
        return made(self.records[owner], place)

    def _generated_story(self, task: Rec, place: int) -> Rec | None:
        return made_story(self, task, place) if 0 <= place < task.get("story_count", 0) else None

    def _generated_attachment(self, task: Rec, place: int) -> Rec | None:
        return made_attachment(self, task, place) if 0 <= place < task.get("attachment_count", 0) else None

    # -- truth ----------------------------------------------------------------------------------------

    def record(self, gid: str) -> dict[str, Any]:
        """The complete API JSON of a record, opt-in fields too; KeyError when it does not exist."""
        rec = self.find(gid)
        if rec is None:
            raise KeyError(gid)
        return self.rendered(rec)

    def rendered(self, rec: Rec) -> dict[str, Any]:
        return renderer(rec.get("node", rec["resource_type"]), "all")(self.view(), rec)

    def iter_records(self, resource: str) -> Iterator[dict[str, Any]]:
        """All that exists and shows of a resource, named as in Asana's paths (`tasks`)."""
        return map(self.rendered, self.truth.existing(resource))

    def reachable_tasks(self) -> set[str]:
        """Tasks that some listing shows: in a project, assigned, tagged, or below such a task."""
        return self.truth.reachable_tasks()

    def project_order(self, project: str) -> list[str]:
        return self.truth.project_order(project)

    def pages_to_read(self, limit: int = 100) -> dict[str, int]:
        """Pages per kind of listing that a complete first reading has to ask for."""
        return self.truth.pages_to_read(limit)

    def lose_events(self, share: float) -> None:
        """From now on this share of all events reaches nobody."""
        self.events.lost_share = share

    # -- what the API cannot do, or not so shortly; `by` is the actor, the full token's user unless named --

    def undelete(self, gid: str, by: str | None = None) -> bool:
        """Bring a task, project or story back from the trash; False when it is not there to be brought."""
        return undelete(self, by or self.me, gid)

    def leave(self, user: str, workspace: str | None = None) -> None:
        """Let a user leave a workspace (the first one unless named)."""
        leave_workspace(self, self.me, self.records[workspace or self.workspaces[0]], user)

    def like(self, gid: str, by: str | None = None, liked: bool = True) -> None:
        """Like a task, story, goal or status update; KeyError when there is none."""
        rec = self._must(gid)
        set_liked(self, by or self.me, kept(self, rec) if rec["resource_type"] == "story" else rec, liked)

    def react(self, gid: str, emoji: str, by: str | None = None) -> None:
        """React to a story or status update with an emoji, or take that back."""
        react(self, by or self.me, self._must(gid), emoji)

    def let_agents_act(self) -> None:
        """From now on agents stand in created_by, followers, likes, members … and make edits, as announced."""
        let_agents_act(self)

    def set_custom_field(self, owner: str, field: str, value: Any, by: str | None = None) -> None:
        """Set a custom field's value on a task, project, portfolio or goal; None empties it."""
        set_custom_field(self, by or self.me, self._must(owner), self.records[field], value)

    def log_audit(self, event_type: str, **more: Any) -> Rec:
        """Add an event to the audit log: `actor`, `resource` (gids), `details`, `created_at`, as `AuditLog.write`."""
        return self.audit.write(event_type, **more)

    def _must(self, gid: str) -> Rec:
        rec = self.find(gid)
        if rec is None:
            raise KeyError(gid)
        return rec
