"""Reads an HTTP/1.1 answer from the bytes that came so far: what `http.client` does for one costs more than the page.

For answers to GET and POST: that to HEAD, which has a length and no body, never becomes whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r|\Z)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[^\r]*close", re.IGNORECASE)
_NO_BODY = frozenset({204, 304})


class HttpAnswer(NamedTuple):
    """A whole answer, and whether its connection may be used again."""

    status: int
    body: bytes
    stays_open: bool


def read_answer(came: bytes, *, ended: bool) -> HttpAnswer | None:
    """The answer that these bytes are; None while it is not whole.

    `ended`: the connection was closed. ValueError when it is no HTTP, or can't become whole any more.
    """
    head, blank, body = came.partition(b"\r\n\r\n")
    if not blank:
        if ended:
            raise ValueError("it was closed before the answer's head was there")
        return None
    version, word = head.split(maxsplit=2)[:2]
    if not version.startswith(b"HTTP/1."):
        raise ValueError("the answer is no HTTP/1")
    if word.startswith(b"1") and word != b"101":  # an interim answer: the one that counts follows
        return read_answer(body, ended=ended)
    status, stays_open = int(word), version == b"HTTP/1.1" and _CLOSE.search(head) is None
    length = _LENGTH.search(head)
    text: bytes | None
    if status in _NO_BODY:
        text = b""
    elif length is not None:
        text = body[: int(length[1])] if len(body) >= int(length[1]) else None
    elif _CHUNKED.search(head) is not None:
        text = _joined(body)
    else:
        text, stays_open = (body if ended else None), False
    if text is None:
        if ended:
            raise ValueError("it was closed in the middle of the answer")
        return None
    return HttpAnswer(status, text, stays_open)


def _joined(body: bytes) -> bytes | None:
    """The text of a body in chunks; None while it is not whole, ValueError for what are no chunks."""
    pieces: list[bytes] = []
    place = 0
    while (end := body.find(b"\r\n", place)) >= 0:
        size = int(body[place:end].partition(b";")[0], 16)
        if size < 0:
            raise ValueError("a chunk of the answer has no length")
        place = end + 2 + size + 2
        if size == 0:
            return b"".join(pieces) if body.endswith(b"\r\n\r\n", end) else None
        pieces.append(body[end + 2 : place - 2])
    return None
