"""Log lines of a service: one JSON object each, with the trace they belong to and the place they came from."""

import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_anomod.replicas.kit.telemetry import source_path

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.spans import Context

INFO, WARN, ERROR, FATAL = 9, 13, 17, 21  # severity numbers of OpenTelemetry


class Log:
    """The log of one context. A request that is not sampled leaves no line: a probe sends it, not a user."""

    __slots__ = ("_context",)

    def __init__(self, context: "Context") -> None:
        self._context = context

    def info(self, body: str, **attributes: Any) -> None:
        """Write an INFO line."""
        self._write(INFO, "INFO", body, attributes)

    def warning(self, body: str, **attributes: Any) -> None:
        """Write a WARN line."""
        self._write(WARN, "WARN", body, attributes)

    def error(self, body: str, **attributes: Any) -> None:
        """Write an ERROR line."""
        self._write(ERROR, "ERROR", body, attributes)

    def fatal(self, body: str, **attributes: Any) -> None:
        """Write a FATAL line."""
        self._write(FATAL, "FATAL", body, attributes)

    def _write(self, number: int, text: str, body: str, attributes: dict[str, Any]) -> None:
        context = self._context
        telemetry = context.telemetry
        if not telemetry.enabled or not context.sampled:
            return
        frame = sys._getframe(2)  # the line that called info() and so on
        code = frame.f_code
        place = {
            "code.filepath": source_path(code.co_filename),
            "code.lineno": frame.f_lineno,
            "code.function": code.co_name,
        }
        telemetry.logs.write(
            {
                "time_unix_nano": time.time_ns(),
                "severity_number": number,
                "severity_text": text,
                "body": body,
                "trace_id": context.trace_id,
                "span_id": context.span_id,
                "service_instance_id": telemetry.instance,
                "attributes": place | attributes if attributes else place,
            }
        )
