"""Searching the service as it is shipped, under the server that decodes its paths."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.conftest import RunningService
from tests.service import basic, send


@pytest.mark.parametrize("tag", ["public data", "a/b", "50%", "é", "a+b", "a&b"])
def test_tags_are_found_encoded_twice_or_once(service: RunningService, tag: str) -> None:
    series = service.client.create_series(title="Power", caption="C", tags=[tag, "two"])
    once = quote(tag, safe="")
    for written in (quote(once, safe=""), once):
        path = f"/tags/{written};two/results.thin.json"
        reply = send(service.url, "GET", path, headers=basic(service.config))
        assert reply.status == 200
        assert [item["name"] for item in json.loads(reply.body)["results"]] == [series.id]
