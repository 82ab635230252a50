"""Recorded requests as seeds of exploring: each once for its operation and its status, without logins."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pytest_anomod.model.redact import REDACTED
from pytest_anomod.workloads._web_files import grouped, read_body
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Step
from pytest_anomod.workloads.suite_wire import route_of

MOST_ALIKE = 3
"""Recorded requests of one operation with one status that are taken."""


def recorded_steps(recorded: Sequence[Mapping[str, Any] | Step], known: Sequence[Operation]) -> list[Step]:
    """Steps of rows of `api_responses` or of steps of a file, with the routes of the document's operations.

    Left out: what was cut when it was recorded, and bodies from which a secret was taken.
    """
    counts: Counter[tuple[str, str, int]] = Counter()
    found = []
    for one in recorded:
        step = one if isinstance(one, Step) else _step(one)
        if step is None:
            continue
        operation = next((each for each in known if each.matches(step.method, step.path)), None)
        if operation is not None:
            step = dataclasses.replace(step, route=operation.route, kind=step.kind or operation.kind, headers={})
        key = (step.method, step.route, 0 if isinstance(one, Step) else int(one["status_code"]))
        counts[key] += 1
        if counts[key] <= MOST_ALIKE:
            found.append(dataclasses.replace(step, taken={}))
    return found


def _step(row: Mapping[str, Any]) -> Step | None:
    if not row["method"] or row.get("request_truncated") or REDACTED in str(row["request_body"]):
        return None
    parts = urlsplit(str(row["url"]))
    headers = {str(name).lower(): str(value) for name, value in dict(row.get("request_headers") or {}).items()}
    kind, body = read_body(str(row["request_body"] or ""), headers.get("content-type", ""))
    return Step(
        method=str(row["method"]), path=parts.path or "/", route=route_of(parts.path or "/"),
        query=grouped(parse_qsl(parts.query, keep_blank_values=True)), body=body, kind=kind,
    )  # fmt: skip
