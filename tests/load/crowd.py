"""A crowd of connections to a service: slow senders, slow readers, and others who just ask."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

#: Bytes a second at which the slow ones send and read: hardly more than a body has to come at.
SLOW = 600

_BODY = 99_000  # bytes of a slow body: it is no upload yet, of which there may be 64 at once
_BUFFER = 4096  # bytes that the system may take for a slow reader
_PAUSE = 10.0  # seconds on average between two requests of one of the others
_APART = 0.02  # seconds between one who comes and the next
_PATIENCE = 60.0  # seconds in which an answer has to come


class Target(NamedTuple):
    """A service, with the headers of someone who may write, a small series and a large one."""

    netloc: str
    headers: dict[str, str]
    small: str
    large: str

    def head(self, method: str, path: str, **headers: str) -> bytes:
        told = {"Host": self.netloc, **self.headers, **headers}
        lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in told.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


class Crowd:
    """So many of each kind. ``waits`` are the seconds that the others waited for each answer."""

    def __init__(self, target: Target, senders: int, readers: int, others: int) -> None:
        self.target = target
        self.waits: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.open = 0  # connections, at the moment
        self.most = 0
        self._kinds = [(self._send, senders), (self._read, readers), (self._ask, others)]
        self._chance = random.Random(1)

    def stand(self, seconds: float, settling: float) -> None:
        """Be there for so long, once all have come and so many seconds have passed."""
        asyncio.run(self._stand(seconds, settling))

    async def _stand(self, seconds: float, settling: float) -> None:
        self._over = asyncio.Event()
        tasks = []
        for kind, count in self._kinds:
            for _ in range(count):
                tasks.append(asyncio.create_task(self._connected(kind)))
                await asyncio.sleep(_APART)
        await asyncio.sleep(settling)
        self.waits.clear()  # of the time before all were there
        await asyncio.sleep(seconds)
        self._over.set()
        await asyncio.gather(*tasks)

    async def _connected(self, kind: Callable[..., Awaitable[None]]) -> None:
        """One connection, and another where it ends."""
        while not self._over.is_set():
            host, _, port = self.target.netloc.rpartition(":")
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
            reader, writer = await asyncio.open_connection(sock=sock, limit=_BUFFER)
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                await kind(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):  # counted as no answer
                self.statuses["cut off"] += 1
            self.open -= 1
            writer.close()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
            await asyncio.wait_for(self._over.wait(), seconds)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A body of CSV that comes slowly."""
        told = {"Content_Type": "text/csv", "Content_Length": str(_BODY)}
        writer.write(self.target.head("POST", self.target.small, **told))
        row = b"1,2\n" * (SLOW // 4)
        for _ in range(_BODY // len(row)):
            writer.write(row)
            await self._pause(1.0)
            if self._over.is_set():
                return
        await self._status(reader, "slow sender")

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A long answer that is read slowly."""
        writer.write(self.target.head("GET", self.target.large + "csv/"))
        while not self._over.is_set() and await reader.read(SLOW):
            await self._pause(1.0)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request now and then; one in five is a write."""
        await self._pause(self._chance.uniform(0, 2 * _PAUSE))
        while not self._over.is_set():
            begun = time.monotonic()
            if self._chance.random() < 0.2:
                body = f"value={begun}".encode()
                kind = "application/x-www-form-urlencoded"
                told = {"Content_Type": kind, "Content_Length": str(len(body))}
                writer.write(self.target.head("POST", self.target.small, **told) + body)
            else:
                writer.write(self.target.head("GET", self.target.small + "value/json/"))
            await self._status(reader, "other")
            self.waits.append(time.monotonic() - begun)
            await self._pause(self._chance.uniform(0, 2 * _PAUSE))

    async def _status(self, reader: asyncio.StreamReader, who: str) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        self.statuses[f"{who} {head.split()[1].decode()}"] += 1
        lines = head.lower().split(b"\r\n")
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        await reader.readexactly(lengths[0] if lengths else 0)


def percentile(waits: list[float], part: float) -> float:
    """The wait in seconds that so large a part of all did not exceed."""
    return sorted(waits)[min(len(waits) - 1, int(part * len(waits)))]
