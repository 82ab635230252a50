"""The OTLP receiver: takes what SDKs, agents and collectors send, and keeps it until a case reads it."""

from __future__ import annotations

import importlib.util
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources.otlp.forward import Forwarder
from pytest_anomod.sources.otlp.http import HttpServer
from pytest_anomod.sources.otlp.inbox import SETTLE_S, Inbox, has_protobuf
from pytest_anomod.sources.read import Reading

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.grpc_server import GrpcServer

LOOPBACK = "127.0.0.1"
NOT_FORWARDED = "requests that were taken and could not be forwarded"

_STARTED: dict[Path, OtlpReceiver] = {}
"""Receivers of this process by their directory."""


def receiver_in(directory: Path) -> OtlpReceiver | None:
    """The receiver of this process that keeps what it takes in a directory."""
    return _STARTED.get(directory)


class OtlpReceiver:
    """Listens on `host` from start to close: loopback, or an address of this machine in a private network.

    Port 0 takes a free one; `url` and `grpc_target` tell which. gRPC is served only when asked for. Payloads beyond
    what memory may hold go to a file without a name in `directory`. With `forward_to`, the URL of another OTLP
    endpoint, all that is taken is sent on to it too; `forward_failed` counts what did not get there since the last
    clear, and a reading has it as `noted`.
    """

    def __init__(
        self,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        grpc: bool = False,
        grpc_port: int = 0,
        directory: Path | None = None,
        forward_to: str | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.settle_s = settle_s
        self._host = checked_host(host)
        self._port = port
        self._grpc_port = grpc_port if grpc else None
        self._directory = directory
        self._forward_to = forward_to
        self._forwarder: Forwarder | None = None
        self._inbox: Inbox | None = None
        self._http: HttpServer | None = None
        self._grpc: GrpcServer | None = None

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol http/protobuf or http/json."""
        assert self._http is not None, "start it first"
        return f"http://{_bracketed(self._host)}:{self._http.port}"

    @property
    def grpc_target(self) -> str | None:
        """Host and port for the protocol grpc; None when that is not served."""
        return None if self._grpc is None else f"{_bracketed(self._host)}:{self._grpc.port}"

    @property
    def reads_protobuf(self) -> bool:
        """Whether senders may use protobuf; without the extra `otlp` only JSON can be read."""
        return has_protobuf()

    @property
    def forward_failed(self) -> int:
        """Requests that were taken here and could not be forwarded."""
        return 0 if self._forwarder is None else self._forwarder.failed.total()

    def start(self) -> None:
        """Listen; CaptureError when an address can't be had, or gRPC is asked for and not installed."""
        if self._grpc_port is not None and (not has_protobuf() or importlib.util.find_spec("grpc") is None):
            msg = "the OTLP receiver needs grpcio and opentelemetry-proto for gRPC: pip install 'pytest-anomod[otlp]'"
            raise CaptureError(msg)
        if self._forward_to is not None:
            self._forwarder = Forwarder(self._forward_to)
        on_taken = None if self._forwarder is None else self._forwarder.send
        self._inbox = Inbox(self._directory, on_taken, settle_s=self.settle_s)
        port = self._port
        try:
            self._http = HttpServer(self._inbox, self._host, port)
            if self._forward_to is not None and urlsplit(self._forward_to).netloc == urlsplit(self.url).netloc:
                msg = f"the OTLP receiver can't forward to itself at {self.url}: give another forward_to"
                raise CaptureError(msg)
            if self._grpc_port is not None:
                from pytest_anomod.sources.otlp.grpc_server import GrpcServer

                port = self._grpc_port
                self._grpc = GrpcServer(self._inbox, self._host, port)
        except CaptureError:
            self.close()
            raise
        except OSError as error:
            self.close()
            msg = f"the OTLP receiver can't listen on {self._host} port {port}: {error.strerror or error}"
            raise CaptureError(msg) from error

        if self._directory is not None:
            _STARTED[self._directory] = self

    def clear(self, signal: str) -> None:
        """Forget what came of traces, logs or metrics: a case begins."""
        self._taking().clear(signal)
        if self._forwarder is not None:
            self._forwarder.forget(signal)

    def read(self, signal: str, start_ns: int, end_ns: int) -> Reading:
        """Records of traces, logs or metrics of a stretch; `dropped` counts all of them since the last clear."""
        found = self._taking().read(signal, start_ns, end_ns)
        if self._forwarder is not None and self._forwarder.failed[signal]:
            found.noted[NOT_FORWARDED] = self._forwarder.failed[signal]
        return found

    def close(self) -> None:
        """Stop listening and forget all; idempotent."""
        if self._directory is not None and _STARTED.get(self._directory) is self:
            del _STARTED[self._directory]
        for part in (self._http, self._grpc, self._forwarder, self._inbox):
            if part is not None:
                part.close()
        self._http = self._grpc = self._inbox = None

    def _taking(self) -> Inbox:
        assert self._inbox is not None, "start it first"
        return self._inbox


def checked_host(host: str) -> str:
    """The address, if one may listen there: CaptureError for names, all addresses at once, and public ones."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or address.is_unspecified or not (address.is_loopback or address.is_private):
        msg = f"the OTLP receiver does not listen on {host!r}: give 127.0.0.1, or the address of a private network"
        raise CaptureError(msg)
    return host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
