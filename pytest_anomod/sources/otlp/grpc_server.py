"""The gRPC side of the receiver, where grpcio is installed: the Export calls of OTLP's three services."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

from pytest_anomod.sources.otlp import wire
from pytest_anomod.sources.otlp.inbox import MOST_BYTES, Inbox

_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcServer:
    """Listens from its making on; OSError when the address can't be had. Hold on to it: grpcio ends one it alone has.

    Payloads come as bytes, so that those of gRPC are treated as those of HTTP are.
    """

    def __init__(self, inbox: Inbox, host: str, port: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="otlp-grpc")
        options = (("grpc.max_receive_message_length", MOST_BYTES), ("grpc.so_reuseport", 0))
        self._server = grpc.server(self._threads, options=options)
        for signal, service in _SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(_export(inbox, signal))
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            self.close()
            raise OSError(str(error)) from error
        self._server.start()

    def close(self) -> None:
        """Stop listening, cut all calls; idempotent."""
        self._server.stop(grace=None).wait(timeout=5.0)
        self._threads.shutdown(wait=False)


def _export(inbox: Inbox, signal: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def export(payload: bytes, context: grpc.ServicerContext) -> bytes:
        reply = inbox.take(signal, 0, payload)
        if reply.code:
            context.abort(_CODES[reply.code], reply.message)
        return wire.answer(signal, reply, as_json=False)

    return export
