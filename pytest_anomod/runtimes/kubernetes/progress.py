"""What is in the way of pods that should come up: one line, as soon as no more is hoped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, Api, path_of
from pytest_anomod.runtimes.kubernetes.trouble import FATAL, why_not_running

IN_THE_WAY_S = 15.0
"""How long something may be in the way of which no more is hoped: some of it passes after all."""


class Progress:
    """The pods of a system that comes up; `deployment` is the label of ours on it, "" for what is not ours.

    `part_of` says which service a pod belongs to, "" for none.
    """

    def __init__(
        self, api: Api, namespace: str, system: str, deployment: str, part_of: Callable[[Mapping[str, Any]], str]
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.system = system
        self.query = {"labelSelector": f"{DEPLOYMENT}={deployment}"} if deployment else {}
        self.part_of = part_of
        self.since: dict[str, float] = {}

    def pods(self) -> list[tuple[str, str, str]]:
        """Part, name and what is in its way ("": nothing) of the newest pod of each part."""
        found = self.api.get(path_of("v1", "pods", self.namespace), **self.query) or {}
        newest: dict[str, Mapping[str, Any]] = {}
        for pod in sorted(found.get("items", ()), key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
            newest[self.part_of(pod)] = pod
        newest.pop("", None)
        return [(part, pod["metadata"]["name"], why_not_running(pod)) for part, pod in newest.items()]

    def check(self) -> None:
        """DeploymentError for what will not come up, as far as can be told."""
        now_s = clock.monotonic_s()
        pods = self.pods()
        bad = {part: f"pod {pod!r} of {part!r}: {why}" for part, pod, why in pods if why.startswith(FATAL)}
        bad |= {f"maker {name}": f"the cluster makes no pod of {name!r}: {why}" for name, why in self._not_made()}
        self.since = {what: self.since.get(what, now_s) for what in bad}
        for what, line in bad.items():
            if now_s - self.since[what] > IN_THE_WAY_S:
                raise self._failed(line)
        for part, pod, why in pods:
            if why.startswith("it ends again"):
                raise self._failed(f"pod {pod!r} of {part!r}: {why}{self._said(pod)}")

    def told(self) -> str:
        """What is in the way of each pod in whose way something is, with its last words."""
        return "; ".join(f"{part}: {why}{self._said(pod)}" for part, pod, why in self.pods() if why)

    def _failed(self, why: str) -> DeploymentError:
        return DeploymentError(f"system {self.system!r} did not come up: {why}")

    def _not_made(self) -> list[tuple[str, str]]:
        """Name of what makes no pod although it should, and why, as for a quota."""
        if not self.query:
            return []
        found = self.api.get(path_of("apps/v1", "deployments", self.namespace), **self.query) or {}
        lines = [
            (made["metadata"]["name"], condition.get("message", "").strip())
            for made in found.get("items", ())
            for condition in made.get("status", {}).get("conditions") or ()
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        ]
        return lines + self._sets_not_made()

    def _sets_not_made(self) -> list[tuple[str, str]]:
        """The same of StatefulSets, which say it in events only; nothing where we may not read these."""
        try:
            found = self.api.get(path_of("apps/v1", "statefulsets", self.namespace), **self.query) or {}
            short = {
                made["metadata"]["name"]
                for made in found.get("items", ())
                if (made.get("status", {}).get("replicas") or 0) < made["spec"].get("replicas", 1)
            }
            if not short:
                return []
            events = self.api.get(path_of("v1", "events", self.namespace), fieldSelector="reason=FailedCreate") or {}
        except DeploymentError:
            return []
        told = {
            row["involvedObject"]["name"]: row.get("message", "")
            for row in events.get("items", ())
            if row["involvedObject"].get("kind") == "StatefulSet"
        }
        return [(name, message.strip()) for name, message in told.items() if name in short]

    def _said(self, pod: str) -> str:
        """The last lines of what a pod's container said, or the one before it."""
        path = path_of("v1", "pods", self.namespace, pod) + "/log"
        for previous in ("true", "false"):
            try:
                said = self.api.stream(path, tailLines="5", previous=previous).text.strip()
            except DeploymentError:
                continue
            if said:
                return f"; it last said: {said}"
        return ""
