"""The front of a service: a relay that callers connect to, so that faults of the network can be injected there.

It is there in every window, also of controls. It listens while the service is healthy, and takes no connection while it
is not: callers then get the same errors as without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)


class Front:
    """Listens on `port` and hands all bytes on to `upstream`, both of the loopback address."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self._home = upstream
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()

    async def open(self) -> None:
        """Begin to listen; OSError when the port is taken. Idempotent."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Outer(self), HOST, self.port, backlog=512)

    def close(self) -> None:
        """Listen no more. Connections go on for as long as the service keeps them."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def divert(self, port: int | None) -> None:
        """Hand what comes from now on to another port (None: to the service again); connections so far are reset."""
        upstream = self._home if port is None else port
        if upstream == self._upstream:
            return
        self._upstream = upstream
        for end in tuple(self._ends):
            end.reset()

    async def connect(self, outer: _Outer) -> None:
        """Make the inner half of a connection that has come in."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _End(self, outer), HOST, self._upstream)
        except OSError:
            outer.reset()  # as a server that does not listen


class _End(asyncio.Protocol):
    """One half of a relayed connection; what it receives, the other half sends."""

    def __init__(self, front: Front, other: _End | None = None) -> None:
        self._front = front
        self.transport: Any = None
        self.other = other
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._front._ends.add(self)
        other = self.other
        if other is None:
            return
        if other.transport is None or other.transport.is_closing():
            transport.close()  # the caller has gone meanwhile
            return
        other.other = self
        other.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """One direction may be over before the other: the connection stays open for that."""
        self._is_over = True
        other = self.other
        if other is None or other._is_over:
            return False  # closed now, and the other half with it
        with contextlib.suppress(OSError):
            other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None:
            with contextlib.suppress(RuntimeError):  # it is closing
                self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            with contextlib.suppress(RuntimeError):
                self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._front._ends.discard(self)
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            if error is None:
                other.transport.close()
            else:
                other.reset()

    def reset(self) -> None:
        """End the connection as a server does that has died: with a reset."""
        if self.transport is None or self.transport.is_closing():
            return
        with contextlib.suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class _Outer(_End):
    """The half that a caller has made; nothing is read from it until the inner half is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._front.connect(self))
