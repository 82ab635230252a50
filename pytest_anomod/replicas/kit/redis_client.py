"""A Redis client for services: one pipelined connection on hiredis, Redis's own error texts, reconnects by itself."""

import asyncio
import errno
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis

from pytest_anomod.replicas.kit.errors import StoreError, TransportError
from pytest_anomod.replicas.kit.net import NameTable, NoNameError, idle_watch

_NOTHING = object()

_LOST = {
    "closed": "Failed to get reply: Server closed the connection",
    "timeout": "Failed to get reply: Resource temporarily unavailable",
    "protocol": "Failed to get reply: Protocol error",
}


class _Waiting:
    """A caller that waits for a number of replies."""

    __slots__ = ("count", "future", "replies")

    def __init__(self, future: "asyncio.Future[list[Any]]", count: int) -> None:
        self.future = future
        self.count = count
        self.replies: list[Any] = []


class _Connection(asyncio.Protocol):
    """One connection; commands of many callers share it, replies come in their order."""

    def __init__(self, decode: bool) -> None:
        encoding = "utf-8" if decode else None
        self._reader = hiredis.Reader(encoding=encoding, errors="surrogateescape", notEnoughData=_NOTHING)
        self._waiting: deque[_Waiting] = deque()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream transport
        self._watch = idle_watch(transport.get_extra_info("socket").fileno())

    def usable(self) -> bool:
        """Whether the connection is open; asked of the kernel when no reply is under way."""
        return not self.closed and (bool(self._waiting) or not self._watch.poll(0))

    def send(self, data: bytes, count: int) -> "asyncio.Future[list[Any]]":
        """Send packed commands; the future gets as many replies, errors among them as values."""
        waiting = _Waiting(asyncio.get_running_loop().create_future(), count)
        self._waiting.append(waiting)
        self._transport.write(data)
        return waiting.future

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                self._take(reply)
        except hiredis.ProtocolError:
            self.abort("protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort("closed")

    def abort(self, kind: str) -> None:
        """Drop the connection; everyone who waits fails with this kind."""
        self.closed = True
        self._transport.abort()
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(StoreError(kind, _LOST[kind]))

    def _take(self, reply: Any) -> None:
        waiting = self._waiting[0]
        waiting.replies.append(reply)
        if len(waiting.replies) == waiting.count:
            self._waiting.popleft()
            if not waiting.future.done():
                waiting.future.set_result(waiting.replies)


class RedisClient:
    """Commands to a named Redis store.

    Replies are as in RESP2, text unless `decode` is false. Errors are StoreError: kind "reply" with Redis's own text,
    kinds resolve/refused with "Failed to connect to Redis: <reason>", closed/timeout when no reply came.
    """

    def __init__(self, names: NameTable, name: str, *, decode: bool = True, timeout_s: float = 10.0) -> None:
        self.name = name
        self._names = names
        self._decode = decode
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None
        names.add(self)

    @property
    def kept(self) -> int:
        """Whether the one connection is open."""
        return int(self._connection is not None and not self._connection.closed)

    async def execute(self, *command: str | bytes | int | float, timeout_s: float | None = None) -> Any:
        """Send one command, as in `execute("ZADD", key, "NX", 1, member)`, and return its reply."""
        return (await self.pipeline((command,), timeout_s=timeout_s))[0]

    async def pipeline(self, commands: Sequence[Sequence[Any]], *, timeout_s: float | None = None) -> list[Any]:
        """Send several commands at once and return their replies; the first error among them is raised at the end."""
        if not commands:
            return []
        connection = self._connection
        if connection is None or not connection.usable():
            connection = await self._connect()
        data = b"".join([hiredis.pack_command(tuple(command)) for command in commands])
        replies = connection.send(data, len(commands))
        timer = asyncio.get_running_loop().call_later(timeout_s or self._timeout_s, connection.abort, "timeout")
        try:
            values = await replies
        finally:
            timer.cancel()
        for value in values:
            if isinstance(value, hiredis.ReplyError):
                raise StoreError("reply", str(value))
        return values

    def dedicated(self) -> "RedisClient":
        """A client with a connection of its own, for commands that block (XREADGROUP, BLPOP); close it after use."""
        return RedisClient(self._names, self.name, decode=self._decode, timeout_s=self._timeout_s)

    def close(self) -> None:
        """Drop the connection that all callers share, whoever waits for a reply; the next command makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort("closed")

    async def _connect(self) -> _Connection:
        # callers that come while a connection is being made share it, and its failure
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._open())
        task = self._connecting
        try:
            return await asyncio.shield(task)
        finally:
            if self._connecting is task and task.done():
                self._connecting = None

    async def _open(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            port = self._names.resolve(self.name)
            async with asyncio.timeout(self._timeout_s):
                host = self._names.host(self.name)
                _, connection = await loop.create_connection(lambda: _Connection(self._decode), host, port)
        except (TransportError, NoNameError):
            raise StoreError("resolve", "Failed to connect to Redis: Name or service not known") from None
        except TimeoutError:
            raise StoreError("timeout", "Failed to connect to Redis: Connection timed out") from None
        except OSError as error:
            reason = "Connection refused" if error.errno == errno.ECONNREFUSED else (error.strerror or str(error))
            raise StoreError("refused", f"Failed to connect to Redis: {reason}") from None
        self._connection = connection
        return connection
