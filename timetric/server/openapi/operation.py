"""How an operation of the description is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timetric.server.openapi.parameters import Parameter
from timetric.server.openapi.replies import Replies, problems, reply
from timetric.server.openapi.schemas import Schema, record

Operation = dict[str, Any]
Paths = dict[str, dict[str, Any]]
Security = list[dict[str, list[str]]]

_TOKEN: Security = [{"apiToken": []}, {"oauth1": []}]

NOBODY: Security = []
#: Who reads what is public; of the rest what is their own.
ANYBODY: Security = [{}, *_TOKEN]
OWNER: Security = _TOKEN
#: A browser that is signed in reads and finds its own series, and opens their pages, too.
VIEWER: Security = [{}, *_TOKEN, {"cookie": []}]
BROWSER: Security = [{"cookie": []}]
APPLICATION: Security = [{"oauth1": []}]

FORM = "application/x-www-form-urlencoded"


def operation(
    summary: str,
    parameters: Iterable[Parameter],
    good: Replies,
    bad: Iterable[int] = (),
    *,
    security: Security,
    body: dict[str, Any] | None = None,
) -> Operation:
    """One whose replies are ``good``, or problems of the statuses in ``bad``."""
    return {
        "summary": summary,
        "parameters": list(parameters),
        **({} if body is None else {"requestBody": body}),
        "responses": {**good, **problems(*bad)},
        "security": security,
    }


def body(content: dict[str, Schema], *, required: bool = True) -> dict[str, Any]:
    """A request's body, in one of these media types."""
    media = {name: {"schema": schema} if schema else {} for name, schema in content.items()}
    return {"required": required, "content": media}


def form(required: dict[str, Schema], **optional: Schema) -> dict[str, Any]:
    return body({FORM: record(required, **optional)}, required=bool(required))


def completed(group: str, paths: Paths) -> Paths:
    """The paths with what all have: a tag, a name for each operation, HEAD and OPTIONS."""
    return {path: _completed(group, path, methods) for path, methods in paths.items()}


def _completed(group: str, path: str, methods: dict[str, Operation]) -> dict[str, Operation]:
    implied = {"head": _head(methods["get"])} if "get" in methods else {}
    path_parameters = [
        parameter
        for parameter in next(iter(methods.values()))["parameters"]
        if parameter["in"] == "path"
    ]
    options = operation(
        "Which methods there are",
        path_parameters,
        {"204": reply("none of the body", None, "Allow")},
        (404,) if path_parameters else (),  # one may hold a slash, or be too large a number
        security=NOBODY,
    )
    return {
        method: {"operationId": _id(method, path), "tags": [group], **described}
        for method, described in {**methods, **implied, "options": options}.items()
    }


def _head(get: Operation) -> Operation:
    replies = {
        status: {name: part for name, part in described.items() if name != "content"}
        for status, described in get["responses"].items()
    }
    return {**get, "summary": "As GET, without the body", "responses": replies}


def _id(method: str, path: str) -> str:
    steps = "".join(sign if sign.isalnum() else " " for sign in path).split()
    return "_".join([method, *steps])
