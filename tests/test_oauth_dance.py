"""Programs that come to act for a user by OAuth, and what they then can do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.dancing import (
    BODY,
    CALLBACK,
    FORM,
    HEADER,
    QUERY,
    Program,
    authorized,
    encode,
    multipart,
    pin,
    program,
    query,
    signed_by_hand,
    signed_in,
)
from tests.service import Reply, Service, running_service
from timetric.server.keyring import open_keyring
from timetric.server.storage import StorageError, open_storage

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def plotter(service: Service) -> Program:
    return authorized(service)


def reads(program: Program) -> int:
    return program.send("GET", program.service.create(b"0,1")).status


def test_by_pin(service: Service) -> None:
    begun = program(service).begins()
    assert begun.token["oauth_callback_confirmed"] == "true"
    browser = signed_in(service)
    assert b"Authorize" in browser.get(begun.authorize_path()).body
    shown = pin(browser.decides(begun))
    assert reads(begun.finishes(shown)) == 200


def test_a_pin_is_read_as_people_type_it(service: Service) -> None:
    browser = signed_in(service)
    for typed in (str.lower, lambda text: text.replace("-", ""), lambda text: f" {text} "):
        begun = program(service).begins()
        assert reads(begun.finishes(typed(pin(browser.decides(begun))))) == 200


def test_by_callback_on_loopback(service: Service) -> None:
    begun = program(service).begins(CALLBACK)
    reply = signed_in(service).decides(begun)
    assert reply.headers["Location"].startswith(f"{CALLBACK}&oauth_token=")
    answer = query(reply)
    assert answer["oauth_token"] == begun.token["oauth_token"]
    assert reads(begun.finishes(answer["oauth_verifier"])) == 200


def test_by_a_callback_that_is_registered(service: Service) -> None:
    begun = program(service, callback="https://app.example/oauth").begins(
        "https://app.example/oauth/done"
    )
    reply = signed_in(service).decides(begun)
    assert reply.headers["Location"].startswith("https://app.example/oauth/done?oauth_token=")
    assert reads(begun.finishes(query(reply)["oauth_verifier"])) == 200


def test_as_in_2009_without_callback_and_verifier(service: Service) -> None:
    begun = program(service, old=True).begins(None)
    assert "oauth_callback_confirmed" not in begun.token
    browser = signed_in(service)
    assert b"old form of OAuth" in browser.get(begun.authorize_path()).body
    assert b"pin" not in browser.decides(begun).body.split(b"<main")[1]
    assert reads(begun.finishes()) == 200


def test_as_in_2009_with_a_callback_in_the_address_of_the_authorize_page(service: Service) -> None:
    begun = program(service, old=True).begins(None)
    reply = signed_in(service).decides(begun, oauth_callback=CALLBACK)
    assert query(reply) == {"x": "%20y", "oauth_token": begun.token["oauth_token"]}
    assert reads(begun.finishes()) == 200


def test_an_old_application_with_oob_may_give_the_pin_or_not(service: Service) -> None:
    browser = signed_in(service)
    for use in (lambda shown: shown, lambda shown: None):
        begun = program(service, old=True).begins("oob")
        assert reads(begun.finishes(use(pin(browser.decides(begun))))) == 200


def test_whoever_asks_twice_is_told_the_same_pin(service: Service) -> None:
    begun = program(service).begins()
    browser = signed_in(service)
    assert pin(browser.decides(begun)) == pin(browser.decides(begun))


def test_a_denied_application_gets_nothing(service: Service) -> None:
    browser = signed_in(service)
    begun = program(service).begins()
    assert b"denied" in browser.decides(begun, "deny").body
    assert begun.trades("0000000000").status == 401
    begun = program(service).begins(CALLBACK)
    assert query(browser.decides(begun, "deny"))["oauth_problem"] == "user_refused"


def test_it_acts_for_the_user_who_authorized_it_only(service: Service) -> None:
    begun = program(service).begins()
    other = service.storage.accounts.user("other")
    path = service.create(b"0,1")
    done = begun.finishes(pin(signed_in(service, other).decides(begun)))
    assert done.send("GET", path).status == 404
    assert done.send("POST", path, "value=1", FORM).status == 404


@pytest.mark.parametrize(
    ("method", "way"),
    [("GET", HEADER), ("GET", QUERY), ("POST", HEADER), ("POST", QUERY), ("POST", BODY)],
)
def test_tokens_are_given_however_the_parameters_come(
    service: Service, method: str, way: str
) -> None:
    settings: dict[str, Any] = {"signature_type": way}
    body: dict[str, Any] = {"body": "", "headers": FORM} if way == BODY else {}
    application = program(service)
    reply = application.send(
        method, "/oauth/request_token/", callback_uri="http://[::1]:80/é?a=b", **settings, **body
    )
    assert reply.status == 400, "such a callback is refused, though the signature is right"
    reply = application.send(
        method, "/oauth/request_token/", callback_uri="http://[::1]:80/?a=b", **settings, **body
    )
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == FORM["Content-Type"]
    assert reply.headers["Cache-Control"] == "no-store"
    begun = application.becomes(reply)
    verifier = query(signed_in(service).decides(begun))["oauth_verifier"]
    trade = begun.send(method, "/oauth/access_token/", verifier=verifier, **settings, **body)
    assert reads(begun.becomes(trade)) == 200


@pytest.mark.parametrize("signature_method", ["HMAC-SHA1", "HMAC-SHA256"])
@pytest.mark.parametrize("way", [HEADER, QUERY])
def test_reading_and_clearing(
    service: Service, plotter: Program, way: str, signature_method: str
) -> None:
    how = {"signature_type": way, "signature_method": signature_method}
    path = service.create(b"0,1\n5,2")
    reply = plotter.send("GET", f"{path}csv/?after=0&limit=1", **how)
    assert reply.body == b"5.0,2.0\n", reply
    assert plotter.send("DELETE", path, **how).status == 204
    assert service.csv(path) == b""


@pytest.mark.parametrize("way", [HEADER, QUERY, BODY])
def test_writing_with_a_form(service: Service, plotter: Program, way: str) -> None:
    path = service.create()
    body = "value=%2B2.5&timestamp=2009-03-11+12%3A00&note=%C3%A9%2520%26&note=&a%5B%5D=1"
    reply = plotter.send("POST", path, body, FORM, signature_type=way)
    assert reply.status == 204, reply
    assert service.csv(path) == b"1236772800.0,2.5\n"
    assert plotter.send("POST", path, "increment=1", FORM, signature_type=way).status == 204


@pytest.mark.parametrize("way", [HEADER, QUERY, BODY])
def test_making_a_series_with_a_form(service: Service, plotter: Program, way: str) -> None:
    body = "title=Na%C3%AFve+%26+sound&caption=C"
    reply = plotter.send("POST", "/create/", body, FORM, signature_type=way)
    assert reply.status == 201, reply


@pytest.mark.parametrize("way", [HEADER, QUERY])
def test_csv_bodies_are_not_signed(service: Service, plotter: Program, way: str) -> None:
    path = service.create()
    for method, body in (("POST", b"0,1"), ("PUT", b"1,2")):
        sent_path, _, headers = plotter.sign(method, path, signature_type=way)
        assert service.send(method, sent_path, body, {**headers, **CSV}).status == 204
    assert service.csv(path) == b"1.0,2.0\n"


@pytest.mark.parametrize("way", [HEADER, QUERY])
@pytest.mark.parametrize("signed_fields", [False, True])
def test_multipart_fields_may_be_signed_or_not(
    service: Service, plotter: Program, signed_fields: bool, way: str
) -> None:
    fields = {"title": "Power & light", "caption": "é %20"}
    body, content_type = multipart(fields, b"0,1\r\n1,2\r\n")
    reply = sent_multipart(plotter, fields if signed_fields else {}, body, content_type, way)
    assert reply.status == 201, reply
    path = reply.headers["Location"].removeprefix(service.url.rstrip("/"))
    assert service.csv(path) == b"0.0,1.0\n1.0,2.0\n"


def sent_multipart(
    plotter: Program, signed: dict[str, str], body: bytes, headers: dict[str, str], way: str
) -> Reply:
    """Sent as clients do that sign the fields of a form whatever its encoding is."""
    text = "&".join(f"{name}={quote(value)}" for name, value in signed.items())
    path, _, sent = plotter.sign("POST", "/create/", text, FORM, signature_type=way)
    return plotter.service.send("POST", path, body, {**sent, **headers})


def test_altered_multipart_fields_are_refused(service: Service, plotter: Program) -> None:
    body, content_type = multipart({"title": "Changed", "caption": "C"})
    signed = {"title": "Power", "caption": "C"}
    assert sent_multipart(plotter, signed, body, content_type, HEADER).status == 401
    body, content_type = multipart({"title": "Power", "caption": "C" * 66_000})
    assert sent_multipart(plotter, signed, body, content_type, HEADER).status == 400


def test_a_large_multipart_upload_is_signed_and_stored(service: Service, plotter: Program) -> None:
    rows = b"".join(b"%d,%d\r\n" % (n, n % 7) for n in range(200_000))
    fields = {"title": "T", "caption": "C"}
    body, content_type = multipart(fields, rows)
    reply = sent_multipart(plotter, fields, body, content_type, HEADER)
    assert reply.status == 201, reply
    path = reply.headers["Location"].removeprefix(service.url.rstrip("/"))
    assert len(service.csv(path).splitlines()) == 200_000


def test_a_body_hash_is_checked_when_sent(service: Service, plotter: Program) -> None:
    path = service.create()
    for method in ("HMAC-SHA1", "HMAC-SHA256"):
        how = {"signature_method": method}
        assert plotter.send("PUT", path, "0,1\n", {**CSV}, **how).status == 204
        sent_path, _, headers = plotter.sign("PUT", path, "0,1\n", {**CSV}, **how)
        assert "oauth_body_hash" in headers["Authorization"]
        assert service.send("PUT", sent_path, b"0,2\n", headers).status == 401
    assert service.csv(path) == b"0.0,1.0\n"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "LOCALHOST"],
)
def test_hosts_are_read_in_any_case(service: Service, plotter: Program, host: str) -> None:
    path, port = service.create(b"0,1"), service.url.rpartition(":")[2]
    sent_path, _, headers = plotter.sign("GET", path, base=f"http://{host}:{port}")
    reply = service.send("GET", sent_path, None, {**headers, "Host": f"{host}:{port}".rstrip("/")})
    assert reply.status == 200


def test_odd_queries_and_paths_are_signed_as_well(service: Service, plotter: Program) -> None:
    path = service.create(b"0,1")
    for odd in (
        "a%5B%5D=1&a1=2",
        "q=%22x%22&q=",
        "q=a%2520b",
        "realm=x&b",
        "caf%C3%A9=%E2%98%83",
    ):
        assert plotter.send("GET", f"{path}?{odd}").status == 200, odd
    # there is nothing at these, but the signature is right: a wrong one is 401
    for odd in (
        "/series/a%2520b/",
        "/series/a;b@c:d,e=f/",
        "/series/caf%C3%A9~/",
        "/series/a%20b/",
    ):
        assert plotter.send("GET", odd).status == 404, odd


def test_revoking_takes_effect_at_once(service: Service) -> None:
    one, two = authorized(service), authorized(service)
    service.storage.grants.revoke_access_token(one.token["oauth_token"])
    service.storage.grants.remove_application(two.key)
    assert [reads(one), reads(two)] == [401, 401]
    assert two.send("POST", "/oauth/request_token/", callback_uri="oob").status == 401


def test_secrets_are_not_in_the_store_and_a_copy_of_it_lets_nobody_in(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        done = authorized(service)
        browser = signed_in(service)
        kept = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("timetric.*"))
    assert done.token["oauth_token"].encode() in kept
    for secret in (
        done.secret,
        done.token["oauth_token_secret"],
        browser.cookie.partition("=")[2],
        service.config["apitoken_secret"],
    ):
        assert secret.encode() not in kept
    thief = tmp_path / "thief"
    thief.mkdir()
    shutil.copy(tmp_path / "data/timetric.sqlite3", thief)
    storage = open_storage(thief)
    with pytest.raises(StorageError, match="secret key"):
        open_keyring(thief / "secret.key", storage)
    storage.close()


def test_the_ways_of_2009(service: Service) -> None:
    """Query for GET and DELETE, form for POST; short nonces of digits; a version."""
    begun = program(service, old=True)
    asked = signed_by_hand(begun, "GET", "/oauth/request_token/", {})
    begun = begun.becomes(service.send("GET", f"/oauth/request_token/?{urlencode(asked)}"))
    assert signed_in(service).decides(begun).status == 200
    asked = signed_by_hand(begun, "POST", "/oauth/access_token/", {})
    reply = service.send("POST", "/oauth/access_token/", urlencode(asked).encode(), FORM)
    done = begun.becomes(reply)
    path = service.create()
    sent = signed_by_hand(done, "POST", path, {"value": "2.5", "note": "%41 é+&"})
    assert service.send("POST", path, urlencode(sent).encode(), FORM).status == 204
    asked = signed_by_hand(done, "GET", f"{path}csv/", {"limit": "1"})
    reply = service.send("GET", f"{path}csv/?{urlencode(asked)}")
    assert reply.body == f"{service.clock.now},2.5\n".encode()
    asked = signed_by_hand(done, "DELETE", path, {})
    assert service.send("DELETE", f"{path}?{urlencode(asked)}").status == 204
    assert service.csv(path) == b""


@pytest.mark.parametrize("way", ["query", "form", "header"])
def test_a_callback_with_escapes_of_its_own_comes_back_as_it_is(service: Service, way: str) -> None:
    path = "/oauth/request_token/"
    begun = program(service)
    asked = signed_by_hand(begun, "POST", path, {}, oauth_callback=CALLBACK)
    header = 'OAuth realm="",' + ",".join(f'{n}="{encode(text)}"' for n, text in asked)
    replies = {
        "query": lambda: service.send("POST", f"{path}?{urlencode(asked)}", b""),
        "form": lambda: service.send("POST", path, urlencode(asked).encode(), FORM),
        "header": lambda: service.send("POST", path, b"", {"Authorization": header}),
    }
    begun = begun.becomes(replies[way]())
    reply = signed_in(service).decides(begun)
    assert reply.headers["Location"].startswith(CALLBACK)
