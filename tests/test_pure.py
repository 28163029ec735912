"""The pure core as tables: what answers mean, when requests may leave, what is asked next, what is too much."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asana_mirror import config, wire
from asana_mirror.catalog import RESOURCES
from asana_mirror.decode import decode
from asana_mirror.errors import (
    BadToken,
    CarryOnWithout,
    ListTooLong,
    MirrorError,
    OffsetExpired,
    RateLimited,
    SyncTokenExpired,
    WaitAndRepeat,
)
from asana_mirror.plan import steps_below, too_many, wanted
from asana_mirror.words import Scope, step_named

NOW = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)


def refusal(message: str) -> bytes:
    return f'{{"errors": [{{"message": "{message}"}}]}}'.encode()


@pytest.mark.parametrize(
    ("status", "message", "paged", "meaning"),
    [
        (401, "Not Authorized", "first", BadToken),
        (402, "Payment Required", "first", CarryOnWithout),
        (403, "Forbidden", "no", CarryOnWithout),
        (404, "project: Unknown object", "later", CarryOnWithout),
        (451, "Unavailable For Legal Reasons", "first", CarryOnWithout),
        (400, "project: Missing input", "no", CarryOnWithout),
        (400, "project: Not a recognized ID", "first", CarryOnWithout),
        (400, "offset: Your pagination token has expired.", "later", OffsetExpired),
        (400, "Something unclear", "later", OffsetExpired),
        (400, "The result is too large. You should use pagination!", "first", ListTooLong),
        (400, "The result is too large.", "later", ListTooLong),
        (429, "You have made too many requests recently.", "first", RateLimited),
        (500, "Server Error", "first", WaitAndRepeat),
        (502, "", "first", WaitAndRepeat),
        (504, "", "first", WaitAndRepeat),
        (302, "", "first", WaitAndRepeat),
        (408, "Request Timeout", "first", WaitAndRepeat),
    ],
)
def test_each_refusal_has_one_meaning(
    status: int, message: str, paged: wire.Paged, meaning: type[MirrorError]
) -> None:
    with pytest.raises(MirrorError) as told:
        wire.raise_refusal(status, {}, refusal(message), paged=paged)
    assert type(told.value) is meaning


def test_a_dead_sync_token_comes_with_a_fresh_one() -> None:
    with pytest.raises(SyncTokenExpired) as told:
        wire.raise_refusal(412, {}, b'{"errors": [{"message": "too old"}], "sync": "fresh:1"}')
    assert told.value.sync == "fresh:1"


def test_an_html_page_of_a_proxy_is_waited_out() -> None:
    with pytest.raises(WaitAndRepeat):
        wire.raise_refusal(502, {}, b"<html>Bad Gateway</html>")
    with pytest.raises(WaitAndRepeat):
        wire.read_body(b"<html>all is well</html>")


def test_a_server_error_tells_its_phrase() -> None:
    with pytest.raises(WaitAndRepeat, match="6 sad squid snuggle softly"):
        wire.raise_refusal(
            500, {}, b'{"errors": [{"message": "Oops", "phrase": "6 sad squid snuggle softly"}]}'
        )


@pytest.mark.parametrize(
    "body", [b'{"data": [1, 2', b'{"data": null}', b'{"data": {}}', b"[]", b"", b'{"errors": []}']
)
def test_a_cut_or_shapeless_page_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(WaitAndRepeat):
        wire.read_page(wire.read_body(body))


def test_half_a_surrogate_pair_is_read_as_a_question_mark() -> None:
    page = wire.read_page(wire.read_body(rb'{"data": [{"gid": "1", "name": "a\ud83d b"}]}'))
    assert page.records == [{"gid": "1", "name": "a? b"}]


@pytest.mark.parametrize("next_page", ["null", "{}", '{"offset": null}', '{"offset": ""}'])
def test_the_last_page_names_no_offset(next_page: str) -> None:
    body = f'{{"data": [], "next_page": {next_page}}}'.encode()
    assert wire.read_page(wire.read_body(body)).next_offset is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("nan", None), ("7", 7.0), ("0", 0.0), ("-3", 0.0), ("soon", None), (None, None)]
)
def test_retry_after_is_read_as_seconds(header: str | None, seconds: float | None) -> None:
    assert wire.retry_after_s({"retry-after": header} if header else {}) == seconds


def test_the_cursor_is_asanas_clock_before_the_request_left() -> None:
    headers = {"date": "Sun, 22 Nov 2026 09:00:10 GMT"}
    assert wire.asked_at(headers, 3.2, NOW) == "2026-11-22T09:00:05.000Z"
    assert wire.asked_at({}, 0.0, NOW) == "2026-11-22T07:59:59.000Z"
    for odd in ("yesterday", "Fri, 31 Dec 9999 23:59:59 -1200"):
        assert wire.asked_at({"date": odd}, 0.0, NOW) == "2026-11-22T07:59:59.000Z"


def test_a_date_to_come_back_at_is_read_by_asanas_clock() -> None:
    headers = {"date": "Sun, 22 Nov 2026 09:00:00 GMT", "retry-after": "Sun, 22 Nov 2026 09:00:30 GMT"}
    assert wire.retry_after_s(headers) == 30


def test_announced_changes_are_read_one_by_one() -> None:
    headers = [
        ("Asana-Change", "name=a;info=https://x.example/a;affected=true,name=b;affected=false"),
        ("asana-deprecation-warning", "string_ids, see the docs"),
        ("Date", "today"),
    ]
    changes = wire.api_changes(headers)
    assert [(change.name, change.affected) for change in changes] == [("a", True), ("b", False), (None, None)]
    assert changes[0].info == "https://x.example/a"
    assert changes[2].value == "string_ids, see the docs"


def test_gids_are_left_out_of_endpoints() -> None:
    assert wire.endpoint_of("/tasks/123/stories") == "/tasks/{gid}/stories"
    assert wire.endpoint_of("/workspaces") == "/workspaces"


def test_offsets_survive_the_address_whatever_is_in_them() -> None:
    address = wire.url("https://x.example/api/1.0", "/tasks", {"offset": "a+b/=&é", "opt_fields": "a.b,c"})
    assert address == "https://x.example/api/1.0/tasks?offset=a%2Bb%2F%3D%26%C3%A9&opt_fields=a.b,c"


@pytest.mark.parametrize(
    ("losses", "max_deletes", "stops"),
    [
        ((50, 60), None, False),  # a handful is never suspicious
        ((51, 1000), None, False),  # nor is a small share
        ((51, 255), None, False),
        ((52, 255), None, True),
        ((136, 136), None, True),
        ((136, 136), 136, False),
        ((136, 136), 135, True),
        ((1, 1000), 0, True),
    ],
)
def test_the_guard_stops_what_is_both_many_and_much(
    losses: tuple[int, int], max_deletes: int | None, stops: bool
) -> None:
    assert bool(too_many({"tasks": losses}, max_deletes)) is stops


def opened(resource: str, scope: Scope | None = None, **known: object) -> list[str]:
    row = tuple(known.get(column) for column in RESOURCES[resource].column_names())
    scope = scope or Scope()
    steps = steps_below(resource, "7", row, workspace_gid="1", scope=scope)
    return sorted(step.key for step in steps if wanted(step.listing, scope))


def test_subtasks_are_asked_for_only_where_there_may_be_some() -> None:
    plain = ["/attachments?parent=7", "/tasks/7/stories"]
    assert opened("tasks", num_subtasks=0) == plain
    assert opened("tasks", num_subtasks=2) == [*plain, "/tasks/7/subtasks"]
    assert opened("tasks", num_subtasks=None) == [*plain, "/tasks/7/subtasks"]


def test_people_and_agents_open_their_tasks_in_each_workspace() -> None:
    tasks = "/tasks?assignee=7&workspace=1"
    assert opened("agents") == [tasks]
    assert opened("users") == ["/ooo_entries?user=7&workspace=1", tasks]


def test_a_project_opens_all_that_stands_in_it() -> None:
    lists = [
        "/access_requests?target=7",
        "/allocations?parent=7",
        "/attachments?parent=7",
        "/budgets?parent=7",
        "/custom_types?project=7",
        "/memberships?parent=7",
        "/projects/7/project_portfolio_settings",
        "/projects/7/project_statuses",
        "/projects/7/sections",
        "/projects/7/tasks",
        "/rates?parent=7",
        "/status_updates?parent=7",
        "/task_templates?project=7",
    ]
    assert opened("projects") == lists
    assert opened("projects", project_brief_gid="8") == sorted([*lists, "/project_briefs/8"])


def test_a_comment_opens_a_list_for_each_emoji_once() -> None:
    summary = '[{"emoji_base":"👍","variant":"👍"},{"emoji_base":"👍","variant":"👍🏽"},{"emoji_base":"&"}]'
    assert opened("stories") == opened("stories", reaction_summary="[]") == []
    assert opened("stories", reaction_summary=summary) == [
        "/reactions?target=7&emoji_base=%26",
        "/reactions?target=7&emoji_base=%F0%9F%91%8D",
    ]


def test_a_narrowed_run_opens_only_what_it_wants() -> None:
    assert opened("tasks", Scope(skip=("stories", "attachments")), num_subtasks=0) == []
    assert opened("projects", Scope(only=("sections",))) == ["/projects/7/sections"]
    assert opened("projects", Scope(only=("stories",))) == [
        "/projects/7/sections",  # a list too long is read by them
        "/projects/7/tasks",
    ]
    assert opened("workspaces", Scope(workspaces=("8",))) == []


def test_a_step_is_the_same_text_in_every_run() -> None:
    assert step_named("assigned_tasks", "5", "6").key == "/tasks?assignee=5&workspace=6"


def test_a_record_that_does_not_fit_is_set_aside_whole_and_the_rest_is_read() -> None:
    records = [
        {"gid": "1", "name": "good", "assignee": {"gid": "9", "resource_type": "agent", "name": "Bot"}},
        {"gid": "2", "name": {"not": "text"}, "followers": [{"gid": "77"}]},
        {"gid": "3", "num_likes": "many"},
        {"name": "no gid"},
        "no object",
        None,
        {"gid": "4", "followers": "none"},
    ]
    batch = decode(RESOURCES["tasks"], records)
    assert batch.listed == {"1": 0}
    assert batch.actors == {"9": ("agent", "Bot")}
    assert [record.gid for record in batch.undecoded[:2]] == ["2", "3"]
    assert len(batch.undecoded) == 6
    assert '"not": "text"' in batch.undecoded[0].record


def test_what_was_not_told_is_not_empty() -> None:
    batch = decode(RESOURCES["tasks"], [{"gid": "1", "tags": None, "followers": []}])
    assert batch.links == {"task_followers": {"1": {}}}
    batch = decode(RESOURCES["projects"], [{"gid": "1", "custom_field_settings": None}])
    assert batch.children == {}


def test_one_odd_definition_does_not_take_its_project_with_it() -> None:
    settings = [
        {"gid": "20", "custom_field": {"gid": "30", "precision": 2.5}},
        {"gid": "21", "is_important": "perhaps"},
        {
            "gid": "22",
            "custom_field": {"gid": "31", "enum_options": [{"gid": "40"}, {"gid": "41", "enabled": []}]},
        },
    ]
    batch = decode(RESOURCES["projects"], [{"gid": "1", "name": "Launch", "custom_field_settings": settings}])
    assert set(batch.rows["projects"]) == {"1"}
    assert set(batch.rows["custom_field_settings"]) == {"20", "22"}
    assert set(batch.rows["custom_fields"]) == {"31"}
    assert "30" in batch.stubs["custom_fields"]
    assert batch.children["custom_field_settings", "parent_gid"] == {"1": {"20", "21", "22"}}
    assert sorted(record.gid for record in batch.undecoded) == ["21", "30", "41"]


@pytest.mark.parametrize(
    "value",
    [
        {"gid": "3", "resource_subtype": {"a": 1}},
        {"gid": "3", "type": ["x"]},
        {"gid": "3", "text_value": {"a": 1}, "number_value": "12.5"},
        "3",
    ],
)
def test_odd_values_of_custom_fields_break_nothing(value: object) -> None:
    batch = decode(RESOURCES["tasks"], [{"gid": "1", "custom_fields": [value]}, {"gid": "2"}])
    assert "2" in batch.rows["tasks"]
    kept = batch.links.get("task_custom_fields", {}).get("1", {}) or batch.undecoded
    assert kept
    for row in batch.links.get("task_custom_fields", {}).get("1", {}).values():
        assert all(column is None or isinstance(column, (str, float)) for column in row)


@pytest.mark.parametrize("number", ["NaN", "1e999", "9" * 400, "-Infinity"])
def test_numbers_that_are_none_spoil_their_own_record_at_most(number: str) -> None:
    body = f'{{"data": [{{"gid": "1", "num_likes": {number}}}, {{"gid": "2", "num_likes": 3}}]}}'.encode()
    batch = decode(RESOURCES["tasks"], wire.read_page(wire.read_body(body)).records)
    assert set(batch.rows["tasks"]) == {"2"}
    assert [record.gid for record in batch.undecoded] == ["1"]


def test_an_answer_nested_too_deep_is_asked_for_again() -> None:
    with pytest.raises(WaitAndRepeat):
        wire.read_body(b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}")


def test_odd_gids_stay_in_their_place_of_the_address() -> None:
    step = step_named("assigned_tasks", "5&x=1", "6#")
    path, params = wire.page_request(step, None)
    assert path == "/tasks"
    assert params["assignee"] == "5&x=1"
    assert params["workspace"] == "6#"


def test_nulls_stand_where_objects_are_expected() -> None:
    record = {
        "gid": "1",
        "assignee": None,
        "likes": [None, {"user": None}, {"user": {"gid": "5"}}],
        "memberships": [None, {"project": None, "section": None}, {"project": {"gid": "8"}, "section": None}],
        "custom_fields": [None, {"gid": "3", "enum_value": None, "people_value": [None, {"gid": "5"}]}],
    }
    batch = decode(RESOURCES["tasks"], [record])
    assert batch.undecoded == []
    assert batch.links["task_likes"]["1"] == {("5",): ()}
    assert batch.links["task_projects"]["1"] == {("8",): (None,)}
    assert batch.links["task_custom_fields"]["1"][("3",)][-2] == '["5"]'


def test_unknown_fields_are_kept_aside() -> None:
    batch = decode(RESOURCES["tags"], [{"gid": "1", "resource_type": "tag", "sparkle": {"b": 1, "a": 2}}])
    assert batch.rows["tags"]["1"][-1] == '{"sparkle":{"a":2,"b":1}}'


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("5", 5)]
)
def test_durations_are_written_with_their_unit(text: str, seconds: float) -> None:
    assert config.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10x", "-5s", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        config.seconds_of(text)
