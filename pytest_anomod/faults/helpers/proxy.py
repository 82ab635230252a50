"""Listens on a service's port in its place and forwards all, with loss, delay, or requests delayed or refused.

A stand-alone program of the standard library: `proxy.py --listen P --upstream Q --ready R --deadline-s S [--host H]
[--upstream-host U] [--loss X] [--delay-ms D --jitter-ms J] [--rate-kbit K] [--abort X --abort-status N]
[--hold X --hold-ms D] [--method M --prefix /P --header "Name: value"] [--on-s S --off-s S] [--seed N]`. It listens on H
and forwards to U (both loopback by default). Method, prefix and header say which requests are refused (`--abort`) or
delayed before they are forwarded (`--hold`). With `--off-s` it does all that for `--on-s` seconds, then nothing for
`--off-s`, and so on.

Loss is what TCP makes of it: each chunk is a packet; a lost one is sent again after 0.2 s, then 0.4, 0.8 ... (a
lost SYN after 1 s, 2 s ...), and what comes behind it in the same direction waits. After six losses in a row the
connection is reset.

A rate is a line that all connections share in turn. What waits for the line is dropped once its client has closed the
connection (or its own side of it), as TCP sends no more of a connection that is over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

RTO_S = 0.2
SYN_RTO_S = 1.0
TRIES = 6
CHUNK = 16_384
LATE_S = 0.005
"""So much later than it should a chunk may come through, for others not to be the later for it."""
BIND_WITHIN_S = 10.0


class Reset(Exception):  # noqa: N818 - an event of the network, no error of ours
    """A connection is over: too many losses in a row."""


class Road:
    """What the way between the two sides does to a chunk."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.loss = arguments.loss
        self.delay_s = arguments.delay_ms / 1e3
        self.jitter_s = arguments.jitter_ms / 1e3
        self.bytes_a_second = arguments.rate_kbit * 125
        self.random = random.Random(arguments.seed)
        self.on_s, self.turn_s = arguments.on_s, arguments.on_s + arguments.off_s
        self.since = asyncio.get_running_loop().time()
        self.turns = {"to": asyncio.Lock(), "from": asyncio.Lock()}
        self.free_at = {"to": 0.0, "from": 0.0}

    def is_off(self) -> bool:
        """Whether it does nothing now, in the second part of a turn."""
        if self.turn_s <= self.on_s:
            return False
        return (asyncio.get_running_loop().time() - self.since) % self.turn_s >= self.on_s

    async def pass_through(self, size: int, way: str, is_over: Callable[[], bool]) -> None:
        """Wait for one's turn in a direction that all connections share, and as long as the bytes take.

        Reset if the client `is_over` by then.
        """
        if not self.bytes_a_second or self.is_off():
            return
        async with self.turns[way]:
            if is_over():
                raise Reset
            now = asyncio.get_running_loop().time()
            self.free_at[way] = max(now - LATE_S, self.free_at[way]) + size / self.bytes_a_second
            await asyncio.sleep(max(0.0, self.free_at[way] - now))

    async def stall(self, first_rto_s: float) -> None:
        """Wait as long as the retransmissions of one packet take; Reset when it never gets through."""
        for turn in range(TRIES):
            if self.is_off() or self.random.random() >= self.loss:
                return
            await asyncio.sleep(first_rto_s * 2**turn)
        raise Reset

    def lag(self) -> float:
        """Seconds one chunk is under way."""
        return 0.0 if self.is_off() else max(0.0, self.delay_s + self.random.uniform(-self.jitter_s, self.jitter_s))


class Proxy:
    """Accepts, connects to the upstream, pumps both ways."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.road = Road(arguments)
        self.connections: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection; each is a task of its own so that all can be ended together."""
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            await self.road.stall(SYN_RTO_S)
            back, forth = await asyncio.open_connection(self.arguments.upstream_host, self.arguments.upstream)
            writers.append(forth)
            for end in writers:
                end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await _converse(
                self._requests(reader, forth, writer), forth, self._pump(back, writer, "from", reader.at_eof)
            )
            for end in writers:
                end.close()  # what was written still goes out
            writers.clear()
        except (OSError, Reset):
            pass  # the other side sees the connection end, as it would
        finally:
            for end in writers:
                end.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, forth: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        if not self.arguments.abort and not self.arguments.hold:
            await self._pump(reader, forth, "to", reader.at_eof)
            return
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self._drawn(head, self.arguments.abort):
                    await _drop_body(reader, head)
                    writer.write(_answer(self.arguments.abort_status))
                    await writer.drain()
                    continue
                if self._drawn(head, self.arguments.hold):
                    await asyncio.sleep(self.arguments.hold_ms / 1e3)
                forth.write(head)
                await _copy_body(reader, forth, head)

    def _drawn(self, head: bytes, share: float) -> bool:
        """Whether a request is of the kind that is meant, and is among the share that is drawn at random."""
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0]
        wanted = self.arguments
        return (
            (not wanted.method or method.decode("latin-1") == wanted.method)
            and path.decode("latin-1").startswith(wanted.prefix)
            and self._has_header(rest)
            and not self.road.is_off()
            and self.road.random.random() < share
        )

    def _has_header(self, head: bytes) -> bool:
        """Whether a request has the header that is meant, if one is; its name in any case, its value as it is."""
        name, _, value = self.arguments.header.encode("latin-1").partition(b": ")
        fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        return not name or any(key.lower() == name.lower() and text.strip() == value for key, _, text in fields)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str, is_over: Callable[[], bool]
    ) -> None:
        """Copy chunk by chunk; chunks under way are held in a queue, so that a delay does not become a bandwidth."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        await _first(self._send(queue, writer, way, is_over), self._receive(reader, queue))

    async def _receive(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        chunk = b"-"
        while chunk:
            chunk = await reader.read(CHUNK)
            await queue.put((loop.time() + self.road.lag(), chunk))
        await loop.create_future()  # the sender ends us when all has gone out

    async def _send(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        way: str,
        is_over: Callable[[], bool],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                return
            await self.road.stall(RTO_S)
            await self.road.pass_through(len(chunk), way, is_over)
            writer.write(chunk)
            await writer.drain()


async def _converse(
    asks: Coroutine[Any, Any, None], forth: asyncio.StreamWriter, answers: Coroutine[Any, Any, None]
) -> None:
    """Both ways until the answers end; a client that has sent all its requests may still wait for answers."""
    asking, answering = asyncio.ensure_future(asks), asyncio.ensure_future(answers)
    try:
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            asking.result()
            forth.write_eof()
        await answering
    finally:
        for task in (asking, answering):
            task.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Run them side by side until one ends, then end the others; an error of the first flies on."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    async for part in _body(reader, head):
        writer.write(part)
        await writer.drain()


async def _drop_body(reader: asyncio.StreamReader, head: bytes) -> None:
    async for _ in _body(reader, head):
        pass


async def _body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """The raw bytes of a request's body: by Content-Length or chunked, nothing otherwise."""
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";", 1)[0], 16)
            yield line + await reader.readexactly(size + 2)
            if not size:
                return
    left = int(headers.get(b"content-length", b"0"))
    while left:
        part = await reader.read(min(left, CHUNK))
        if not part:
            return
        left -= len(part)
        yield part


def _answer(status: int) -> bytes:
    body = b'{"error":{"kind":"undeclared","code":%d,"message":"Service Unavailable"}}' % status
    return (
        b"HTTP/1.1 %d Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    ) + body


async def _listen(proxy: Proxy, port: int) -> asyncio.Server:
    """Bind the port, waiting for its owner to let go of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BIND_WITHIN_S
    while True:
        try:
            return await asyncio.start_server(proxy.accept, proxy.arguments.host, port, limit=1 << 17, backlog=256)
        except OSError:
            if loop.time() > until:
                raise
            await asyncio.sleep(0.005)


async def _run(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    proxy = Proxy(arguments)
    ready = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", arguments.ready)
    server = await _listen(proxy, arguments.listen)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ended.wait(), arguments.deadline_s)
    server.close()
    ready.close()
    for task in list(proxy.connections):
        task.cancel()
    await asyncio.gather(*proxy.connections, return_exceptions=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--upstream-host", default="127.0.0.1")
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    for name in (
        "--loss",
        "--delay-ms",
        "--jitter-ms",
        "--rate-kbit",
        "--abort",
        "--hold",
        "--hold-ms",
        "--on-s",
        "--off-s",
    ):
        parser.add_argument(name, type=float, default=0.0)
    parser.add_argument("--abort-status", type=int, default=503)
    parser.add_argument("--method", default="")
    parser.add_argument("--prefix", default="/")
    parser.add_argument("--header", default="")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
    sys.exit(0)
