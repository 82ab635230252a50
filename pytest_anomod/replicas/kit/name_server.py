"""A name server that denies all names at once, where the engine's own would try for many seconds to resolve them."""

import asyncio
import contextlib

PORT = 53
_NO_SUCH_NAME = 3
_HEADER_BYTES = 12


class _Denial(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]  # a datagram transport

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        self._transport.sendto(denial(data), addr)


def denial(query: bytes) -> bytes:
    """The answer that there is no such name: the query with its flags turned and only its question (RFC 1035)."""
    end = _HEADER_BYTES
    while end < len(query) and query[end]:
        end += query[end] + 1
    question = query[_HEADER_BYTES : end + 5]  # the root label, type and class
    flags = bytes((query[2] | 0x80, 0x80 | _NO_SUCH_NAME))
    return query[:2] + flags + b"\0\1" + b"\0" * 6 + question


async def deny_all(host: str) -> None:
    """Answer on that address for as long as the loop runs; where the port can't be had, names are denied slowly."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        await loop.create_datagram_endpoint(_Denial, local_addr=(host, PORT))
