"""How it is told who asks; who may do what is the table in test_who_may."""

from __future__ import annotations

import base64
import gc
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest

from tests.dancing import signed_in
from tests.service import Headers, Service, basic, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


def encoded(pair: bytes) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def test_wrong_credentials_are_refused_on_public_series_too(service: Service) -> None:
    path = service.create(b"0,1", public=True)
    key = service.config["apitoken_key"]
    for pair in (f"{key}:wrong", "nobody:wrong", f"{key}:", ":", "\xe9:\xe9"):
        reply = service.send("GET", path, headers=encoded(pair.encode()))
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="Timetric"'
    secret = service.config["apitoken_secret"]
    swapped = service.other_config["apitoken_key"]
    assert service.send("GET", path, headers=encoded(f"{swapped}:{secret}".encode())).status == 401


@pytest.mark.parametrize("header", ["Bearer abc", "Digest username=x", "nothing"])
def test_other_schemes_are_told_which_one_is_known(service: Service, header: str) -> None:
    path = service.create(b"0,1", public=True)
    reply = service.send("GET", path, headers={"Authorization": header})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="Timetric"'


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ???", "Basic YTpiYw", "Basic YTp\xe9", "Basic YWI=", "Basic /w=="]
)
def test_broken_credentials_are_a_bad_request(service: Service, header: str) -> None:
    path = service.create(b"0,1", public=True)
    assert service.send("GET", path, headers={"Authorization": header}).status == 400


def test_the_name_of_the_scheme_is_read_in_any_case(service: Service) -> None:
    header = basic(service.config)["Authorization"].replace("Basic", "bAsIc")
    assert service.send("GET", service.create(), headers={"Authorization": header}).status == 200


def test_a_revoked_token_is_refused_at_once(service: Service) -> None:
    path = service.create(b"0,1")
    headers = basic(service.other_config)
    assert service.send("GET", path, headers=headers).status == 404
    service.storage.accounts.revoke(service.other_config["apitoken_key"])
    assert service.send("GET", path, headers=headers).status == 401


def test_a_browser_reads_while_it_is_signed_in_and_only_for_itself(service: Service) -> None:
    path = service.create(b"0,1")
    browser = signed_in(service)
    reply = browser.get(f"{path}csv/")
    assert (reply.status, reply.body) == (200, b"0.0,1.0\n")
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in reply.headers["Vary"].split(", ")
    known = {"If-None-Match": reply.headers["ETag"]}
    assert browser.get(f"{path}csv/", known).status == 304
    kept = browser.cookie
    assert browser.post("/account/sign-out/").status == 303
    for cookie in ({"Cookie": kept}, {}):
        gone = service.send("GET", f"{path}csv/", headers={**known, **cookie})
        assert (gone.status, gone.headers["ETag"]) == (401, None)


def test_a_cookie_writes_nothing(service: Service) -> None:
    path = service.create(b"0,1")
    browser = signed_in(service)
    assert browser.post(path, "value=14").status == 401
    assert browser.get(f"{path}csv/").body == b"0.0,1.0\n"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_urllib_that_waits_for_the_challenge_can_create_and_write(service: Service) -> None:
    passwords = urllib.request.HTTPPasswordMgr()
    key, secret = service.config["apitoken_key"], service.config["apitoken_secret"]
    passwords.add_password("Timetric", service.url, key, secret)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    form = urlencode({"title": "T", "caption": "C"}).encode()
    with opener.open(f"{service.url}create/", form, timeout=30) as reply:
        url = reply.read().decode()
    with opener.open(url, b"value=14", timeout=30) as reply:
        assert reply.status == 204
    with opener.open(f"{url}csv/", timeout=30) as reply:
        assert reply.read() == f"{service.clock.now},14.0\n".encode()
    gc.collect()  # what urllib leaves open of each challenge is not the next test's


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_urllib_with_a_wrong_secret_ends_with_401(service: Service) -> None:
    passwords = urllib.request.HTTPPasswordMgr()
    passwords.add_password("Timetric", service.url, service.config["apitoken_key"], "wrong")
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    with pytest.raises(HTTPError) as caught:
        opener.open(f"{service.url}create/", b"title=T", timeout=30)
    assert caught.value.code == 401
    caught.value.close()
    del caught
    gc.collect()
