"""The record file of a workload: a line for each exchange, without secrets."""

from __future__ import annotations

import dataclasses
import json as jsonlib
import os
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.model import fast_json
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import redact_body, redact_headers, redact_text


class Records:
    """The record file: JSON lines, each appended by one write call, so that a SIGKILL loses no finished exchange."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, record: Mapping[str, Json]) -> None:
        """Append one record as one line."""
        os.write(self._descriptor, fast_json.dumps(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


@dataclasses.dataclass(slots=True, kw_only=True)
class Message:
    """One request and what came of it; `status` stays 0 without a whole answer, and `error_kind` says why."""

    method: str
    url: str
    route: str
    service: str
    step: int
    trace_id: str
    span_id: str
    headers: dict[str, str]
    body: bytes = b""
    status: int = 0
    error_kind: str = ""
    response_headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    response_body: bytes = b""

    def fields(self, limit: int) -> dict[str, Json]:
        """Its part of a line of the record file: no secrets, bodies cut at `limit` bytes."""
        request_body, request_cut = redact_body(self.body, limit)
        response_body, response_cut = redact_body(self.response_body, limit)
        return {
            "step": self.step,
            "method": self.method,
            "route": self.route,
            "url": redact_text(self.url),
            "status_code": self.status,
            "error_kind": self.error_kind,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "request_headers": redact_headers(self.headers),
            "request_body": request_body,
            "request_truncated": request_cut,
            "response_headers": redact_headers(self.response_headers),
            "response_body": response_body,
            "response_truncated": response_cut,
            "response_bytes": len(self.response_body),
        }


def empty_record(journey: str, journey_id: int, time_unix_nano: int, service: str) -> dict[str, Json]:
    """A record of a journey that sent nothing; the fields of an exchange, empty."""
    return {
        "time_unix_nano": time_unix_nano,
        "service_name": service,
        "journey": journey,
        "journey_id": journey_id,
        "step": 0,
        "method": "",
        "route": "",
        "url": "",
        "status_code": 0,
        "error_kind": "",
        "duration_ns": 0,
        "delay_ns": 0,
        "trace_id": "",
        "span_id": "",
        "request_headers": {},
        "request_body": "",
        "request_truncated": False,
        "response_headers": {},
        "response_body": "",
        "response_truncated": False,
        "response_bytes": 0,
    }


def state_path(records: Path) -> Path:
    """Where the sender of a record file says how it goes."""
    return records.with_name(records.name + ".state.json")


def reference_path(records: Path) -> Path:
    """Where a process that replays a suite or a file says what the reference round was like."""
    return records.with_name(records.name + ".reference.json")


def plays_path(records: Path) -> Path:
    """Where it finds what was chosen for all other rounds."""
    return records.with_name(records.name + ".plays.json")


def write_json(path: Path, document: Json) -> None:
    """Write a JSON file so that a reader sees the old or the new one, never half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.write_text(jsonlib.dumps(document), encoding="utf-8")
    draft.replace(path)
