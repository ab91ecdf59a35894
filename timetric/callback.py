"""The page on this machine to which the service sends the user's browser back, with the verifier.

Loaded with ``TimetricClient.authorize``, since http.server is slow to import.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from timetric.exceptions import DeadlineExceeded, NotAuthorized

PATH = "/authorized/"

_PATIENCE = 10  # seconds for a connection to send its request: browsers open some to no purpose

_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>timetric</title>"
    b"<h1>Thank you</h1><p>You can close this page and go back to the program.</p>"
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": str(len(_PAGE)),
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
}


class Listener(ThreadingTCPServer):
    """Waits on a free port of the loopback address for the one answer that names our token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}{PATH}"
        self.answers: queue.Queue[Mapping[str, str]] = queue.Queue()
        self._token: str | None = None
        self._lock = threading.Lock()

    def expect(self, token: str) -> None:
        """The key of the request token whose answer counts."""
        self._token = token

    def wait(self, timeout: float) -> str:
        """The verifier. Raises DeadlineExceeded, and NotAuthorized where the user said no."""
        try:
            answer = self.answers.get(timeout=timeout)
        except queue.Empty:
            raise DeadlineExceeded(
                f"nobody answered in the browser within {timeout:g} s; try again, or go by PIN: "
                "authorize(open_browser=False)",
                sent=True,
            ) from None
        if "oauth_verifier" not in answer:
            raise NotAuthorized("the user did not let the application in")
        return answer["oauth_verifier"]

    def take(self, target: str) -> Mapping[str, str] | None:
        """The parameters of the one request that is the answer; None of any other."""
        parts = urlsplit(target)
        answer = dict(parse_qsl(parts.query))
        with self._lock:
            if parts.path != PATH or answer.get("oauth_token", "") != self._token:
                return None
            if "oauth_verifier" not in answer and "oauth_problem" not in answer:
                return None
            self._token = None
        return answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing, as the base class would, of a browser that hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = _PATIENCE

    def do_GET(self) -> None:
        answer = self.server.take(self.path)
        if answer is None:
            self.send_error(404)
            return
        try:
            self._send_page()
        finally:  # last, since the program may end with it
            self.server.answers.put(answer)

    def _send_page(self) -> None:
        self.send_response(200)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line would show the verifier."""


@contextmanager
def listening() -> Iterator[Listener]:
    with Listener() as listener:
        threading.Thread(target=listener.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield listener
        finally:
            listener.shutdown()
