"""Custom fields: their definitions as Asana shows them, and their values on tasks and projects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .render import MISSING, NODES, Field, Node, Rec, View, head, one, value

if TYPE_CHECKING:
    from .world import World


class Filled(NamedTuple):
    """A custom field as it stands on one owner: a task, project, portfolio or goal."""

    field: Rec
    value: Any
    owner: Rec


def custom_field_values(view: View, owner: Rec) -> list[Filled]:
    """Every field that the owner, or a task's projects, ask for, empty ones too."""
    held = owner.get("custom_values", {})
    return [Filled(field, held.get(field["gid"]), owner) for field in _fields_of(view, owner)]


def _fields_of(view: View, owner: Rec) -> Iterable[Rec]:
    if owner["resource_type"] in ("project", "portfolio"):
        return view.refs(owner.get("own_fields", ()))
    if owner["resource_type"] == "goal":
        return view.refs(view.records[setting]["custom_field"] for setting in owner.get("settings", ()))
    seen: dict[str, None] = {}
    for project, _ in owner.get("memberships", ()):
        place = view.ref(project)
        for setting in place.get("settings", ()) if place else ():
            seen[view.records[setting]["custom_field"]] = None
    return view.refs(seen)


def fields_on(world: World, owner: Rec) -> list[str]:
    """The gids of the custom fields that an owner may have values for."""
    return [field["gid"] for field in _fields_of(View(world, ""), owner)]


def is_date(held: Any) -> Any:
    return held if isinstance(held, dict) else None


def _kind(field: Rec) -> str:
    return str(field["resource_subtype"])


def display(view: View, filled: Filled) -> str | None:
    """The value as people read it; null when there is none."""
    held = _computed(filled)
    if held is None or held == []:
        return None
    kind = _kind(filled.field)
    if kind == "number":
        return _number(filled.field, held)
    if kind == "date":
        return str(held["date_time"] or held["date"])
    if kind in ("enum", "multi_enum", "people", "reference"):
        gids = [held] if isinstance(held, str) else held
        return ", ".join(rec["name"] for rec in view.refs(gids)) or None
    return str(held)


def _number(field: Rec, held: float) -> str:
    precision = field.get("precision", 0)
    shape = field.get("format", "none")
    if shape == "percentage":
        return f"{held * 100:.{precision}f}%"
    text = f"{held:.{precision}f}"
    if shape == "currency":
        return f"{field.get('currency_code', 'EUR')} {text}"
    return f"{field.get('custom_label', '')}{text}" if shape == "custom" else text


def _computed(filled: Filled) -> Any:
    """Custom ids number the tasks; formulas follow the task's other numbers."""
    shape = filled.field.get("representation_type")
    if shape == "custom_id":
        return f"{filled.field['id_prefix']}-{filled.owner.get('ordinal', 0) + 1}"
    if shape == "formula":
        numbers = [v for v in filled.owner.get("custom_values", {}).values() if isinstance(v, int | float)]
        return sum(numbers) * 2 if numbers else None
    return filled.value


def _definition_fields() -> dict[str, Field]:
    return {
        **head(),
        "name": value("name"),
        "type": Field(lambda view, rec: _kind(rec)),
        "resource_subtype": Field(lambda view, rec: _kind(rec)),
        "enum_options": Field(_options, "enum_option", many=True, part=True),
        "representation_type": Field(lambda view, rec: rec.get("representation_type", _kind(rec))),
        "id_prefix": value("id_prefix"),
        "input_restrictions": Field(lambda view, rec: rec.get("input_restrictions", [])),
        "is_formula_field": Field(lambda view, rec: rec.get("representation_type") == "formula"),
        "description": value("description", "", opt_in=True),
        "precision": Field(lambda view, rec: rec.get("precision", 0) if _kind(rec) == "number" else MISSING),
        "format": Field(lambda view, rec: rec.get("format", "none") if _kind(rec) == "number" else MISSING),
        "currency_code": value("currency_code"),
        "custom_label": value("custom_label"),
        "custom_label_position": value("custom_label_position"),
        "is_global_to_workspace": value("is_global_to_workspace", True),
        "has_notifications_enabled": value("has_notifications_enabled", False),
        "asana_created_field": value("asana_created_field"),
        "is_value_read_only": Field(
            lambda view, rec: rec.get("representation_type") in ("formula", "custom_id")
        ),
        "created_by": one("user", "created_by"),
        "privacy_setting": value("privacy_setting", "public_with_guests"),
        "default_access_level": value("default_access_level", "editor"),
    }


def _options(view: View, field: Rec) -> Any:
    return view.refs(field["enum_options"]) if _kind(field) in ("enum", "multi_enum") else MISSING


def _on_value(one_field: Field) -> Field:
    get = one_field.get
    return Field(
        lambda view, filled: get(view, filled.field),
        one_field.node,
        one_field.many,
        one_field.part,
        one_field.opt_in,
    )


def _only(kind: str, get: Any, node: str = "", many_of: bool = False) -> Field:
    """A value field that exists only on custom fields of one kind."""

    def when(view: View, filled: Filled) -> Any:
        return get(view, filled) if _kind(filled.field) == kind else MISSING

    return Field(when, node, many=many_of)


def _html(view: View, filled: Filled) -> Any:
    held = _computed(filled)
    return None if held is None else f"<body>{str(held).replace('&', '&amp;').replace('<', '&lt;')}</body>"


def _value_fields() -> dict[str, Field]:
    fields = {name: _on_value(field) for name, field in _definition_fields().items()}
    fields |= {
        "enabled": Field(lambda view, filled: True),
        "date_value": _only("date", lambda view, filled: is_date(filled.value)),
        "enum_value": _only("enum", lambda view, filled: view.ref(filled.value), "enum_option"),
        "multi_enum_values": _only(
            "multi_enum", lambda view, filled: view.refs(filled.value or ()), "enum_option", many_of=True
        ),
        "number_value": _only("number", lambda view, filled: _computed(filled)),
        "text_value": _only("text", lambda view, filled: _computed(filled)),
        "html_text_value": _only("text", _html),
        "people_value": _only(
            "people", lambda view, filled: view.refs(filled.value or ()), "user", many_of=True
        ),
        "reference_value": _only(
            "reference", lambda view, filled: view.refs(filled.value or ()), "named", many_of=True
        ),
        "display_value": Field(display),
    }
    return fields


COMPACT = (
    *("name", "type", "enum_options", "enabled", "representation_type", "id_prefix", "input_restrictions"),
    *("is_formula_field", "date_value", "enum_value", "multi_enum_values", "number_value", "text_value"),
    "display_value",
)
NODES["custom_field"] = Node(_definition_fields(), COMPACT)
NODES["custom_field_value"] = Node(_value_fields(), COMPACT)
NODES["enum_option"] = Node(
    {**head(), "name": value("name"), "enabled": value("enabled", True), "color": value("color", "none")},
    ("name", "enabled", "color"),
)
NODES["named"] = Node({**head(), "name": value("name")}, ("name",))
NODES["custom_field_setting"] = Node(
    {
        **head(),
        "project": one("project", "project"),
        "is_important": value("is_important", False),
        "parent": Field(lambda view, rec: view.ref(rec.get("project") or rec["parent"]), "named"),
        "custom_field": Field(lambda view, rec: view.ref(rec["custom_field"]), "custom_field", part=True),
    },
    (),
)
