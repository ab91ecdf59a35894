"""The service held against its description by a machine that makes requests up from it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

from tests.dancing import signed_in
from tests.service import Headers, Service, basic, running_service
from timetric.server.storage import Quota

load_all_checks()

CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    quota = Quota(series=100, points=10_000)
    with running_service(tmp_path_factory.mktemp("store"), signup=quota) as running:
        yield running
