"""The first questions of a run, before anything is touched: a wrong token, host or gid must leave no trace."""

from __future__ import annotations

from asana_mirror.catalog import RESOURCES
from asana_mirror.client import Asana
from asana_mirror.errors import (
    AsanaUnreachable,
    BadToken,
    CarryOnWithout,
    ListTooLong,
    MirrorError,
    OffsetExpired,
    WrongUsage,
)
from asana_mirror.wire import page_request, record_request
from asana_mirror.words import Answer, Page, Scope, step_named

MOST_PAGES_OF_WORKSPACES = (
    200  # nobody is in 20,000; a list that leads to itself must not be followed for ever
)


async def first_contact(asana: Asana, scope: Scope) -> list[Answer[Page]]:
    """Read the workspaces that the token sees. Raises what keeps it from seeing any, or those that are wanted."""
    step = step_named("workspaces")
    answers: list[Answer[Page]] = []
    offset: str | None = None
    for _ in range(MOST_PAGES_OF_WORKSPACES):
        try:
            answers.append(await asana.page(*page_request(step, offset)))
        except OffsetExpired:
            answers, offset = [], None
            continue
        except (CarryOnWithout, ListTooLong) as refusal:
            raise _no_way_in(refusal) from refusal
        offset = answers[-1].content.next_offset
        if offset is None:
            break
    else:
        raise AsanaUnreachable("The list of workspaces does not come to an end.")
    names = {
        str(record.get("gid")): record.get("name")
        for answer in answers
        for record in answer.content.records
        if isinstance(record, dict)
    }
    for gid in scope.workspaces:
        if gid not in names:
            visible = ", ".join(f"{gid} ({name})" for gid, name in names.items()) or "none"
            raise WrongUsage(
                f"This token sees no workspace {gid}.", hint=f"The workspaces it sees: {visible}."
            )
    return answers


def _no_way_in(refusal: CarryOnWithout | ListTooLong) -> MirrorError:
    """Without its workspaces a token leads nowhere."""
    if isinstance(refusal, CarryOnWithout) and refusal.status in (402, 403, 451):
        return BadToken(f"The token may not list its workspaces: {refusal}")
    return AsanaUnreachable(
        f"There is no Asana at this address: it refuses to list workspaces ({refusal}).",
        hint="Check --base-url; Asana's own is https://app.asana.com/api/1.0",
    )


async def check_places(asana: Asana, scope: Scope) -> None:
    """Raises WrongUsage for a project or team that this token does not see."""
    for resource, gids in (("teams", scope.teams), ("projects", scope.projects)):
        for gid in gids:
            try:
                await asana.record(
                    *record_request(RESOURCES[resource].path or "", resource, gid, only="name")
                )
            except CarryOnWithout as refusal:
                kind = resource.removesuffix("s")
                raise WrongUsage(
                    f"This token sees no {kind} {gid}.",
                    hint=f"Give the gid or the address of a {kind} that it sees (Asana said: {refusal}).",
                ) from refusal
