"""A client's config: from the environment or from a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timetric.exceptions import ConfigError

#: The names under which a config may hold credentials; ``url`` and ``authtype`` are the others.
CREDENTIALS = (
    "apitoken_key",
    "apitoken_secret",
    "consumer_key",
    "consumer_secret",
    "oauth_token",
    "oauth_secret",
    "oauth_key",
    "access_key",
    "access_token",
)
KEYS = ("url", "authtype", *CREDENTIALS)

_PREFIX = "TIMETRIC_"


class Config(dict[str, Any]):
    """A config whose repr does not show secrets. Any other mapping does as well."""

    def __repr__(self) -> str:
        shown = {key: "***" if _is_secret(key) else value for key, value in self.items()}
        return f"Config({shown!r})"


def load() -> Config:
    """The config of this user on this machine, from one source alone.

    That is the environment (``TIMETRIC_URL``, ``TIMETRIC_APITOKEN_KEY`` and so on) where it holds
    any credential, and otherwise the file at ``default_path()``; a ``TIMETRIC_URL`` on its own
    is not read then, since it could send the file's credentials to another service.
    Raises ConfigError.
    """
    return _from_environment() or _from_file(default_path())


def source() -> str | None:
    """Where ``load`` would read from, in words; None where there is no config."""
    if _from_environment():
        return "the environment"
    path = default_path()
    return str(path) if os.path.lexists(path) else None


def default_path() -> Path:
    """``$TIMETRIC_CONFIG``, or ``timetric/config.json`` in the user's directory for configs."""
    named = os.environ.get("TIMETRIC_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: a relative one is ignored
        base = os.path.expanduser("~/.config")
    return Path(base, "timetric", "config.json")


def save(config: Mapping[str, Any], path: Path) -> None:
    """Write a new file of mode 0600, in a directory made with mode 0700 where there is none.

    Raises ConfigError where the file exists already or can't be written; nothing is left then.
    """
    text = json.dumps(dict(config), indent=2) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:  # exists, or no permission
        raise ConfigError(f"can't save the config as {path}: {error.strerror}") from error
    try:
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:  # the disk is full: half a config must not stay
        path.unlink()
        raise ConfigError(f"can't save the config as {path}: {error.strerror}") from error


def lookup(config: Mapping[str, Any], key: str) -> Any:
    """The value under ``key``, in whose place a dash counts as an underscore; None without one."""
    if key in config:
        return config[key]
    for name in config:
        if isinstance(name, str) and name.replace("-", "_") == key:
            return config[name]
    return None


def _is_secret(key: object) -> bool:
    name = str(key).lower().replace("-", "_")
    return "secret" in name or "password" in name or name == "access_token"


def _from_environment() -> Config | None:
    found = {key: os.environ.get(_PREFIX + key.upper()) for key in KEYS}
    if not any(found[key] for key in CREDENTIALS):
        return None
    return Config((key, value) for key, value in found.items() if value)


def _from_file(path: Path) -> Config:
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError as error:
        raise ConfigError(_nothing_found(path)) from error
    except (OSError, UnicodeDecodeError) as error:  # a directory, no permission; not text
        raise ConfigError(f"can't read the config {path}; is it a file of yours?") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"others can read the secrets in {path}; run: chmod 600 {path}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):  # an error that goes on would hold the text, a secret
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f"the config {path} is not a JSON object")
    return Config(values)


def _nothing_found(path: Path) -> str:
    return (
        f"no config: there is no {path} and no credentials in the environment. 'timetric serve' "
        "makes both a service and a config for it; for a service elsewhere, have its keeper run "
        f"'timetric token add NAME --user USER', save what that prints as {path} (chmod 600), "
        "or give it to TimetricClient"
    )
