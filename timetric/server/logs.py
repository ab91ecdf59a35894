"""The service's log on standard error: a line a record as text, or as JSON; none can be forged."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from threading import Event, Thread
from typing import NamedTuple

import orjson

from timetric.server.access_log import Access

log = logging.getLogger(__name__)

#: The ID of the request that is being answered, for whatever is logged meanwhile; "" is none.
CURRENT: ContextVar[str] = ContextVar("timetric.request_id", default="")

#: What could end a line, move a terminal's cursor or turn its text around, and lone surrogates.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


_PAUSE = 0.1  # seconds in which lines gather
_PATIENCE = 2  # seconds that a log gets to take the last lines
_MOST_WAITING = 100_000  # lines
_ROOM = 1700  # bytes; with a line more it is still one that pipes take whole (4096)


class LogSettings(NamedTuple):
    """Whether lines are JSON, and whether each request has one."""

    json: bool = False
    access: bool = True


def set_up(settings: LogSettings) -> None:
    """Log to standard error: of timetric what there is to know, of others what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.json else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("timetric").setLevel(logging.INFO)


class AccessLog:
    """Writes the lines of requests to a file, those of a tenth of a second together.

    So a request pays a few microseconds for its line, and one whose reader has stopped, or gone,
    holds up no request. ``close`` writes what is left. It is apart from ``logging``, which takes
    several times as long.
    """

    def __init__(self, settings: LogSettings, file: int) -> None:
        self._line = _json_line if settings.json else _text_line
        self._file = file
        self._waiting: deque[tuple[float, Access]] = deque()
        self._left_out = 0
        self._called, self._closed = Event(), Event()
        self._writer = Thread(target=self._run, daemon=True)
        self._writer.start()

    def __call__(self, access: Access) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._left_out += 1
            return
        self._waiting.append((time.time(), access))
        if not self._called.is_set():
            self._called.set()

    def close(self) -> None:
        self._closed.set()
        self._called.set()
        self._writer.join(_PATIENCE)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._called.wait()
            self._closed.wait(_PAUSE)
            self._called.clear()
            self._write()
        self._write()  # what came between

    def _write(self) -> None:
        while self._waiting:
            size, lines = 0, []
            while self._waiting and size < _ROOM:
                now, access = self._waiting.popleft()
                lines.append(self._line(access, now))
                size += len(lines[-1])
            with suppress(OSError):  # its reader has gone
                os.write(self._file, b"".join(lines))
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            log.warning("%s requests have no line, as the log was not read", left_out)


def _text_line(access: Access, now: float) -> bytes:
    return f"{_moment(now)} INFO {escaped(str(access))}\n".encode()


def _json_line(access: Access, now: float) -> bytes:
    members = {
        "time": _moment(now),
        "level": "INFO",
        "logger": "timetric.access",
        "message": escaped(str(access)),
        **access._asdict(),
        "reason": escaped(access.reason),
    }
    return orjson.dumps(members) + b"\n"


class TextFormatter(logging.Formatter):
    """Time (UTC), level and message; a traceback follows in lines that begin with a bar."""

    def format(self, record: logging.LogRecord) -> str:
        message, request_id = escaped(record.getMessage()), CURRENT.get()
        if request_id not in message:
            message += f" (request {request_id})"
        line = f"{_moment(record.created)} {record.levelname} {message}"
        if record.exc_info is None:
            return line
        trace = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"  | {escaped(row)}" for row in trace)])


class JsonFormatter(logging.Formatter):
    """An object a line: time, level, logger, message, and where there is one request_id.

    Where something failed there is a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, object] = {
            "time": _moment(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": escaped(record.getMessage()),
        }
        if CURRENT.get():
            members["request_id"] = CURRENT.get()
        if record.exc_info is not None:
            trace = self.formatException(record.exc_info).split("\n")
            members["traceback"] = "\n".join(map(escaped, trace))
        return orjson.dumps(members).decode()


def escaped(text: str) -> str:
    """Text of which no character can begin a line of its own."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _moment(now: float) -> str:
    seconds = int(now)
    return f"{_second(seconds)}.{int((now - seconds) * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(now: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
