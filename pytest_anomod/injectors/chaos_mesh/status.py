"""Reads the status of a Chaos Mesh resource: whether the fault was injected, and why not. It is not evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json


def await_word(read: Callable[[], Any], *, timeout_s: float, failed_s: float) -> dict[str, Any]:
    """The resource once it says that the fault is in, that it selected none, or has failed for `failed_s`; else later.

    It goes on trying for ever, so a failure that stays is as good as an answer.
    """
    until, since_s = clock.monotonic_s() + timeout_s, None
    while True:
        found: dict[str, Any] = read() or {}
        now_s = clock.monotonic_s()
        since_s = None if not last_failure(found) else now_s if since_s is None else since_s
        failed = since_s is not None and now_s - since_s >= failed_s
        if is_injected(found) or selected_none(found) or failed or now_s > until:
            return found
        clock.sleep(0.2)


def is_injected(resource: Mapping[str, Any]) -> bool:
    """Whether it says that all that it selected, and it selected something, has the fault."""
    records = _records(resource)
    done = bool(records) and all(record.get("phase") == "Injected" for record in records)
    return done and _is("Selected", resource) and _is("AllInjected", resource)


def selected_none(resource: Mapping[str, Any]) -> bool:
    """Whether it found no pod: it does not look again."""
    return _condition("Selected", resource) == "False"


def last_failure(resource: Mapping[str, Any]) -> str:
    """The message of the last attempt, if that failed; "" else. It goes on trying for ever."""
    events = [event for record in _records(resource) for event in record.get("events") or ()]
    failed = [event for event in events if event.get("type") == "Failed"]
    return str(failed[-1].get("message", "")) if failed and events[-1].get("type") == "Failed" else ""


def told(resource: Mapping[str, Any]) -> dict[str, Json]:
    """Its word in short, for the record."""
    conditions = {one["type"]: one["status"] for one in resource.get("status", {}).get("conditions") or ()}
    phases = {record["id"]: record.get("phase", "") for record in _records(resource) if "id" in record}
    return {"conditions": conditions, "phases": phases, "failure": last_failure(resource)}


def _is(kind: str, resource: Mapping[str, Any]) -> bool:
    return _condition(kind, resource) == "True"


def _condition(kind: str, resource: Mapping[str, Any]) -> str:
    conditions = resource.get("status", {}).get("conditions") or ()
    return next((str(one.get("status")) for one in conditions if one.get("type") == kind), "")


def _records(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(resource.get("status", {}).get("experiment", {}).get("containerRecords") or ())
