"""What pods are: of each service the one that counts, its state, and what is in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.runtimes.kubernetes.api import service_of
from pytest_anomod.runtimes.kubernetes.trouble import why_not_running

Began = Callable[[str, Mapping[str, Any]], float | None]
"""By the id of a start ("pod uid/restarts") and the status of its container: when it began, in Unix seconds."""


def of_services(
    pods: Iterable[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]], began: Began
) -> dict[str, dict[str, Any]]:
    """A row of each service that has a pod: of several the newest that is not on its way out.

    `services` have the `labels` of their pods and the name of the `container` in them.
    """
    found: dict[str, dict[str, Any]] = {}
    for pod in pods:
        service = service_of(pod, services)
        if service:
            row = _row(pod, container_of(pod, services[service]["container"]), began)
            before = found.get(service)
            if before is None or _rank(before) < _rank(row):
                found[service] = row
    return found


def container_of(pod: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The status of a container in a pod; None where there is none yet."""
    return next((row for row in pod["status"].get("containerStatuses") or () if row["name"] == name), None)


def is_leaving(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is on its way out."""
    return "deletionTimestamp" in pod["metadata"]


def as_the_cluster_says(_: str, status: Mapping[str, Any]) -> float | None:
    """When a container began by the cluster's word, in whole seconds; None for one that does not run."""
    running = status["state"].get("running") or {}
    return clock.iso_to_ns(running["startedAt"]) / clock.NS_PER_S if running.get("startedAt") else None


def _row(pod: Mapping[str, Any], status: Mapping[str, Any] | None, began: Began) -> dict[str, Any]:
    key = f"{pod['metadata']['uid']}/{status['restartCount']}" if status else pod["metadata"]["uid"]
    runs = status is not None and "running" in status["state"] and bool(status.get("started"))
    return {
        "pod": pod["metadata"]["name"],
        "uid": key,
        "node": (pod.get("spec") or {}).get("nodeName", ""),
        "ip": pod["status"].get("podIP", ""),
        "state": "running" if runs and not is_leaving(pod) else "restarting",
        "began": began(key, status) if status else None,
        "leaving": is_leaving(pod),
        "created": pod["metadata"]["creationTimestamp"],
        "why": "" if runs else why_not_running(pod),
    }


def _rank(row: Mapping[str, Any]) -> tuple[bool, str]:
    """Of several pods the one that counts comes last."""
    return not row["leaving"], row["created"]
