"""Browsing the mirror with Datasette: `serve` runs it on a port, `datasette_for` builds it."""

from asana_mirror.browse.open_mirror import datasette_for
from asana_mirror.browse.serving import browse_at, datasette_app, serve, serve_until_stopped

__all__ = ["browse_at", "datasette_app", "datasette_for", "serve", "serve_until_stopped"]
