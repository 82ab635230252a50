"""Asks agents after each request which lines ran for it, in the services of its trace."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Deployment, need
from pytest_anomod.model.source import LineCounter, SpanFile

Line = tuple[str, str, int]
"""Service, file, line."""
Function = tuple[str, str, str]
"""Service, file, name."""

AT_ONCE = 8


class Ground:
    """What there is to be covered, and what was: lines that ran before the first request (at start) are left out."""

    def __init__(self) -> None:
        self.covered: set[Line] = set()
        self.functions: dict[Line, Function] = {}
        self.left: dict[Function, set[Line]] = defaultdict(set)
        self._before: set[Line] = set()
        self._known: dict[tuple[str, str], int] = {}

    @property
    def total(self) -> int:
        """Executable lines known so far that did not run at start."""
        return len(self.functions)

    def begin(self, service: str, snapshot: Mapping[str, Json]) -> None:
        """Take in what a service ran before anybody asked for anything."""
        for file, entry in (snapshot.get("files") or {}).items():
            self._before |= {(service, file, line) for line in entry["covered"]}
        self.ran(service, snapshot)

    def ran(self, service: str, snapshot: Mapping[str, Json]) -> set[Line]:
        """The lines that an agent says ran; those that are new count as covered only after `cover`."""
        found: set[Line] = set()
        for file, entry in (snapshot.get("files") or {}).items():
            covered = {(service, file, line) for line in entry["covered"]} - self._before
            executable = set(entry.get("executable") or ()) | set(entry["covered"])
            if entry.get("executable") and self._known.get((service, file)) != len(executable):
                self._known[service, file] = len(executable)
                self._learn(service, file, executable, entry.get("functions") or {})
            found |= covered
        return found

    def cover(self, lines: Iterable[Line]) -> set[Line]:
        """Count lines as covered; those that were not before."""
        new = set(lines) - self.covered
        self.covered |= new
        for line in new:
            if line in self.functions:
                self.left[self.functions[line]].discard(line)
        return new

    def _learn(self, service: str, file: str, executable: set[int], functions: Mapping[str, Json]) -> None:
        spans = sorted((last - first, first, last, name) for name, (first, last) in functions.items())
        for number in executable:
            line = (service, file, number)
            if line in self._before or line in self.functions:
                continue
            name = next((name for _, first, last, name in spans if first <= number <= last), "")
            self.functions[line] = (service, file, name)
            if line not in self.covered:
                self.left[service, file, name].add(line)


class Meter:
    """Asks agents, each time anew from nothing; the sender of the requests must be the only one there is.

    DeploymentError when no service gives lines. Java's counts are made into lines by a program after each question.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.ground = Ground()
        self._deployment = deployment
        self._services = [source.service for source in deployment.sources() if isinstance(source, LineCounter)]
        if not self._services:
            msg = (
                f"system {deployment.system!r} counts no lines under runtime {deployment.runtime!r}, so nothing can "
                "guide what is sent: bring it up by a runtime that has agents in its services"
            )
            raise DeploymentError(msg)
        files = {one.service: one.path for one in deployment.sources() if isinstance(one, SpanFile)}
        self._ends = {service: _End(files[service]) for service in self._services if service in files}
        self._making_s: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="lines")
        silent = set(self._services)
        for service, snapshot in self._asked(self._services, full=True):
            self.ground.begin(service, snapshot)
            silent -= {service} if snapshot.get("files") else set()
        self._silent = sorted(silent)
        if len(silent) == len(self._services):
            self.close()
            msg = f"no agent of {deployment.system!r} gives lines: {', '.join(self._silent)}; look at their logs"
            raise DeploymentError(msg)

    def remarks(self) -> list[str]:
        """What whoever explores should know: services without lines, and those where a question takes long."""
        told = [f"no lines of {', '.join(self._silent)}: what runs there guides nothing"] if self._silent else []
        if self._making_s:
            longest = max(self._making_s.values())
            names = ", ".join(sorted(self._making_s))
            told.append(f"lines of {names} are made after each request that reaches them, {longest:.1f} s each time")
        return told

    def after(self, trace_id: str) -> set[Line]:
        """Lines that ran since these services were asked last: those of the trace, and those whose spans are elsewhere.

        A service that is gone ran nothing.
        """
        wanted = [
            service
            for service in self._services
            if service not in self._ends or trace_id.encode() in self._ends[service].appended()
        ]
        return {line for service, snapshot in self._asked(wanted) for line in self.ground.ran(service, snapshot)}

    def all_lines(self) -> set[Line]:
        """Lines that ran in any service since it was asked last, whoever sent what made them run."""
        return {
            line for service, snapshot in self._asked(self._services) for line in self.ground.ran(service, snapshot)
        }

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _asked(self, services: Iterable[str], *, full: bool = False) -> list[tuple[str, Mapping[str, Json]]]:
        answers = self._threads.map(lambda service: self._ask(service, full), services)
        return [answer for answer in answers if answer[1]]

    def _ask(self, service: str, full: bool) -> tuple[str, Mapping[str, Json]]:
        payload = {"reset": True} | ({"full": True} if full else {})
        try:
            agent = need(self._deployment, Agent, service)
            snapshot = agent.ask("/coverage/snapshot", payload) or {}
        except DeploymentError:
            return service, {}
        if "raw" in snapshot:
            begun = clock.monotonic_s()
            (files,) = agent.ask("/coverage/lines", {"snapshots": [snapshot["raw"]]})
            self._making_s[service] = clock.monotonic_s() - begun
            snapshot = {**snapshot, "files": files}
        return service, snapshot


class _End:
    """What was appended to a file since it was looked at last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def appended(self) -> bytes:
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return b""
        if size == self._offset:
            return b""
        with self._path.open("rb") as file:
            file.seek(min(self._offset, size))
            found = file.read()
        self._offset = size
        return found
