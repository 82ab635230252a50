"""The control port of a host: a few orders over HTTP on the loopback address, each with the bearer token."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

LIMIT_BYTES = 65_536
ASKED_WITHIN_S = 5.0

Order = Callable[[str, str, Any], Awaitable[Any]]
"""(verb, path, JSON body or None) -> JSON answer; KeyError for what there is not, ValueError for what can't be done."""


class Control:
    """Answers one request a connection, by an order."""

    def __init__(self, token: str, order: Order) -> None:
        self._token = token
        self._order = order

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, carry it out, answer, close."""
        try:
            async with asyncio.timeout(ASKED_WITHIN_S):
                verb, path, token, body = await _read(reader)
            status, said = await self._carry_out(verb, path, token, body)
            text = json.dumps(said).encode()
            head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + text)
            await writer.drain()
        except (OSError, ValueError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # no request of ours, or who asked has gone
        finally:
            writer.close()

    async def _carry_out(self, verb: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        if not hmac.compare_digest(token.encode(), f"Bearer {self._token}".encode()):
            return 401, {"error": "a valid bearer token is needed"}
        try:
            return 200, await self._order(verb, path, json.loads(body) if body else None)
        except KeyError:
            return 404, {"error": f"no such thing: {verb} {path}"}
        except ValueError as error:
            return 500, {"error": str(error)}


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, str, bytes]:
    """Verb, path, Authorization and body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    verb, path, _ = head[0].split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= LIMIT_BYTES:
        msg = f"a body of {length} bytes is too long"
        raise ValueError(msg)
    return verb, path, headers.get("authorization", ""), await reader.readexactly(length)
