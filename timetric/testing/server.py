"""The server under a service for tests."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_THREADS = 4  # requests that are answered at the same time
_PATIENCE = 5  # seconds that a request in flight may take when the service ends


class Server:
    """waitress in a thread, on a port of loopback that stays the same when it starts again."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        from waitress.server import create_server

        self._running: Any = create_server(
            self._app,
            host="127.0.0.1",
            port=self._port,
            threads=_THREADS,
            clear_untrusted_proxy_headers=False,  # the app itself is asked which it believes
        )
        self._port = self._running.effective_port
        self._thread = threading.Thread(target=self._running.run, name="timetric.testing")
        self._thread.start()

    def stop(self) -> None:
        """End its threads, and cut its connections. Once is enough, twice does no harm."""
        running, self._running = self._running, None
        if running is None:
            return
        # first those who answer, since they wake the loop once more when they have done so
        running.task_dispatcher.shutdown(timeout=_PATIENCE)
        # in the thread of its loop, which then finds nothing left and ends
        with suppress(OSError):  # another's wake-up was faster, and the trigger is closed by now
            running.trigger.pull_trigger(lambda: running.asyncore.close_all(running._map))
        self._thread.join(_PATIENCE)
