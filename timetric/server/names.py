"""What users and what is theirs may be called; a leaf, which the command line needs too."""

from __future__ import annotations

import re

_USER = re.compile(r"(?!me\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # u=me is whoever asks


class BadName(ValueError):
    """It can't be a name; the text says why."""


def check_user_name(text: str) -> str:
    """The name itself. Raises BadName."""
    if not _USER.fullmatch(text):
        raise BadName(
            f"{text!r} is no user name (1 to 64 letters, digits, '.', '_' and '-'; not 'me')"
        )
    return text


def check_title(text: str) -> str:
    """The name of a token or an application. Raises BadName."""
    if not (text.isprintable() and 0 < len(text) <= 64):
        raise BadName("a name has 1 to 64 printable characters")
    return text
