"""asana-mirror: a local mirror of Asana in one SQLite file."""

__version__ = "0.5.0"
