"""The service's description of itself: valid, and of all there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import falcon
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.conftest import ROOT
from tests.dancing import pin, program, signed_in
from tests.service import Service, running_service
from timetric.server import create_app
from timetric.server.metadata import TITLE_LENGTH
from timetric.server.storage import Quota, open_storage

SAMPLES = {"{id}": "AAAAAAAAAAAAAAAAAAAAAA", "{form}": "atom", "{tags}": "energy", "{key}": "1"}
QUOTA = Quota(series=1, points=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store"), signup=QUOTA) as running:
        yield running


@pytest.fixture(scope="module")
def description(service: Service) -> Any:
    reply = service.send("GET", "/openapi.json")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    return json.loads(reply.body)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[falcon.App[Any, Any]]:
    """What finds the handlers, below what stands around it."""
    storage = open_storage(tmp_path)
    found: Any = create_app(storage, signup=QUOTA)
    while not isinstance(found, falcon.App):
        found = found._app
    yield found
    storage.close()


def sample(path: str) -> str:
    return re.sub(r"\{[^}]*\}", lambda name: SAMPLES.get(name[0], "name"), path)


def test_it_is_valid(description: Any) -> None:
    assert description["openapi"].startswith("3.1.")
    errors = OpenAPIV31SpecValidator(description).iter_errors()
    assert [(error.message, list(error.path)) for error in errors] == []


def test_it_names_the_service_by_its_base_url(service: Service, tmp_path: Path) -> None:
    found = json.loads(service.send("GET", "/openapi.json").body)
    assert found["servers"] == [{"url": service.url.rstrip("/")}]
    with running_service(tmp_path, base_url="https://example.org/series") as elsewhere:
        found = json.loads(elsewhere.send("GET", "/openapi.json").body)
    assert found["servers"] == [{"url": "https://example.org/series"}]
    assert "/account/sign-up/" not in found["paths"]  # which is not there


def test_it_is_of_every_address_and_of_no_other(
    app: falcon.App[Any, Any], description: Any
) -> None:
    find = app._router.find
    found = {path: find(sample(path).rstrip("/") or "/") for path in description["paths"]}
    assert [path for path, route in found.items() if route is None] == []
    assert {route[3] for route in found.values()} == set(templates(app._router._roots))


def templates(nodes: Any) -> Iterator[str]:
    """Of all routes in a router's tree."""
    for node in nodes:
        if node.method_map:
            yield node.uri_template
        yield from templates(node.children)


def test_each_address_tells_the_methods_that_are_described(
    service: Service, description: Any
) -> None:
    for path, methods in description["paths"].items():
        reply = service.send("OPTIONS", sample(path))
        assert reply.status == 204, path
        allowed = {method.strip().lower() for method in reply.headers["Allow"].split(",")}
        assert allowed == set(methods), path


def test_operations_have_names_of_their_own(description: Any) -> None:
    names = [
        operation["operationId"]
        for methods in description["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names))


def test_limits_are_those_that_hold(service: Service, description: Any) -> None:
    parameters = description["paths"]["/create/"]["post"]["parameters"]
    [title] = [parameter for parameter in parameters if parameter["name"] == "title"]
    assert title["schema"]["maxLength"] == TITLE_LENGTH


def test_the_steps_of_oauth_answer_as_described(service: Service, description: Any) -> None:
    begun = program(service)
    asked = begun.send("POST", "/oauth/request_token/", callback_uri="oob")
    begun = begun.becomes(asked)
    given = begun.trades(pin(signed_in(service).decides(begun)))
    for path, reply in (("request_token", asked), ("access_token", given)):
        replies = description["paths"][f"/oauth/{path}/"]["post"]["responses"]
        schema = replies[str(reply.status)]["content"][reply.headers["Content-Type"]]["schema"]
        fields = dict(parse_qsl(reply.body.decode()))
        assert set(schema["required"]) <= fields.keys() <= schema["properties"].keys()


def test_scripts_of_other_sites_may_read_it(service: Service) -> None:
    reply = service.send("GET", "/openapi.json")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Cache-Control"] == "public, no-cache"


def test_the_page_of_the_protocol_names_each_address(description: Any) -> None:
    text = (ROOT / "docs/protocol.rst").read_text(encoding="utf-8")
    named = {re.sub(r"[A-Z]{2,}", "*", path) for path in re.findall(r"``(/[^`\s]*)``", text)}
    paths = {re.sub(r"\{[^}]*\}", "*", path) for path in description["paths"]}
    assert paths - named == set()
