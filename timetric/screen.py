"""The terminal that standard output goes to: its size, and the characters it can show."""

from __future__ import annotations

import shutil
import sys

from timetric.display.sparkline import ASCII, BLOCKS

_NEEDED = f"{BLOCKS}⣿│┤└─┬…"
_ROWS = 14  # of a chart, where there is room


def is_ascii() -> bool:
    """Whether standard output can't take blocks. What has no encoding keeps text as it is."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        _NEEDED.encode(encoding)
    except (UnicodeEncodeError, LookupError):  # an encoding without them, or of no known name
        return True
    return False


def levels() -> str:
    """The characters of a sparkline, from low to high."""
    return ASCII if is_ascii() else BLOCKS


def fitted(text: str) -> str:
    """A text as this terminal can show it."""
    if not is_ascii():
        return text
    return text.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")


def size() -> tuple[int, int]:
    """Columns, and rows for a chart, its heading and a prompt aside; 80 where there is none."""
    columns, lines = shutil.get_terminal_size()
    return max(20, columns), max(4, min(_ROWS, lines - 6))
