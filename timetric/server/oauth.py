"""The three steps of OAuth 1.0a, and of 1.0 for applications that predate it (RFC 5849, 2)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import urlencode

from falcon import Request, Response

from timetric.server.body import TEXT, Fields, only, read_form, read_query
from timetric.server.callback import OOB, extended, is_allowed, policy_source
from timetric.server.credentials import Random, make_secret
from timetric.server.keyring import ACCESS_TOKEN, REQUEST_TOKEN, VERIFIER, Keyring
from timetric.server.pages import PageProblem, show
from timetric.server.problem import Problem
from timetric.server.session import Sessions
from timetric.server.signature import WRONG, Signatures
from timetric.server.storage import Application, Grants, Missing, RequestToken, User

#: Seconds that a request token lives, and how many wrong verifiers end it.
LIFETIME, TRIES = 60 * 60, 5

#: What a verifier is written in: nothing that is mistaken for something else. 10 are 50 bits.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_TYPED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})

_ENDED = (
    "This request for access has ended, was decided already, or never was. Start again in the "
    "application."
)
_OTHER_CALLBACK = (
    "The link names an address to go on to that the application has not registered, or did not "
    "begin with. Start again in the application."
)


class _TokenResource:
    """A step that an application takes by itself."""

    def __init__(
        self,
        grants: Grants,
        keyring: Keyring,
        signatures: Signatures,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._grants = grants
        self._keyring = keyring
        self._signatures = signatures
        self._clock = clock
        self._random = random

    def _send(self, resp: Response, kind: str, key: str, **more: str) -> None:
        token = {"oauth_token": key, "oauth_token_secret": self._keyring.derive(kind, key)}
        resp.content_type = "application/x-www-form-urlencoded"
        resp.set_header("Cache-Control", "no-store")
        resp.text = urlencode({**token, **more})


class RequestTokenResource(_TokenResource):
    """The first step: an application asks for a token to show to its user."""

    def on_get(self, req: Request, resp: Response) -> None:
        application, parameters, _ = self._signatures.check(req, None)
        callback = parameters.get("oauth_callback")
        _check_callback(application, callback)
        key, now = make_secret(self._random), self._clock()
        optional = application.predates_1_0a and callback in (None, OOB)
        token = RequestToken(key, application, callback, not optional, now + LIFETIME)
        self._grants.add_request_token(token, now)
        confirmed = {} if callback is None else {"oauth_callback_confirmed": "true"}
        self._send(resp, REQUEST_TOKEN, key, **confirmed)

    on_post = on_get


class AccessTokenResource(_TokenResource):
    """The last step: a request token that its user has authorized becomes an access token."""

    def on_get(self, req: Request, resp: Response) -> None:
        signed = self._signatures.check(req, REQUEST_TOKEN)
        token = signed.token
        assert isinstance(token, RequestToken), "that kind was asked for"
        if token.user is None:
            raise Problem(
                401,
                "The user has not authorized the request token (yet).",
                oauth_problem="permission_unknown",
            )
        self._check_verifier(token, signed.parameters.get("oauth_verifier"))
        try:
            access = self._grants.exchange(token.key, make_secret(self._random), self._clock())
        except Missing as error:  # another request was faster
            raise Problem(401, WRONG, oauth_problem="token_rejected") from error
        self._send(resp, ACCESS_TOKEN, access.key)

    on_post = on_get

    def _check_verifier(self, token: RequestToken, given: str | None) -> None:
        if given is None and token.needs_verifier:
            raise Problem(
                400,
                "oauth_verifier is missing: the PIN that the user was shown, or what came to the "
                "callback.",
                oauth_problem="parameter_absent",
            )
        if given is None:
            return
        plain = given.upper().translate(_AS_TYPED)
        if not hmac.compare_digest(plain.encode(), verifier(self._keyring, token).encode()):
            self._grants.count_wrong_verifier(token.key, TRIES)
            raise Problem(401, "oauth_verifier is wrong.", oauth_problem="verifier_invalid")


class AuthorizeResource:
    """The step between: the user, in a browser, authorizes the application or denies it."""

    def __init__(
        self,
        grants: Grants,
        keyring: Keyring,
        sessions: Sessions,
        clock: Callable[[], float],
    ) -> None:
        self._grants = grants
        self._keyring = keyring
        self._sessions = sessions
        self._clock = clock
        self._decisions = {"authorize": self._authorize, "deny": self._deny}

    def on_get(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        token, callback = self._asked(read_query(req), user)
        targets = [policy_source(callback)] if callback else []
        show(req, resp, "authorize", *targets, token=token, user=user, callback=callback)

    def on_post(self, req: Request, resp: Response) -> None:
        user = self._sessions.required(req)
        fields = read_form(req, TEXT).fields
        token, callback = self._asked(fields, user)
        decide = self._decisions.get(only(fields, "decision") or "")
        if decide is None:
            raise PageProblem(400, "Choose Authorize or Deny.")
        try:
            name, answer = decide(token, user)
        except Missing as error:  # another user was faster, or an hour is over
            raise PageProblem(404, _ENDED) from error
        if callback is None:
            show(req, resp, name, token=token, user=user, **answer)
            return
        resp.status = 303
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("Location", extended(callback, oauth_token=token.key, **answer))

    def _asked(self, fields: Fields, user: User) -> tuple[RequestToken, str | None]:
        """The request token, and the URL that its decision goes to. Raises PageProblem."""
        try:
            token = self._grants.request_token(only(fields, "oauth_token") or "", self._clock())
        except Missing as error:
            raise PageProblem(404, _ENDED) from error
        if token.user not in (None, user):
            raise PageProblem(404, _ENDED)
        return token, _callback(token, only(fields, "oauth_callback"))

    def _authorize(self, token: RequestToken, user: User) -> tuple[str, dict[str, str]]:
        token = self._grants.authorize(token.key, user, self._clock())
        if token.callback is None:
            return "authorized", {}
        return "authorized", {"oauth_verifier": verifier(self._keyring, token)}

    def _deny(self, token: RequestToken, user: User) -> tuple[str, dict[str, str]]:
        self._grants.deny(token.key, user, self._clock())
        return "denied", {"oauth_problem": "user_refused"}


def _check_callback(application: Application, callback: str | None) -> None:
    """Raises Problem for one that a request token can't have."""
    if callback is None and not application.predates_1_0a:
        raise Problem(
            400,
            "oauth_callback is missing; without a callback it is oob.",
            oauth_problem="parameter_absent",
        )
    if callback not in (None, OOB) and not is_allowed(callback or "", application.callback):
        raise Problem(
            400,
            "oauth_callback is not oob, not http on loopback, and does not begin with the "
            "application's registered callback.",
            oauth_problem="parameter_rejected",
        )


def _callback(token: RequestToken, given: str | None) -> str | None:
    """The URL to send the browser to, if any. Raises PageProblem.

    ``given`` is what the address of the authorize page says, where any page on the web could have
    put it; only the flow of 2009 heeds it.
    """
    bound = None if token.callback == OOB else token.callback
    if given in (None, OOB, bound):
        return bound
    is_free = bound is None and not token.needs_verifier
    if is_free and is_allowed(given or "", token.application.callback):
        return given
    raise PageProblem(400, _OTHER_CALLBACK, title="This address can't be right")


def verifier(keyring: Keyring, token: RequestToken) -> str:
    """What proves that who comes back is who was sent. Derived: who asks twice is told the same."""
    bits = int(keyring.derive(VERIFIER, token.key), 16)
    return "".join(_LETTERS[bits >> 5 * place & 31] for place in range(10))
