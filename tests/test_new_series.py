"""Series made in a browser: previewed, refused and made once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.dancing import Browser, signed_in
from tests.forms import HOSTILE, fault, gone_on, key, sends, titles, value
from tests.service import Service, running_service
from timetric.server.storage import Quota

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("store")
    with running_service(store, max_body=4 * MEBIBYTE) as running:
        yield running


@pytest.fixture
def owner(service: Service) -> Browser:
    return signed_in(service)


def test_a_series_is_previewed_and_made_once(service: Service, owner: Browser) -> None:
    form = {"title": "New", "caption": "C", "key": key(owner.get("/new/")), "slug": "new-one"}
    form["pasted"] = "".join(f"{60 * number},{number}\n" for number in (3, 1, 2, 0, 4, 5, 5))
    page = sends(owner, "/new/", {**form, "step": "preview"})
    text = page.body.decode()
    assert page.status == 200
    assert "6 points" in text
    assert "of 7 rows" in text
    assert len(re.findall("<tr><td>", text)) == 5
    assert "and 1 more" in text
    assert "<details open>" in text, "what was typed behind the fold is not hidden"
    assert value(page, "pasted").split() == form["pasted"].split()
    assert titles(service, "New") == 0
    replies = [sends(owner, "/new/", {**form, "step": "create"}) for _ in range(2)]
    assert len({urlsplit(reply.headers["Location"]).path for reply in replies}) == 1
    assert gone_on(owner, replies[0]) == "The series is made, with 6 points."
    assert gone_on(owner, replies[1]).startswith("The form had been sent before")
    assert titles(service, "New") == 1


def test_a_small_file_is_kept_over_the_preview_and_a_large_one_is_asked_for_again(
    owner: Browser,
) -> None:
    form = {"title": "T", "caption": "C", "step": "preview", "pasted": ""}
    page = sends(owner, "/new/", form, b"1,2\n3,4\n")
    assert value(page, "pasted").split() == ["1,2", "3,4"]
    assert b"power.csv stand in the field below" in page.body
    large = sends(owner, "/new/", form, b"1,2\n" * (MEBIBYTE // 2))
    assert value(large, "pasted") == ""
    assert b"Choose power.csv once more" in large.body
    assert b"<strong>1 point</strong> of 524,288 rows" in large.body
    form |= {"step": "create", "awaited": "power.csv"}
    assert "did not come again" in fault(sends(owner, "/new/", form), "csv")


def test_a_series_needs_no_points(service: Service, owner: Browser) -> None:
    form = {"title": "Empty", "caption": "C", "pasted": "", "key": key(owner.get("/new/"))}
    assert b"A series without points yet." in sends(owner, "/new/", form).body
    reply = sends(owner, "/new/", {**form, "step": "create"})
    assert gone_on(owner, reply) == "The series is made, with 0 points."


def test_what_is_wrong_with_a_new_series_is_told_before_it_is_made(
    service: Service, owner: Browser
) -> None:
    service.owner_sends("POST", "/create/?title=T&caption=C&slug=taken")
    form = {"title": HOSTILE, "caption": "C", "pasted": "1,2\n3,4,5\n", "slug": "taken"}
    page = sends(owner, "/new/", form)
    assert fault(page, "pasted") == "Line 2: '3,4,5' has 3 columns, not timestamp,value."
    page = sends(owner, "/new/", {**form, "pasted": "1,2"})
    assert (page.status, fault(page, "slug")) == (
        409,
        "Another series of yours has this short name.",
    )
    assert value(page, "title") == HOSTILE
    assert b"<script>" not in page.body
    page = sends(owner, "/new/", {**form, "title": " ", "slug": ""})
    assert fault(page, "title") == "The title is required."


def test_a_quota_is_told_by_the_preview(service: Service) -> None:
    user = service.storage.accounts.add_user("small", service.clock(), None, Quota(1, 2))
    browser = signed_in(service, user)
    form = {"title": "T", "caption": "C", "pasted": "1,2\n2,3\n3,4\n"}
    page = sends(browser, "/new/", form)
    assert page.status == 403
    assert b"this account may have 2 points" in page.body
    assert value(page, "pasted").split() == form["pasted"].split()
