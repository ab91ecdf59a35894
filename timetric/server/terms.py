"""On what terms a request wants to be done (protocol.md, Writing safely)."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
from falcon import Request

from timetric.server import fields
from timetric.server.body import Fields
from timetric.server.intake import NOTHING, Upload
from timetric.server.problem import Problem
from timetric.server.receipt import ERROR, KEEP, REPLACE, Key, Terms

_KEY = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_TAG = re.compile(r"(\d+)\.(\d+)(-.*)?", re.ASCII)
_CONFLICTS = (REPLACE, KEEP, ERROR)
_FLAGS = {"true": True, "false": False}


def read_terms(req: Request, given: Fields, upload: Upload | None = None) -> Terms:
    """The terms in headers and fields. Raises Problem."""
    return Terms(
        rows=upload.rows if upload else None,
        key=_key(req, given, upload or NOTHING),
        versions=read_versions(req),
        on_conflict=_on_conflict(given),
        dry_run=flag(given, "dry_run"),
    )


def read_versions(req: Request) -> frozenset[tuple[int, int]] | None:
    """The versions and generations that If-Match names; None for any (RFC 9110, 13.1.1)."""
    text = req.get_header("If-Match")
    if text is None or text.strip() == "*":
        return None
    found = (_TAG.fullmatch(tag) for tag in req.if_match or ())
    return frozenset((int(tag[1]), int(tag[2])) for tag in found if tag)


def checked_key(text: str) -> str:
    """An Idempotency-Key that may be one. Raises Problem."""
    if not _KEY.fullmatch(text):
        raise Problem(400, "An Idempotency-Key is 1 to 64 letters, digits and any of . _ ~ -")
    return text


def flag(given: Fields, name: str) -> bool:
    """A field that is true or false, which it is where it is missing. Raises Problem."""
    text = fields.text(given, name) if name in given else "false"
    if text not in _FLAGS:
        raise Problem(400, f"{name} is neither true nor false.", field=name)
    return _FLAGS[text]


def _on_conflict(given: Fields) -> str:
    text = fields.text(given, "on_conflict") if "on_conflict" in given else REPLACE
    if text not in _CONFLICTS:
        raise Problem(400, f"on_conflict is none of {', '.join(_CONFLICTS)}.", field="on_conflict")
    return text


def _key(req: Request, given: Fields, upload: Upload) -> Key | None:
    text = req.get_header("Idempotency-Key")
    return None if text is None else Key(checked_key(text), meaning(req, given, upload))


def meaning(req: Request, given: Fields, upload: Upload) -> bytes:
    """A digest of method, fields and points; the series is where the key belongs to."""
    told = {
        name: list(dict.fromkeys(texts))  # the same text twice counts once
        for name, texts in sorted(given.items())
        if not name.startswith("oauth_")
    }
    found = hashlib.blake2b(json.dumps([req.method, told]).encode("ascii"), digest_size=16)
    for column in upload.points:
        found.update(np.ascontiguousarray(column).data)
    return found.digest()
