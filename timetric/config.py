"""A client's config: from the environment or from a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timetric.exceptions import ConfigError
from timetric.insecure import warn_of_mode

if TYPE_CHECKING:
    from pathlib import Path

#: The names under which a config may hold credentials.
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
KEYS = ("url", "authtype", "ca_certs", *CREDENTIALS)

_PREFIX = "TIMETRIC_"


class Config(dict[str, Any]):
    """A config whose repr does not show secrets. Any other mapping does as well."""

    def __repr__(self) -> str:
        shown = {key: "***" if _is_secret(key, value) else value for key, value in self.items()}
        return f"Config({shown!r})"


def load() -> Config:
    """The config of this user on this machine, from one source alone.

    That is the environment (``TIMETRIC_URL``, ``TIMETRIC_APITOKEN_KEY`` and so on) where it holds
    any credential, and otherwise the file at ``default_path()``; a ``TIMETRIC_URL`` on its own
    is not read then, since it could send the file's credentials to another service.
    Raises ConfigError.
    """
    found = _from_environment()
    return _from_file(default_path()) if found is None else found


def source() -> str | None:
    """Where ``load`` would read from, in words; None where there is no config."""
    if _from_environment():
        return "the environment"
    path = default_path()
    return str(path) if os.path.lexists(path) else None


def default_path() -> Path:
    """``$TIMETRIC_CONFIG``, or ``timetric/config.json`` in the user's directory for configs."""
    from pathlib import Path  # slow to import

    named = os.environ.get("TIMETRIC_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: a relative one is ignored
        base = os.path.expanduser("~/.config")
    return Path(base, "timetric", "config.json")


def proxies() -> Mapping[str, str]:
    """What ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` say, by http, https...

    In either case of letters; small ones win. In a CGI script ``HTTP_PROXY`` may be a header that
    somebody sent (CVE-2016-1000110), so there only ``http_proxy`` counts.
    """
    from urllib.request import getproxies_environment  # slow to import

    return getproxies_environment()


def veiled(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, with a repr that shows no secrets: tracebacks may show the locals of frames."""
    return Config(config) if isinstance(config, dict) else config


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


def _is_secret(key: object, value: object) -> bool:
    """By its name; or a ``url`` with what none may have, such as a password."""
    name = str(key).lower().replace("-", "_")
    if name == "url":
        return any(sign in str(value) for sign in "@?#")
    return "secret" in name or "password" in name or name == "access_token"


def _from_environment() -> Config | None:
    found = {key: os.environ.get(_PREFIX + key.upper()) for key in KEYS}
    if not any(found[key] for key in CREDENTIALS):
        return None
    return Config((key, value) for key, value in found.items() if value)


def _from_file(path: Path) -> Config:
    found = _parsed(_text(path))
    if found is None:
        raise ConfigError(f"the config {path} is not a JSON object")
    return found


def _text(path: Path) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError as error:
        raise ConfigError(_nothing_found(path)) from error
    except (OSError, UnicodeDecodeError) as error:  # a directory, no permission; not text
        raise ConfigError(f"can't read the config {path}; is it a file of yours?") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        warn_of_mode(path)
    return text


def _parsed(text: str) -> Config | None:
    """None of what is no JSON object: an error raised here would hold the text, a secret."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return Config(values) if isinstance(values, dict) else None


def _nothing_found(path: Path) -> str:
    return (
        f"no config: there is no {path} and no credentials in the environment. 'timetric serve' "
        "makes both a service and a config for it; for a service elsewhere, have its keeper run "
        f"'timetric token add NAME --user USER', save what that prints as {path} (chmod 600), "
        "or give it to TimetricClient"
    )
