"""The few protobuf messages that the receiver answers with, written by hand: they need no library."""

from __future__ import annotations

import json

from pytest_anomod.sources.otlp.inbox import Reply

_REJECTED = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}


def answer(signal: str, reply: Reply, *, as_json: bool) -> bytes:
    """ExportServiceResponse with its partial success where something was rejected, or google.rpc.Status of an error."""
    if reply.status != 200:
        if as_json:
            return json.dumps({"code": reply.code, "message": reply.message}).encode()
        return _varint_field(1, reply.code) + _text_field(2, reply.message)
    if not reply.rejected:
        return b"{}" if as_json else b""
    if as_json:
        partial = {_REJECTED[signal]: str(reply.rejected), "errorMessage": reply.message}
        return json.dumps({"partialSuccess": partial}).encode()
    partial_success = _varint_field(1, reply.rejected) + _text_field(2, reply.message)
    return b"\x0a" + _varint(len(partial_success)) + partial_success


def _varint_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value)


def _text_field(number: int, text: str) -> bytes:
    raw = text.encode()
    return bytes([number << 3 | 2]) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)
