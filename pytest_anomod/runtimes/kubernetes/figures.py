"""CPU and memory of other people's pods, as the cluster has them: the kubelet's summary, else the metrics API.

The summary (nodes/proxy, a right that no Role can give) counts CPU seconds. The metrics API (metrics-server) tells the
cores used over its last window, which are added up here, so what it tells is late by that window. Neither tells of
disks and threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Stats
from pytest_anomod.runtimes.kubernetes.api import Api, path_of

SUMMARY, METRICS = "kubelet summary", "metrics API"
WAYS = (SUMMARY, METRICS)
KEPT_S = 0.8
"""All services are asked for once a second."""
_QUANTITY = re.compile(r"([\d.]+)(n|u|m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS = {
    None: 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


def way(api: Api, namespace: str, node: str) -> str:
    """How figures of pods can be had, one of WAYS; else why they can't."""
    why = "the node of no pod is known"
    if node:
        try:
            if _summary(api, node, namespace):
                return SUMMARY
            why = "the kubelet has no summary"
        except DeploymentError as error:
            why = str(error)
    try:
        if api.get(_metrics_path(namespace)) is not None:
            return METRICS
        otherwise = "there is no metrics API in this cluster (metrics-server)"
    except DeploymentError as error:
        otherwise = str(error)
    return f"the cluster gives no figures of pods: {otherwise}; {why}"


class Figures:
    """Figures of the pods of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._kept: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._used: dict[str, tuple[float, float]] = {}

    def of(self, service: str, pod: Mapping[str, Any], how: str) -> Stats | None:
        """What is known of a pod as the watcher has it; None while nothing is."""
        if how == SUMMARY:
            node = str(pod["node"])
            row = self._asked(node, lambda: _summary(self._api, node, self._namespace)).get(pod["pod"])
            cpu_s = None if row is None else _sum(row, "cpu", "usageCoreNanoSeconds") / clock.NS_PER_S
            memory = 0.0 if row is None else _sum(row, "memory", "workingSetBytes")
        else:
            row = self._asked("", self._metrics).get(pod["pod"])
            usage = [] if row is None else [container["usage"] for container in row["containers"]]
            cpu_s = None if row is None else self._add(pod["uid"], sum(quantity(one["cpu"]) for one in usage))
            memory = sum(quantity(one["memory"]) for one in usage)
        if cpu_s is None:
            return None
        return Stats(
            time_unix_nano=clock.now_ns(), cpu_s=cpu_s, memory_bytes=int(memory),
            read_bytes=0, written_bytes=0, threads=0, stopped=False, is_partial=True,
        )  # fmt: skip

    def _add(self, uid: str, cores: float) -> float:
        now_s = clock.monotonic_s()
        used_s, since_s = self._used.get(uid, (0.0, now_s))
        used_s += cores * (now_s - since_s)
        self._used[uid] = used_s, now_s
        return used_s

    def _metrics(self) -> dict[str, Any]:
        found = self._api.get(_metrics_path(self._namespace)) or {"items": ()}
        return {row["metadata"]["name"]: row for row in found["items"]}

    def _asked(self, key: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        asked_s, rows = self._kept.get(key, (float("-inf"), {}))
        if clock.monotonic_s() - asked_s > KEPT_S:
            rows = ask()
            self._kept[key] = clock.monotonic_s(), rows
        return rows


def quantity(text: str) -> float:
    """A quantity of Kubernetes as a number: "250m" is 0.25, "64Mi" 67108864; ValueError for none."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        msg = f"{text!r} is no quantity"
        raise ValueError(msg)
    return float(found[1]) * _UNITS[found[2]]


def _summary(api: Api, node: str, namespace: str) -> dict[str, Any]:
    """Rows of a kubelet's summary of a namespace's pods, by their names."""
    found = api.get(f"/api/v1/nodes/{node}/proxy/stats/summary", only_cpu_and_memory="true") or {}
    rows = found.get("pods") or ()
    return {row["podRef"]["name"]: row for row in rows if row["podRef"]["namespace"] == namespace}


def _sum(row: Mapping[str, Any], what: str, field: str) -> float:
    return sum(float((container.get(what) or {}).get(field) or 0) for container in row.get("containers") or ())


def _metrics_path(namespace: str) -> str:
    return path_of("metrics.k8s.io/v1beta1", "pods", namespace)
