"""The only module that reads the environment and the config file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from asana_mirror.errors import BadToken, WrongUsage

CONFIG_FILE = "asana-mirror.toml"
ASANA_BASE_URL = "https://app.asana.com/api/1.0"
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


def read_config(path: Path, options: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Any]]:
    """Read a config file into defaults for each command.

    `options` are the option names of each command. What stands at the top of the file goes to every command that
    knows it; a table `[sync]` goes to that command alone. Raises WrongUsage with the line, or the unknown name.
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
    for name, value in content.items():
        if name in known and isinstance(value, dict):
            for inner, inner_value in value.items():
                _check_known(path, f"{name}.{inner}", inner, known[name])
                defaults[name][_option(inner)] = inner_value
        else:
            _check_known(path, name, name, set().union(*known.values()))
            for command in known:
                if _option(name) in known[command]:
                    defaults[command].setdefault(_option(name), value)
    return defaults


def _option(name: str) -> str:
    return name.replace("-", "_")


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


def proxy_for(base_url: str) -> str | None:
    """The proxy that the usual variables name for this address, if any."""
    parts = urlsplit(base_url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def workspace_gid(text: str) -> str:
    """The gid in `123`, or in any address of Asana that names a workspace (`https://app.asana.com/1/123/…`)."""
    found = re.fullmatch(r"\d+", text) or re.search(r"asana\.com/(?:1|admin|0/home)/(\d+)", text)
    if not found:
        raise WrongUsage(
            f"{text!r} names no workspace.",
            hint="Give its gid, or an address like https://app.asana.com/1/123/…",
        )
    return found.group(1) if found.groups() else found.group(0)


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
    """A duration: `90s`, `10m`, `2h`, `1d`, or bare seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is not a duration like 90s, 10m or 2h")
    return float(found.group(1)) * _UNITS_S[found.group(2) or "s"]
