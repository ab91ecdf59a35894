"""The cookie that holds the secret of a browser's session."""

from __future__ import annotations

from falcon import Request, Response

#: Seconds, as many as browsers keep one; the store knows when the session ends.
_KEPT = 400 * 24 * 60 * 60


def session_secret(req: Request) -> str | None:
    """What the browser that asks was given, if it is signed in.

    A cookie goes with every request of a browser; beside other credentials it does not count.
    """
    secrets = req.get_cookie_values(_name(req)) or []
    if len(secrets) != 1 or req.get_header("Authorization") is not None:
        return None
    return secrets[0]


def give_secret(req: Request, resp: Response, secret: str) -> None:
    """Let the browser keep the secret of its session; an empty one takes it away."""
    resp.set_cookie(
        _name(req),
        secret,
        max_age=_KEPT if secret else 0,
        path="/",
        secure=_is_https(req),
        http_only=True,
        same_site="Lax",
    )


def _is_https(req: Request) -> bool:
    return bool(req.context.base_url.startswith("https:"))


def _name(req: Request) -> str:
    """That prefix lets no other host of the domain set it."""
    return "__Host-timetric" if _is_https(req) else "timetric"
