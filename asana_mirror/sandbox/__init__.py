"""A small but honest Asana on this machine, written from its API description and from nothing else here."""

from . import (  # noqa: F401 (they fill the table of fields)
    shape_goals,
    shape_places,
    shape_plan,
    shape_portfolios,
    shape_status,
    shape_time,
    shape_work,
)
from .app import App, create_app
from .edits import random_edits
from .faults import Faults
from .generate import generate
from .limits import Limits
from .serving import running, serve
from .world import World

__all__ = ["App", "Faults", "Limits", "World", "create_app", "generate", "random_edits", "running", "serve"]
