"""Keeps every payload of the receiver: checked at once, decoded only when a case is read.

While a case is played a payload is only parsed, so that a malformed one can be refused. Making rows costs about ten
times as much, and is done after the measurement.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import importlib.util
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.sources.otlp import json_rows, protobuf_rows, rows
from pytest_anomod.sources.otlp.rows import SIGNALS, Point, Tally
from pytest_anomod.sources.otlp.spool import Spool
from pytest_anomod.sources.read import Reading, Row
from pytest_anomod.sources.spans import links

MOST_BYTES = 64 << 20
"""Of one payload, before and after it is unpacked."""
IN_MEMORY_BYTES = 32 << 20
"""Of one signal; what is beyond goes to a file."""
KEPT_BYTES = 2 << 30
"""Of one signal; what is beyond is refused."""

SETTLE_S = 6.0
"""SDKs send spans and logs every 5 s unless OTEL_BSP_SCHEDULE_DELAY and OTEL_BLRP_SCHEDULE_DELAY say otherwise."""

JSON, GZIP = 1, 2
"""Bits of a payload's encoding; without JSON it is protobuf."""

MALFORMED = "requests that can't be read"
TOO_LARGE = "requests above the limit of bytes"
FULL = "records beyond what is kept of a case"
UNKNOWN_FORM = "requests in a form that OTLP does not have"
NO_PROTOBUF = "requests in protobuf, for which opentelemetry-proto is missing"
TWICE = "spans that were sent again, as senders do that missed an answer"
LATE = "came later after its end than settle_s: more may have come too late"
REJECTED = "spans without usable ids or start time"


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a sender: HTTP status, gRPC code, reason; how many records of a good request were rejected."""

    status: int = 200
    code: int = 0
    message: str = ""
    rejected: int = 0


Taken = Callable[[str, int, bytes], None]
"""Is told the signal, the encoding and the bytes of every payload that was taken."""


class Inbox:
    """Takes payloads from several threads."""

    def __init__(self, directory: Path | None, on_taken: Taken | None = None, *, settle_s: float = SETTLE_S) -> None:
        self._settle_ns = int(settle_s * clock.NS_PER_S)
        self._spools = {signal: Spool(directory, in_memory=IN_MEMORY_BYTES, most=KEPT_BYTES) for signal in SIGNALS}
        self._refused: dict[str, Counter[str]] = {signal: Counter() for signal in SIGNALS}
        self._lock = threading.Lock()
        self._on_taken = on_taken
        self._has_protobuf = has_protobuf()

    def take(self, signal: str, encoding: int, payload: bytes) -> Reply:
        """Check a payload, keep it, and say what to answer."""
        came_ns = clock.now_ns()
        if not encoding & JSON and not self._has_protobuf:
            reply = Reply(415, 12, "protobuf can't be read here: install pytest-anomod[otlp], or send JSON")
            return self.refuse(signal, NO_PROTOBUF, reply)
        try:
            plain = _unpacked(payload) if encoding & GZIP else payload
            form: Any = json_rows if encoding & JSON else protobuf_rows
            with _no_collections():
                records, rejected = form.count(signal, form.parse(signal, plain))
        except OverflowError as error:
            return self.refuse(signal, TOO_LARGE, Reply(413, 8, str(error)))
        except ValueError as error:
            reply = Reply(400, 3, f"malformed OTLP of {signal}: {error}"[:500])
            return self.refuse(signal, MALFORMED, reply)
        if records and not self._spools[signal].add(came_ns, encoding, payload):
            return self.refuse(signal, FULL, Reply(413, 8, f"no room for more {signal} of this case"), records)
        if self._on_taken is not None and records:
            self._on_taken(signal, encoding, payload)
        return Reply(rejected=rejected, message=REJECTED if rejected else "")

    def refuse(self, signal: str, reason: str, reply: Reply, count: int = 1) -> Reply:
        """Count what is not taken, and why; the reply comes back."""
        with self._lock:
            self._refused[signal][reason] += count
        return reply

    def clear(self, signal: str) -> None:
        """Forget what came of a signal, and what was refused."""
        self._spools[signal].clear()
        with self._lock:
            self._refused[signal].clear()

    def read(self, signal: str, start_ns: int, end_ns: int) -> Reading:
        """Decode what came of a signal since it was cleared; it stays there, and can be read again."""
        tally = Tally()
        with _no_collections():
            decoded = self._decoded(signal, start_ns, end_ns, tally)
            if signal == "traces":
                once = {(row[3], row[4], row[7], row[0]): row for row in decoded}
                tally.dropped[TWICE] += len(decoded) - len(once)
                decoded = list(once.values())
            within = [row for row in decoded if start_ns <= row[0] < end_ns]
            if signal == "traces":
                tally.noted += links(within, decoded)
        return Reading(rows=within, dropped=self._refused[signal] + tally.dropped, noted=+tally.noted)

    def _decoded(self, signal: str, start_ns: int, end_ns: int, tally: Tally) -> list[Row]:
        found: list[Row] = []
        points: list[Point] = []
        for came_ns, encoding, payload in self._spools[signal].payloads():
            plain = _unpacked(payload) if encoding & GZIP else payload
            form: Any = json_rows if encoding & JSON else protobuf_rows
            request = form.parse(signal, plain)
            settled_ns = came_ns - self._settle_ns
            if signal == "traces":
                new = list(form.spans(request, tally))
                tally.noted[LATE] += sum(start_ns <= row[0] < end_ns and row[0] + row[9] < settled_ns for row in new)
                found += new
            elif signal == "logs":
                new = list(form.logs(request, came_ns, tally))
                tally.noted[LATE] += sum(start_ns <= row[0] < end_ns and row[0] < settled_ns for row in new)
                found += new
            else:
                points.extend(form.metrics(request, tally))
        return rows.cumulative(points) if signal == "metrics" else found

    def close(self) -> None:
        """Forget everything and take nothing more."""
        for spool in self._spools.values():
            spool.close()


@functools.cache
def has_protobuf() -> bool:
    """Whether protobuf can be read here."""
    with contextlib.suppress(ModuleNotFoundError):  # raised for a missing parent of the package
        return importlib.util.find_spec("opentelemetry.proto.collector") is not None
    return False


def _unpacked(payload: bytes) -> bytes:
    """Gzip of one or several members; OverflowError above MOST_BYTES, ValueError for what is no gzip or was cut off."""
    pieces: list[bytes] = []
    room = MOST_BYTES
    while payload:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            piece = unpacker.decompress(payload, room + 1)
        except zlib.error as error:
            msg = f"no gzip: {error}"
            raise ValueError(msg) from error
        room -= len(piece)
        if room < 0:
            msg = f"more than {MOST_BYTES} bytes unpacked"
            raise OverflowError(msg)
        if not unpacker.eof:
            msg = "its gzip is cut off"
            raise ValueError(msg)
        pieces.append(piece)
        payload = unpacker.unused_data
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """What is parsed and decoded holds no cycles; looking for some, each time thousands are made, costs as much again.

    Threads that are here at once may turn the search on for each other; none leaves it off.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
