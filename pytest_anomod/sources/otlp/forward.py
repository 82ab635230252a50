"""Forwards payloads to another OTLP endpoint in a separate thread, so that requests don't wait for it."""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
from collections import Counter
from urllib.parse import urlsplit

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.sources.otlp.inbox import GZIP, JSON

TIMEOUT_S = 5.0
WAITING = 1_000
WAITING_BYTES = 64 << 20
"""Payloads, and bytes of them, that may wait to be sent; what comes beyond is not forwarded, and counted."""
_END = None


class Forwarder:
    """Sends payloads to /v1/<signal> below `endpoint` by HTTP, in one thread.

    `failed` counts those not taken there, by signal: they are not tried again.

    What comes by gRPC is sent as protobuf over HTTP.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"can't forward to {redact_text(endpoint)!r}: give a URL such as http://127.0.0.1:4318"
            raise CaptureError(msg)
        self.failed: Counter[str] = Counter()
        self._bytes = 0
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._path = parts.path.rstrip("/")
        self._waiting: queue.Queue[tuple[str, int, bytes] | None] = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="otlp-forward", daemon=True)
        self._thread.start()

    def send(self, signal: str, encoding: int, payload: bytes) -> None:
        """Have a payload sent soon; never waits."""
        with self._lock:
            has_room = self._bytes + len(payload) <= WAITING_BYTES
            self._bytes += len(payload) if has_room else 0
        try:
            if not has_room:
                raise queue.Full
            self._waiting.put_nowait((signal, encoding, payload))
        except queue.Full:
            self._done(signal, payload if has_room else b"", has_failed=True)

    def forget(self, signal: str) -> None:
        """Count anew what is not taken of a signal."""
        with self._lock:
            self.failed[signal] = 0

    def close(self, *, most_s: float = TIMEOUT_S) -> None:
        """Send what waits, for so many seconds at most; what is left then has failed."""
        deadline = clock.monotonic_s() + most_s
        with contextlib.suppress(queue.Full):
            self._waiting.put(_END, timeout=most_s)
        self._thread.join(timeout=max(0.0, deadline - clock.monotonic_s()))
        if not self._thread.is_alive():
            return
        with contextlib.suppress(queue.Empty):
            while True:
                if (item := self._waiting.get_nowait()) is not _END:
                    self._done(item[0], item[2], has_failed=True)
        self._waiting.put(_END)  # once its last request is over

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._done(item[0], item[2], has_failed=not self._sent(*item))
        self._connection.close()

    def _sent(self, signal: str, encoding: int, payload: bytes) -> bool:
        headers = {"Content-Type": "application/json" if encoding & JSON else "application/x-protobuf"}
        if encoding & GZIP:
            headers["Content-Encoding"] = "gzip"
        try:
            self._connection.request("POST", f"{self._path}/v1/{signal}", payload, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # a new one for the next
            return False
        return answer.status < 300

    def _done(self, signal: str, payload: bytes, *, has_failed: bool) -> None:
        with self._lock:
            self._bytes -= len(payload)
            self.failed[signal] += has_failed
