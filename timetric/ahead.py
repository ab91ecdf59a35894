"""Reading ahead: the next page is fetched by a thread while the caller works on this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

from timetric.exceptions import TimetricClientError
from timetric.pages import Page, Read


def pages(read: Read, query: str) -> Iterator[Page]:
    """The page that a query asks for, and all after it; of one page alone no thread is made.

    What ``read`` raises is raised here. The thread ends with the iterator, or with the request
    that it is in by then.
    """
    page = read(query)
    if not page.following:
        yield page
        return
    reader = _Reader(read, page.following)
    try:  # however the caller leaves it, the thread is to end
        reader.start()
        yield page
        while page.following:
            page = reader.take() or read(page.following)
            yield page
    finally:
        reader.stop()


class _Reader(threading.Thread):
    """The thread. It asks for a page as soon as it has one, so that the service is never idle.

    At most two pages wait for the caller.
    """

    def __init__(self, read: Read, query: str) -> None:
        super().__init__(name="timetric-reader", daemon=True)
        self._read = read
        self._query = query
        self._found: SimpleQueue[Page | TimetricClientError | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._room.put(None)
        self._over = False

    def run(self) -> None:
        try:  # whatever ends the thread, nobody waits for it in vain
            while self._query and not self._over:
                page = self._read(self._query)
                self._query = page.following
                self._found.put(page)
                self._room.get()
        except TimetricClientError as error:  # to be raised in the thread that waits
            self._found.put(error)
        finally:
            self._found.put(None)

    def take(self) -> Page | None:
        """The next page. None where the thread is gone, as in a process that was forked meanwhile.

        Raises what reading it raised.
        """
        if self._found.empty() and not self.is_alive():
            return None
        found = self._found.get()
        self._room.put(None)
        if isinstance(found, TimetricClientError):
            raise found
        return found

    def stop(self) -> None:
        self._over = True
        self._room.put(None)
