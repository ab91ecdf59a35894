"""Requests that are signed by OAuth 1.0 (RFC 5849). oauthlib computes and compares signatures.

oauthlib decodes what stands in a query or a form twice, and fails on some that are legal. So it
is given each request in one form: the protocol's parameters in the header, all others in the query.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode
from urllib.request import parse_http_list

from falcon import Request
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, RequestValidator
from oauthlib.oauth1.rfc5849.endpoints.base import BaseEndpoint
from oauthlib.oauth1.rfc5849.errors import InvalidSignatureMethodError, OAuth1Error

from timetric.server.body import (
    PIECE,
    TEXT,
    Pairs,
    form_pairs,
    form_text,
    is_multipart,
    kept,
    plain_pairs,
    query_pairs,
)
from timetric.server.keyring import ACCESS_TOKEN, APPLICATION, REQUEST_TOKEN, Keyring
from timetric.server.problem import Problem
from timetric.server.site import signed_url
from timetric.server.storage import (
    AccessToken,
    Application,
    Grants,
    Missing,
    RequestToken,
    Taken,
)
from timetric.server.usage import Usage
from timetric.timestamps import format_iso

#: Seconds that a request's timestamp may differ from the service's clock, either way.
WINDOW = 300

#: The answer to unknown keys, wrong secrets and revoked tokens alike.
WRONG = (
    "The signature or the credentials are wrong, or the token was revoked, or its user is disabled."
)

_METHODS = (SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256)

#: By the length of its base64. Some clients send the shorter one with HMAC-SHA256 too.
_BODY_HASHES = {28: hashlib.sha1, 44: hashlib.sha256}


class Signed(NamedTuple):
    """Who signed a request, with which token, and the protocol's parameters in it."""

    application: Application
    parameters: dict[str, str]
    token: RequestToken | AccessToken | None


class _Claim(NamedTuple):
    """What a request says of itself, before it is known to be true."""

    application: str
    token: str
    timestamp: int
    nonce: str
    parameters: dict[str, str]
    request: Any  # oauthlib's

    def digest(self) -> bytes:
        """What is spent: a nonce of an application's, for a token and at a time."""
        parts = (self.application, self.token, str(self.timestamp), self.nonce)
        return hashlib.sha256("\0".join(parts).encode("utf-8")).digest()


class Signatures:
    """Checks signed requests. ``clock`` gives Unix seconds, ``max_body`` is in bytes."""

    def __init__(
        self,
        grants: Grants,
        keyring: Keyring,
        usage: Usage,
        clock: Callable[[], float],
        max_body: int,
    ) -> None:
        self._grants = grants
        self._usage = usage
        self._endpoint = _Endpoint(_Rules(keyring))
        self._clock = clock
        self._max_body = max_body

    def check(self, req: Request, token_kind: str | None) -> Signed:
        """Who signed the request, with a token of that kind or none.

        Raises Problem: 400 for what can't be understood, 401 for all that is wrong.
        """
        protocol, others = _parameters(req)
        claim = self._endpoint.read(req, protocol, others)
        now = self._clock()
        _check_timestamp(claim, now)
        known = self._known(claim, token_kind, now)
        right = self._endpoint.is_right(claim, token_kind)
        # Some clients sign a multipart form's plain fields too. They are looked at for known keys
        # and a nonce that is new only, since the body has to be read for it.
        if known and not right and is_multipart(req) and not self._grants.is_spent(claim.digest()):
            others = others + plain_pairs(req, self._max_body)
            right = self._endpoint.is_right(self._endpoint.read(req, protocol, others), token_kind)
        if known is None or not right:
            raise Problem(401, WRONG, oauth_problem="signature_invalid")
        _check_expiry(known.application, now)
        self._check_body_hash(req, claim.parameters)
        self._spend(claim, now)
        if isinstance(known.token, AccessToken):
            key = known.token.key
            self._usage.note(key, lambda minute: self._grants.note_use(key, minute))
        return known

    def _known(self, claim: _Claim, token_kind: str | None, now: float) -> Signed | None:
        """Whose request it would be; None is answered as a wrong signature is."""
        try:
            token = self._token(claim, token_kind, now)
            application = (
                token.application if token else self._grants.application(claim.application)
            )
        except Missing:
            return None
        if application.key != claim.application:
            return None
        return Signed(application, claim.parameters, token)

    def _token(
        self, claim: _Claim, kind: str | None, now: float
    ) -> RequestToken | AccessToken | None:
        if kind == REQUEST_TOKEN:
            return self._grants.request_token(claim.token, now)
        if kind == ACCESS_TOKEN:
            return self._grants.access_token(claim.token)
        return None

    def _check_body_hash(self, req: Request, parameters: dict[str, str]) -> None:
        given = parameters.get("oauth_body_hash")
        if given is None:
            return
        found = _BODY_HASHES.get(len(given), hashlib.sha256)()
        if req.content_length:
            file = kept(req, self._max_body)
            while piece := file.read(PIECE):
                found.update(piece)
        if not hmac.compare_digest(b64encode(found.digest()), given.encode("utf-8")):
            raise Problem(
                401, "The body is not the one that was signed.", oauth_problem="signature_invalid"
            )

    def _spend(self, claim: _Claim, now: float) -> None:
        """Take the nonce, so that the request can't be sent again. Only now that it is right."""
        expires = claim.timestamp + 2 * WINDOW  # well after the timestamp is taken anywhere
        try:
            self._grants.spend(claim.digest(), expires, now)
        except Taken as error:
            raise Problem(
                401, "The nonce was used before (nonce_used).", oauth_problem="nonce_used"
            ) from error


def _check_expiry(application: Application, now: float) -> None:
    """With an application all its tokens expire."""
    if application.expires is not None and now >= application.expires:
        raise Problem(
            401,
            f"The application expired at {format_iso(application.expires)} UTC.",
            oauth_problem="consumer_key_rejected",
        )


def is_signed(req: Request) -> bool:
    """Whether a request carries OAuth parameters: in its header, or else in query or form."""
    header = req.get_header("Authorization")
    if header is not None and header[:6].lower() == "oauth ":
        return True
    if "oauth_signature=" in req.query_string:
        return True
    is_short = header is None and (req.content_length or 0) <= TEXT
    return is_short and b"oauth_signature=" in form_text(req)


def _parameters(req: Request) -> tuple[Pairs, Pairs]:
    """The protocol's parameters, which stand in one place only, and all others that are signed."""
    places = [_header_pairs(req), query_pairs(req), form_pairs(req)]
    protocols = [[pair for pair in pairs if _is_protocol(pair)] for pairs in places]
    filled = [pairs for pairs in protocols if pairs]
    if len(filled) > 1:
        raise Problem(400, "Give the OAuth parameters in one place: header, query or form.")
    protocol = filled[0] if filled else []
    if len(dict(protocol)) < len(protocol):
        raise Problem(400, "An OAuth parameter is given twice.")
    others = [pair for pairs in places for pair in pairs if not _is_protocol(pair)]
    return protocol, others


def _is_protocol(pair: tuple[str, str]) -> bool:
    return pair[0].startswith("oauth_")


def _header_pairs(req: Request) -> Pairs:
    """What stands in the Authorization header (RFC 5849, 3.5.1), but for the realm."""
    scheme, _, rest = (req.get_header("Authorization") or "OAuth").partition(" ")
    items = [item.partition("=") for item in parse_http_list(rest)]
    # Servers join two headers by a comma, so that a name would hold the second one's scheme.
    if scheme.lower() != "oauth" or any(not equals or " " in name for name, equals, _ in items):
        raise Problem(400, "The Authorization header is no OAuth header, or broken, or doubled.")
    pairs = [(_decoded(name), _decoded(_unquoted(text))) for name, _, text in items]
    return [pair for pair in pairs if pair[0].lower() != "realm"]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _decoded(text: str) -> str:
    try:
        return unquote(text.encode("ascii"), errors="strict")
    except UnicodeError as error:
        raise Problem(400, "The Authorization header is not ASCII, or not UTF-8.") from error


def _check_timestamp(claim: _Claim, now: float) -> None:
    if abs(now - claim.timestamp) > WINDOW:
        raise Problem(
            401,
            f"The timestamp differs from the service's clock by more than {WINDOW} s "
            "(timestamp_refused); the Date header tells the service's time.",
            oauth_problem="timestamp_refused",
        )


class _Endpoint(BaseEndpoint):
    """oauthlib's own steps, for it to be asked one by one: nonces are spent after the signature."""

    def read(self, req: Request, protocol: Pairs, others: Pairs) -> _Claim:
        """What is claimed, once all is there that the protocol asks for. Raises Problem."""
        uri = f"{signed_url(req)}?{urlencode(others)}"
        header = ", ".join(f'{_quoted(name)}="{_quoted(text)}"' for name, text in protocol)
        headers = {"Authorization": f"OAuth {header}"}
        try:
            request = self._create_request(uri, req.method, "", headers)  # type: ignore[attr-defined]
            self._check_mandatory_parameters(request)  # type: ignore[attr-defined]
        except InvalidSignatureMethodError as error:
            methods = " or ".join(_METHODS)
            raise Problem(400, f"The signature method has to be {methods}.") from error
        except OAuth1Error as error:
            raise Problem(400, f"{error.description.rstrip('.')}.") from error
        given = dict(protocol)
        key, token = request.client_key, request.resource_owner_key or ""
        return _Claim(key, token, int(request.timestamp), request.nonce, given, request)

    def is_right(self, claim: _Claim, token_kind: str | None) -> bool:
        """Whether the signature is; it takes as long for keys that are not known."""
        return bool(
            self._check_signature(  # type: ignore[attr-defined]
                claim.request, is_token_request=token_kind == REQUEST_TOKEN
            )
        )


def _quoted(text: str) -> str:
    return quote(text, safe="")


class _Rules(RequestValidator):
    """What oauthlib asks. Unknown keys have secrets too, and take as long as wrong ones."""

    timestamp_lifetime = sys.maxsize  # ours to check, by the service's own clock
    enforce_ssl = False  # a proxy speaks https, or the service is on loopback

    def __init__(self, keyring: Keyring) -> None:
        super().__init__()
        self._keyring = keyring

    @property
    def allowed_signature_methods(self) -> tuple[str, ...]:
        return _METHODS

    def check_client_key(self, client_key: str) -> bool:
        return True  # of any other form it is unknown

    def check_nonce(self, nonce: str) -> bool:
        return len(nonce) <= 64 and all("!" <= character <= "~" for character in nonce)

    def get_client_secret(self, client_key: str, request: object) -> str:
        return self._keyring.derive(APPLICATION, client_key)

    def get_request_token_secret(self, client_key: str, token: str, request: object) -> str:
        return self._keyring.derive(REQUEST_TOKEN, token)

    def get_access_token_secret(self, client_key: str, token: str, request: object) -> str:
        return self._keyring.derive(ACCESS_TOKEN, token)
