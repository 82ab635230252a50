"""Shared by deployments that describe themselves in a deployment.json in their directory."""

from __future__ import annotations

import abc
import difflib
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pytest_anomod.host import files
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance
from pytest_anomod.runtimes.programs import HelperPrograms
from pytest_anomod.safety.originals import OriginalsFile
from pytest_anomod.safety.undo import UndoJournal

INSTANCES_KEPT_S = 0.05


def read_document(system: str, directory: Path) -> Mapping[str, Any]:
    """What is written of a deployment; DeploymentError when it is gone."""
    document: Mapping[str, Any] = files.read_json(directory / "deployment.json")
    if not document:
        msg = f"deployment of {system!r} is gone or never came up: no deployment.json in {directory}"
        raise DeploymentError(msg)
    return document


class WrittenDown(abc.ABC):
    """A deployment with one instance of each service, from any process that has its ref.

    The ref holds paths and numbers, no secrets. What we keep for ourselves is below undo/ of its directory.
    """

    def __init__(self, ref: Mapping[str, Json]) -> None:
        self.ref = ref
        self.system: str = ref["system"]
        self.directory = Path(ref["directory"])
        self.own = self.directory / "undo"
        self.undo = UndoJournal(Path(ref["undo"]))
        self.originals = OriginalsFile(self.own / "originals.json")
        self.programs = HelperPrograms(self.own, self.undo, ref["tag"])
        self._instances: tuple[float, tuple[Instance, ...]] = (float("-inf"), ())

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """What is written of it; DeploymentError when it is gone."""
        return read_document(self.system, self.directory)

    @property
    def entry_url(self) -> str:
        """Where users come in."""
        return str(self.document["entry_url"])

    @property
    def urls(self) -> Mapping[str, str]:
        """Services that users reach, and their base URLs."""
        return dict(self.document["urls"])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about things that are not as usual on this machine."""
        return tuple(self.document.get("notes", ()))

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        """All instances, or the one of a service, as they are now (or were at most 50 ms ago)."""
        if service:
            self.described(service)
        asked_at_s, instances = self._instances
        if clock.monotonic_s() - asked_at_s > INSTANCES_KEPT_S:
            asked_at_s = clock.monotonic_s()
            instances = self._look()
            self._instances = (asked_at_s, instances)
        return tuple(one for one in instances if one.service == service) if service else instances

    def forget_instances(self) -> None:
        """Read the instances again the next time."""
        self._instances = (float("-inf"), ())

    @abc.abstractmethod
    def _look(self) -> tuple[Instance, ...]:
        """All instances, as they are now."""

    @abc.abstractmethod
    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether a service is well."""

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; empty when all is well."""
        from concurrent.futures import ThreadPoolExecutor

        names = list(self.document["services"])
        with ThreadPoolExecutor(max_workers=8) as pool:
            return tuple(name for name, well in zip(names, pool.map(self.answers, names), strict=True) if not well)

    def mishaps(self, start_ns: int, end_ns: int) -> tuple[str, ...]:
        """What of its surroundings spoils a case of that time, in a line each."""
        return ()

    def described(self, service: str) -> Mapping[str, Any]:
        """What deployment.json says of a service; DeploymentError with the nearest names for an unknown one."""
        services: Mapping[str, Any] = self.document["services"]
        if service not in services:
            near = difflib.get_close_matches(service, services, n=3) or sorted(services)
            msg = f"deployment of {self.system!r} has no service {service!r}; did you mean {', '.join(near)}?"
            raise DeploymentError(msg)
        return cast("Mapping[str, Any]", services[service])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.system} in {os.fspath(self.directory)}>"
