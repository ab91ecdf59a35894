"""The service held against its description, by a machine that makes requests up from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks

from tests.dancing import signed_in
from tests.service import Headers, Service, basic, running_service
from timetric.server.openapi.document import document
from timetric.server.storage import Quota

load_all_checks()

NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
DESCRIPTION = json.loads(document("http://127.0.0.1/", open_signup=True))
PATHS = DESCRIPTION["paths"]
#: Headers that are told of once, for all replies.
GENERAL = {
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "server",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
}
OPERATIONS = [(path, method) for path, methods in PATHS.items() for method in methods]
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
#: What the series has to be public for.
PICTURES = (".svg", ".png")

#: Parameters that need others, or do not go together.
TOGETHER = ("every", "aggregate", "tz", "max_points", "method", "side", "dry_run")

#: How many requests of each method; of others 3.
MANY = {"get": 10, "post": 100, "put": 25, "patch": 25, "delete": 25}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    quota = Quota(series=100, points=10_000)
    with running_service(tmp_path_factory.mktemp("store"), signup=quota) as running:
        yield running


@pytest.fixture(scope="module")
def schema(service: Service) -> Any:
    return schemathesis.openapi.from_url(f"{service.url}openapi.json")


@pytest.fixture(scope="module")
def times(request: pytest.FixtureRequest) -> int:
    """How many times more requests: more under ``pytest -m slow``."""
    return 20 if request.config.getoption("markexpr") == "slow" else 1


@pytest.mark.slow
@pytest.mark.parametrize("who", ["owner", "stranger", "browser"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_replies_are_as_described(
    service: Service, schema: Any, path: str, method: str, who: str, times: int
) -> None:
    is_same = who == "stranger" or path.startswith("/account")  # for nearly all requests
    seen = hold(service, schema[path][method], who, times * (5 if is_same else MANY.get(method, 3)))
    if (
        who == "owner"
        and method in MANY
        and path.startswith(("/create", "/series"))
        and "{key}" not in path
        and PATHS[path][method]["security"][0] != {"cookie": []}
    ):
        assert seen & {200, 201, 204}, "all were refused, which shows little"


def hold(service: Service, operation: Any, who: str, many: int) -> set[int]:
    """The statuses of so many requests, of what the description allows and of what it does not."""
    service.clock.advance(24 * 60 * 60)  # attempts to sign in are counted
    public = who != "owner" or operation.path.endswith(PICTURES)
    series = service.create(b"0,1\n1,null\n2,3", public=public).split("/")[2]
    headers, seen = credentials(service, who), set()
    is_501_told = "501" in PATHS[operation.path][operation.method]["responses"]
    checks = CHECKS.get_by_names(NAMES[1:] if is_501_told else NAMES)

    @settings(
        database=None,
        deadline=None,
        derandomize=True,
        max_examples=many,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data(), is_right=st.booleans(), is_helped=st.booleans())
    def send(data: st.DataObject, is_right: bool, is_helped: bool) -> None:
        case = data.draw(operation.as_strategy(generation_mode=POSITIVE if is_right else NEGATIVE))
        if is_helped:
            help_along(case, service, series)
        reply = case.call(headers=headers, allow_redirects=False, timeout=30)
        seen.add(reply.status_code)
        case.validate_response(reply, checks=checks)
        assert unknown_headers(operation, reply) == set()

    send()
    return seen


def unknown_headers(operation: Any, reply: Any) -> set[str]:
    described = PATHS[operation.path][operation.method]["responses"][str(reply.status_code)]
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        described = DESCRIPTION["components"]["responses"][name]
    known = {name.lower() for name in described["headers"]} | GENERAL
    return {name for name in map(str.lower, reply.headers) if not is_cors(name)} - known


def is_cors(name: str) -> bool:
    return name.startswith("access-control-")


def help_along(case: Any, service: Service, series: str) -> None:
    """Towards a success, which requests that are made up seldom have."""
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = series
    for name in ("Content-Encoding", "If-Match"):
        (case.headers or {}).pop(name, None)
    if "url" in (case.query or {}):
        case.query["url"] = f"{service.url}series/{series}/"
    for name in TOGETHER:
        (case.query or {}).pop(name, None)


def credentials(service: Service, who: str) -> Headers:
    if who == "browser":
        return {"Cookie": signed_in(service).cookie, "Sec-Fetch-Site": "same-origin"}
    return {"owner": basic(service.config), "other": basic(service.other_config)}.get(who, {})
