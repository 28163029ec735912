"""The only module that reads the environment and the config file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from asana_mirror.errors import BadToken, WrongUsage

CONFIG_FILE = "asana-mirror.toml"
_APP = "https://app.asana.com"
ASANA_BASE_URL = f"{_APP}/api/1.0"
TOKEN_VARIABLE = "ASANA_ACCESS_TOKEN"
_SECRETS = ("token", "access_token", "client_secret")
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def access_token() -> str:
    """The token from the environment. It is never taken from the command line or the config file."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise BadToken(f"There is no token: {TOKEN_VARIABLE} is not set.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadToken(f"{TOKEN_VARIABLE} holds something that cannot be a token.")
    return token


def read_config(path: Path, options: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, Any]]:
    """Read a config file into defaults for each command.

    `options` are each command's options, and whether one may be given several times. What stands at the top of the
    file goes to every command that knows it; a table `[sync]` goes to that command alone. Raises WrongUsage with the
    line, the unknown name, or the value that cannot be one.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(
            f"{path} is not valid TOML: {error}.",
            hint="Correct that line, or name another file with --config.",
        ) from error
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}.") from error
    known = {command: set(names) for command, names in options.items()}
    defaults: dict[str, dict[str, Any]] = {command: {} for command in known}
    if "extra_fields" in content:
        content["extra_field"] = _fields_named(path, content.pop("extra_fields"))
    for name, value in content.items():
        if name in known and isinstance(value, dict):
            for inner, inner_value in value.items():
                _check_known(path, f"{name}.{inner}", inner, known[name])
                several = options[name][_option(inner)]
                defaults[name][_option(inner)] = _checked(path, f"{name}.{inner}", inner_value, several)
        else:
            _check_known(path, name, name, set().union(*known.values()))
            for command in known:
                if _option(name) in known[command]:
                    several = options[command][_option(name)]
                    defaults[command].setdefault(_option(name), _checked(path, name, value, several))
    return defaults


def _fields_named(path: Path, table: Any) -> list[str]:
    """`extra_fields.tasks = ["a", "b"]` as the command line would say it."""
    named = table.values() if isinstance(table, dict) else [None]
    if not all(isinstance(fields, list) and all(isinstance(one, str) for one in fields) for fields in named):
        raise WrongUsage(
            f"{path} has no usable value for extra_fields.",
            hint='It takes a list for each resource: extra_fields.tasks = ["custom_label"]',
        )
    return [f"{resource}.{name}" for resource, fields in table.items() for name in fields]


def _option(name: str) -> str:
    return name.replace("-", "_")


def _checked(path: Path, shown: str, value: Any, several: bool) -> Any:
    """A value as the command line would bring it; what may be given several times is a list, or one alone."""
    values = value if isinstance(value, list) and several else [value]
    if not all(isinstance(one, (str, int, float)) for one in values):
        takes = "a list of texts" if several else "one text or number"
        raise WrongUsage(
            f"{path} has no usable value for {shown}.", hint=f"It takes {takes}, as on the command line."
        )
    return values if several else value


def _check_known(path: Path, shown: str, name: str, known: set[str]) -> None:
    if _option(name) in _SECRETS:
        raise WrongUsage(
            f"{path} holds a {name}; secrets do not belong in a config file.",
            hint=f"Remove that line and set {TOKEN_VARIABLE} instead.",
        )
    if _option(name) not in known:
        raise WrongUsage(
            f"{path} has an unknown option: {shown}.", hint=f"Known here: {', '.join(sorted(known))}."
        )


def check_base_url(text: str) -> str:
    """The API's address. Raises WrongUsage unless it is http(s) with a host."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise WrongUsage(f"{text!r} is not the address of an API.", hint=f"Asana's own is {ASANA_BASE_URL}")
    return text.rstrip("/")


def check_webhook_url(text: str) -> str:
    """The address to which webhooks deliver. Raises WrongUsage unless it is http(s) with a host, and nothing behind."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        usable = False
    if not usable:
        raise WrongUsage(
            f"{text!r} is no address for webhooks.",
            hint="Give what Asana shall ask from outside, for instance https://mirror.example.org/asana",
        )
    return text.rstrip("/")


def proxy_for(base_url: str) -> str | None:
    """The proxy that the usual variables name for this address, if any."""
    parts = urlsplit(base_url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def place_gid(text: str, kind: str) -> str:
    """The gid in `123`, or in any address of Asana that names a workspace, a team or a project: `kind` says which."""
    text = text.strip()
    found = text if re.fullmatch(r"\d+", text) else _places_named(text).get(kind)
    if not found:
        raise WrongUsage(
            f"{text!r} names no {kind}.", hint=f"Give its gid, or an address like {_ADDRESSES[kind]}"
        )
    return found


_ADDRESSES = {
    "workspace": f"{_APP}/1/WORKSPACE/home",
    "team": f"{_APP}/1/WORKSPACE/team/TEAM",
    "project": f"{_APP}/1/WORKSPACE/project/PROJECT/list",
}
# What follows these words in the path of an address; the first two count as its first part only.
_BEFORE = {
    "0": "project",
    "1": "workspace",
    "admin": "workspace",
    "home": "workspace",
    **{f"{kind}{s}": kind for kind in _ADDRESSES for s in ("", "s")},
}


def _places_named(address: str) -> dict[str, str]:
    """Kind → gid, of the places that an address of Asana names: of today's form, the older one, or the API's."""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
    except ValueError:
        return {}
    if not f".{parts.hostname or ''}".endswith(".asana.com"):
        return {}
    words = [word for word in parts.path.split("/") if word]
    found: dict[str, str] = {}
    for place, (word, gid) in enumerate(pairwise(words)):
        kind = _BEFORE.get(word.lower())
        if kind and re.fullmatch(r"[1-9]\d+", gid) and (place == 0 or not word.isdigit()):
            found.setdefault(kind, gid)
    return found


def gids_in(text: str, kind: str) -> tuple[str, ...]:
    """`123`, or every number in an address of Asana: which of them is meant, only the mirror can tell."""
    if re.fullmatch(r"\d+", text):
        return (text,)
    parts = urlsplit(text)
    gids = (
        re.findall(r"(?<=/)\d{2,}(?=/|$)", parts.path) if (parts.hostname or "").endswith("asana.com") else ()
    )
    if not gids:
        raise WrongUsage(f"{text!r} names no {kind}.", hint="Give its gid, or its address in Asana.")
    return tuple(gids)


def seconds_of(text: str) -> float:
    """A duration: `90s`, `10m`, `2h`, `7d`, or bare seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is not a duration like 90s, 10m, 2h or 7d")
    return float(found.group(1)) * _UNITS_S[found.group(2) or "s"]
