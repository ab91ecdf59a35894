"""What is installed: Python, timetric, and the packages of its extras."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from timetric.examine.finding import Finding, ok, warn

_REQUIREMENT = re.compile(r"([\w.-]+).*extra == ['\"](\w+)['\"]")
_OF_DEVELOPERS = {"test", "testing", "all"}  # extras that nobody runs anything with
_SERVICE = (3, 10)  # the first Python that runs the service


def findings() -> Iterator[Finding]:
    try:
        ours = version("timetric")
    except PackageNotFoundError:  # run from its source
        yield warn("versions", "this copy of timetric is not installed; run: pip install timetric")
        return
    python = f"Python {platform.python_version()} on {platform.system()}"
    runs = "" if sys.version_info >= _SERVICE else "; the client alone, the service needs 3.10"
    yield ok("versions", f"timetric {ours}, {python}{runs}")
    missing = {extra: names for extra, names in _missing().items() if names}
    whole = sorted(_extras().keys() - missing.keys())
    yield ok("extras", f"there are {', '.join(whole) or 'none'}{_told(missing)}")


def _told(missing: dict[str, list[str]]) -> str:
    lacking = [f"{extra} (lacks {', '.join(names)})" for extra, names in sorted(missing.items())]
    return f"; not {', '.join(lacking)}" if lacking else ""


def _extras() -> dict[str, set[str]]:
    """The packages of each extra that users have."""
    extras: dict[str, set[str]] = {}
    for requirement in requires("timetric") or ():
        found = _REQUIREMENT.match(requirement)
        if found and found[2] not in _OF_DEVELOPERS:
            extras.setdefault(found[2], set()).add(found[1])
    return extras


def _missing() -> dict[str, list[str]]:
    return {
        extra: sorted(name for name in names if not _is_there(name))
        for extra, names in _extras().items()
    }


def _is_there(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
