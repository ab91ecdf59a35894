"""What a service refuses of signed requests, and how it tells."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.dancing import (
    CALLBACK,
    FORM,
    QUERY,
    Program,
    authorized,
    link,
    multipart,
    pin,
    program,
    query,
    signed_by_hand,
    signed_in,
)
from tests.service import Reply, Service, basic, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def plotter(service: Service) -> Program:
    return authorized(service)


def problem(reply: Reply, status: int) -> str:
    """The ``oauth_problem`` of a refusal, which shows no secret."""
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert len(reply.body) < 1000
    return str(json.loads(reply.body).get("oauth_problem"))


def test_a_request_that_is_sent_again_is_refused(service: Service, plotter: Program) -> None:
    path = service.create()
    sent = plotter.sign("POST", path, "increment=1", FORM)
    assert service.send("POST", sent[0], sent[1].encode(), sent[2]).status == 204
    again = service.send("POST", sent[0], sent[1].encode(), sent[2])
    assert problem(again, 401) == "nonce_used"
    assert service.csv(path).endswith(b",1.0\n")


def test_of_one_request_sent_many_times_at_once_one_counts(
    service: Service, plotter: Program
) -> None:
    path = service.create()
    sent_path, body, headers = plotter.sign("POST", path, "increment=1", FORM)
    replies = at_once(8, lambda: service.send("POST", sent_path, body.encode(), headers))
    assert sorted(reply.status for reply in replies) == [204, *[401] * 7]
    assert service.csv(path).endswith(b",1.0\n")


def at_once(times: int, call: Any) -> list[Reply]:
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(call())) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def test_a_nonce_is_one_time_s_one_token_s_and_one_application_s(
    service: Service, plotter: Program
) -> None:
    path, now = service.create(b"0,1", public=True), int(service.clock())
    other = authorized(service)
    for sender, seconds in ((plotter, 0), (plotter, 1), (other, 0), (other, -1)):
        settings = {"nonce": "same", "timestamp": str(now + seconds)}
        assert sender.send("GET", path, **settings).status == 200
        assert problem(sender.send("GET", path, **settings), 401) == "nonce_used"


def test_timestamps_count_for_five_minutes_either_way(service: Service, plotter: Program) -> None:
    path, now = service.create(), int(service.clock())
    for seconds, status in ((-301, 401), (-300, 200), (300, 200), (301, 401), (10**6, 401)):
        reply = plotter.send("GET", path, timestamp=str(now + seconds))
        assert reply.status == status, seconds
    assert problem(reply, 401) == "timestamp_refused"
    assert b"(timestamp_refused)" in reply.body
    assert reply.headers["Date"] == "Wed, 11 Mar 2009 12:00:00 GMT"


@pytest.mark.parametrize("nonce", ["x", "7", "~" * 64, "a-b_c.d"])
def test_any_visible_nonce_will_do(service: Service, plotter: Program, nonce: str) -> None:
    assert plotter.send("GET", service.create(), nonce=nonce).status == 200


@pytest.mark.parametrize("nonce", ["a b", "é", "~" * 65])
def test_other_nonces_are_a_bad_request(service: Service, plotter: Program, nonce: str) -> None:
    problem(plotter.send("GET", service.create(), nonce=nonce), 400)


@pytest.mark.parametrize("timestamp", ["yesterday!", "12", "1.23677e9!", "-123677280"])
def test_a_timestamp_is_ten_digits(service: Service, plotter: Program, timestamp: str) -> None:
    reply = plotter.send("GET", service.create(), timestamp=timestamp)
    assert reply.status in (400, 401)


def test_what_was_altered_on_the_way_is_refused(service: Service, plotter: Program) -> None:
    path, other = service.create(), service.create()
    sent_path, body, headers = plotter.sign("POST", f"{path}?a=b", "value=1", FORM)
    altered = [
        ("POST", sent_path, "value=2"),
        ("POST", sent_path, "value=1&timestamp=0"),
        ("POST", sent_path.replace("a=b", "a=c"), body),
        ("POST", f"{sent_path}&value=1", body),
        ("POST", sent_path.replace(path, other), body),
        ("PUT", sent_path, body),
        ("DELETE", sent_path, body),
    ]
    for method, target, text in altered:
        reply = service.send(method, target, text.encode(), headers)
        assert problem(reply, 401) == "signature_invalid", (method, target, text)
    assert service.csv(path) == service.csv(other) == b""
    # and none of these has used up the nonce
    assert service.send("POST", sent_path, body.encode(), headers).status == 204


def test_forged_requests_burn_no_nonce(service: Service, plotter: Program) -> None:
    path, settings = service.create(), {"nonce": "mine"}
    body, content_type = multipart({"value": "1"})
    for forger in (
        replace(plotter, secret="guessed"),
        replace(plotter, token={**plotter.token, "oauth_token_secret": "guessed"}),
    ):
        assert forger.send("GET", path, **settings).status == 401
        _, _, headers = forger.sign("POST", path, **settings)
        assert service.send("POST", path, body, {**headers, **content_type}).status == 401
    assert plotter.send("GET", path, **settings).status == 200


def test_unknown_and_wrong_credentials_answer_alike(service: Service, plotter: Program) -> None:
    path = service.create(b"0,1", public=True)
    begun = program(service).begins()
    others = authorized(service)
    wrong = [
        replace(plotter, secret="wrong"),
        replace(plotter, key="unknown"),
        replace(plotter, key=others.key, secret=others.secret),
        replace(plotter, token={**plotter.token, "oauth_token": "unknown"}),
        replace(plotter, token={**plotter.token, "oauth_token_secret": "wrong"}),
        replace(plotter, token={}),
        replace(plotter, token=begun.token),
        begun,
    ]
    replies = [wrong_one.send("GET", path) for wrong_one in wrong]
    assert {reply.status for reply in replies} == {401}
    assert len({reply.body for reply in replies}) == 1
    for reply in replies:
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="Timetric"'


def test_plaintext_is_refused_though_the_secrets_are_right(
    service: Service, plotter: Program
) -> None:
    reply = plotter.send("GET", service.create(), signature_method="PLAINTEXT")
    problem(reply, 400)
    assert b"HMAC-SHA1 or HMAC-SHA256" in reply.body
    assert plotter.secret.encode() not in reply.body


def test_credentials_are_given_once(service: Service, plotter: Program) -> None:
    path = service.create()
    _, _, headers = plotter.sign("GET", path)
    oauth, token = headers["Authorization"], basic(service.config)["Authorization"]
    for both in (f"{oauth}, {oauth}", f"{oauth}, {token}", f"{token}, {oauth}"):
        assert service.send("GET", path, headers={"Authorization": both}).status == 400
    in_query, _, _ = plotter.sign("GET", path, signature_type=QUERY)
    for header in (oauth, token, "Bearer x"):
        reply = service.send("GET", in_query, headers={"Authorization": header})
        assert reply.status == 400
    twice = re.sub('oauth_nonce="', 'oauth_nonce="x", oauth_nonce="', oauth)
    problem(service.send("GET", path, headers={"Authorization": twice}), 400)


@pytest.mark.parametrize(
    "header",
    ["OAuth nothing", 'OAuth a="%ff"', 'OAuth a="\xe9"', 'OAuth realm="x"', "OAuth ,,,"],
)
def test_a_broken_header_is_a_bad_request(service: Service, header: str) -> None:
    path = service.create(b"0,1", public=True)
    problem(service.send("GET", path, headers={"Authorization": header}), 400)


@pytest.mark.parametrize(
    "name",
    ["consumer_key", "token", "signature_method", "timestamp", "nonce", "signature"],
)
def test_what_is_missing_or_endless_is_refused(
    service: Service, plotter: Program, name: str
) -> None:
    path = service.create()
    _, _, headers = plotter.sign("GET", path)
    for text in ("", "x" * 10_000):
        altered = re.sub(
            f'oauth_{name}="[^"]*"', f'oauth_{name}="{text}"', headers["Authorization"]
        )
        reply = service.send("GET", path, headers={"Authorization": altered})
        assert reply.status in (400, 401), (name, text)
        assert len(reply.body) < 1000


def test_endless_parameters_of_the_dance_are_refused(service: Service) -> None:
    application = program(service)
    endless = "http://127.0.0.1/" + "x" * 10_000
    reply = application.send("POST", "/oauth/request_token/", callback_uri=endless)
    assert problem(reply, 400) == "parameter_rejected"
    begun = application.begins()
    browser = signed_in(service)
    shown = pin(browser.decides(begun))
    assert problem(begun.trades("0" * 10_000), 401) == "verifier_invalid"
    assert browser.get(f"/oauth/authorize/?oauth_token={'x' * 10_000}").status == 404
    assert browser.get(f"/account/sign-in/{'x' * 10_000}/").status == 404
    assert begun.trades(shown).status == 200


@pytest.mark.parametrize(
    "callback",
    [
        "https://app.example/oauthless",
        "https://app.example/",
        "https://app.example.evil.example/oauth/",
        "https://app.example@evil.example/oauth/",
        "https://app.example/oauth/../admin",
        "https://app.example/oauth/%2e%2e/admin",
        "https://app.example/oauth/#x",
        "http://app.example/oauth/",
        "https://127.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://[::1/",
        "http://127.0.0.1:x/",
        "javascript:alert(1)",
        "//127.0.0.1/",
        "http://127.0.0.1/\r\nX: y",
        "",
    ],
)
def test_a_callback_that_was_not_registered_is_refused(service: Service, callback: str) -> None:
    for old in (False, True):
        application = program(service, callback="https://app.example/oauth", old=old)
        path = "/oauth/request_token/"
        asked = signed_by_hand(application, "POST", path, {}, oauth_callback=callback)
        reply = service.send("POST", f"{path}?{urlencode(asked)}", b"")
        assert problem(reply, 400) == "parameter_rejected"
    begun = application.begins(None)
    reply = signed_in(service).decides(begun, oauth_callback=callback or "x:")
    assert reply.status == 400
    assert not reply.headers["Location"]


@pytest.mark.parametrize(
    "callback",
    [
        "https://app.example/oauth",
        "https://app.example/oauth/",
        "https://app.example/oauth?x=y",
        "https://app.example/oauth/a/b?c=d&e",
        "http://127.0.0.1:5000",
        "http://127.8.9.1/",
        "http://localhost:1/x",
        "http://[::1]:8080/x",
        "oob",
    ],
)
def test_a_callback_on_loopback_or_below_the_registered_one_is_taken(
    service: Service, callback: str
) -> None:
    application = program(service, callback="https://app.example/oauth")
    begun = application.begins(callback)
    reply = signed_in(service).get(begun.authorize_path(oauth_callback=callback))
    assert reply.status == 200


def test_without_a_registered_callback_only_loopback_is_taken(service: Service) -> None:
    reply = program(service).send(
        "POST", "/oauth/request_token/", callback_uri="https://app.example/"
    )
    assert problem(reply, 400) == "parameter_rejected"


def test_another_callback_than_the_one_begun_with_is_refused(service: Service) -> None:
    browser = signed_in(service)
    for callback in ("oob", CALLBACK):
        for old in (False, True):
            begun = program(service, old=old).begins(callback)
            other = {"oauth_callback": "http://127.0.0.1:9/other"}
            allowed = old and callback == "oob"
            assert browser.get(begun.authorize_path(**other)).status == (200 if allowed else 400)
            reply = browser.decides(begun, **other)
            assert reply.status == (303 if allowed else 400)


def test_only_old_applications_may_leave_out_callback_and_verifier(service: Service) -> None:
    application, browser = program(service), signed_in(service)
    reply = application.send("POST", "/oauth/request_token/")
    assert problem(reply, 400) == "parameter_absent"
    for begun in (application.begins(), program(service, old=True).begins(CALLBACK)):
        browser.decides(begun)
        assert problem(begun.trades(), 400) == "parameter_absent"


def test_a_request_token_needs_its_user_first(service: Service) -> None:
    for begun in (program(service).begins(), program(service, old=True).begins(None)):
        assert problem(begun.trades("0" * 10), 401) == "permission_unknown"


def test_a_verifier_is_good_for_its_own_token_only(service: Service) -> None:
    application, browser = program(service), signed_in(service)
    one, two = application.begins(), application.begins()
    shown = [pin(browser.decides(begun)) for begun in (one, two)]
    assert problem(one.trades(shown[1]), 401) == "verifier_invalid"
    assert one.trades(shown[0]).status == 200


def test_five_wrong_verifiers_end_a_token(service: Service) -> None:
    begun = program(service).begins()
    shown = pin(signed_in(service).decides(begun))
    for _ in range(5):
        assert problem(begun.trades("0" * 10), 401) == "verifier_invalid"
    assert problem(begun.trades(shown), 401) == "signature_invalid"


def test_whoever_has_no_secret_can_not_end_a_token_by_guessing(service: Service) -> None:
    begun = program(service).begins()
    shown = pin(signed_in(service).decides(begun))
    for _ in range(6):
        assert replace(begun, secret="guessed").trades("0" * 10).status == 401
    assert begun.trades(shown).status == 200


def test_a_request_token_is_spent_once(service: Service) -> None:
    begun = program(service).begins()
    shown = pin(signed_in(service).decides(begun))
    assert begun.trades(shown).status == 200
    assert begun.trades(shown).status == 401


def test_of_two_exchanges_that_race_one_wins(service: Service) -> None:
    begun = program(service).begins()
    shown = pin(signed_in(service).decides(begun))
    replies = at_once(6, lambda: begun.trades(shown))
    assert sorted(reply.status for reply in replies) == [200, *[401] * 5]


def test_a_request_token_is_its_application_s_only(service: Service) -> None:
    begun, other = program(service).begins(), program(service)
    shown = pin(signed_in(service).decides(begun))
    stolen = replace(other, token=begun.token)
    assert problem(stolen.trades(shown), 401) == "signature_invalid"
    assert begun.trades(shown).status == 200


def test_a_request_token_lives_for_an_hour(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        browser = signed_in(service)
        begun, late = program(service).begins(), program(service).begins()
        shown = pin(browser.decides(begun))
        service.clock.advance(3599)
        assert browser.get(late.authorize_path()).status == 200
        assert begun.finishes(shown).send("GET", service.create()).status == 200
        service.clock.advance(1)
        assert browser.get(late.authorize_path()).status == 404
        assert browser.decides(late).status == 404


def test_the_first_user_to_decide_binds_a_request_token(service: Service) -> None:
    begun = program(service).begins(CALLBACK)
    victim, other = signed_in(service), signed_in(service, service.storage.accounts.user("other"))
    verifier = query(victim.decides(begun))["oauth_verifier"]
    for decision in ("authorize", "deny"):
        assert other.decides(begun, decision).status == 404
    assert other.get(begun.authorize_path()).status == 404
    assert begun.trades(verifier).status == 200


def test_oauth_opens_no_pages(service: Service, plotter: Program) -> None:
    begun = program(service).begins()
    path = begun.authorize_path()
    _, _, headers = plotter.sign("GET", path)
    for credentials in (headers, basic(service.config)):
        assert service.send("GET", path, headers=credentials).status == 403
        reply = service.send("POST", path, b"decision=authorize", {**credentials, **FORM})
        assert reply.status == 403
    assert link(service)


def test_a_body_is_not_read_for_credentials_that_are_unknown(service: Service) -> None:
    forger = Program(service, "unknown", "secret", {"oauth_token": "t", "oauth_token_secret": "s"})
    _, _, headers = forger.sign("POST", "/create/", nonce=secrets.token_hex(8))
    headers = {**headers, "Content-Type": "multipart/form-data; boundary=b"}
    # were it read, its being no multipart form would be a 400
    assert service.send("POST", "/create/", b"no form at all", headers).status == 401
