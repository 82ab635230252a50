"""What the cluster says of pods, as log records of their services: its events, and containers that were restarted.

They are lines of JSON in logs/SERVICE.events of the deployment, in a form that the reader of text logs knows. Events
tell whole seconds: a record has the time at which the watcher heard of it, as far as that is not much later.
"""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.source import LogFile

OURS = ("Resize",)
"""How reasons begin of events that only a fault of ours causes (groups.py): they would tell of it by its name."""
LATE_NS = 3 * clock.NS_PER_S
"""An event that is heard of later than that happened while nobody listened, and has its own time."""
MOST_WAITING = 1_000
"""So many events of pods that are not known yet are kept: they may come before the pod itself is seen."""


class Records:
    """The files of all services."""

    def __init__(self, directory: Path, services: Iterable[str]) -> None:
        self._files = {name: _path(directory, name).open("a", buffering=1) for name in services}
        self._pods: dict[str, str] = {}
        self._told: dict[str, int] = {}
        self._waiting: collections.deque[dict[str, Any]] = collections.deque(maxlen=MOST_WAITING)
        self._lock = threading.Lock()

    def know(self, pod: str, service: str) -> None:
        """Remember whose pod it is; events of pods that are gone come, too."""
        with self._lock:
            if self._pods.get(pod) == service:
                return
            self._pods[pod] = service
            come = [line for line in self._waiting if line["k8s.pod.name"] == pod]
            for line in come:
                self._waiting.remove(line)
        for line in come:
            self._write(service, line)

    def restarted(self, service: str, pod: str, status: Mapping[str, Any]) -> None:
        """A container runs again in its pod."""
        ended = (status.get("lastState") or {}).get("terminated") or {}
        why = f"{ended.get('reason', 'unknown reason')}, exit code {ended.get('exitCode', 'unknown')}"
        message = f"container {status['name']} was started again after it ended: {why}"
        self._write(service, _line(pod, "Warning", "Restarted", message, clock.now_ns()))

    def event(self, event: Mapping[str, Any], *, old: bool = False) -> str:
        """Take one event of a pod; its service, or "" for one that is not told.

        Those are events that were told before, of pods that are not known (told once they are), and `old` ones, from
        before anybody listened.
        """
        pod = event["involvedObject"].get("name", "")
        count = int(event.get("count") or (event.get("series") or {}).get("count") or 1)
        uid = event["metadata"]["uid"]
        with self._lock:
            known = self._told.get(uid, 0)
            self._told[uid] = max(count, known)
        if old or count <= known or str(event.get("reason", "")).startswith(OURS):
            return ""
        happened = next((event[key] for key in ("lastTimestamp", "eventTime", "firstTimestamp") if event.get(key)), "")
        now_ns = clock.now_ns()
        happened_ns = clock.iso_to_ns(happened) if happened else now_ns
        at_ns = happened_ns if now_ns - happened_ns > LATE_NS else now_ns
        line = _line(pod, event.get("type", "Normal"), event.get("reason", ""), event.get("message", ""), at_ns)
        with self._lock:
            service = self._pods.get(pod)
            if service is None:
                self._waiting.append(line)
                return ""
        self._write(service, line)
        return service

    def _write(self, service: str, line: Mapping[str, str]) -> None:
        with self._lock:
            self._files[service].write(json.dumps(line) + "\n")


def sources(directory: Path, services: Iterable[str]) -> tuple[LogFile, ...]:
    """Where the records of each service are."""
    return tuple(LogFile(service=name, path=_path(directory, name)) for name in services)


def _line(pod: str, kind: str, reason: str, message: str, at_ns: int) -> dict[str, str]:
    return {
        "time": clock.ns_to_iso(at_ns),
        "level": "WARN" if kind == "Warning" else "INFO",
        "message": f"{reason}: {message.strip()}",
        "k8s.event.reason": reason,
        "k8s.pod.name": pod,
    }


def _path(directory: Path, service: str) -> Path:
    return directory / "logs" / f"{service}.events"
