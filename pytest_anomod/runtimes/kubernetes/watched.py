"""What a deployment knows by the program that follows its pods (watcher.py), and that this program still runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.host import files
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes import mishaps
from pytest_anomod.runtimes.kubernetes.api import PODS
from pytest_anomod.runtimes.kubernetes.objects import HOST_PART
from pytest_anomod.runtimes.kubernetes.ways import WATCHER
from pytest_anomod.runtimes.written_down import WrittenDown, read_document


class Watched(WrittenDown):
    """A deployment whose pods are followed; without the watcher, what its file says is of the past."""

    def is_watched(self) -> bool:
        """Whether the watcher runs."""
        return WATCHER in self.programs.running(HOST_PART)

    def seen(self) -> Mapping[str, Any]:
        """What the watcher has last seen; DeploymentError while it does not reach the cluster, or has ended."""
        if not self.is_watched():
            return self.unwatched()
        said = files.read_json(self.own / PODS) or {"error": "", "services": {}, "numbers": {}}
        if said["error"]:
            msg = f"the pods of {self.system!r} can't be seen: {said['error']}"
            raise DeploymentError(msg)
        return said

    def unwatched(self) -> Mapping[str, Any]:
        """What is seen without the watcher."""
        read_document(self.system, self.directory)  # of one that is gone it is said
        msg = f"the pods of {self.system!r} can't be seen: {self._gone}"
        raise DeploymentError(msg)

    def unhealthy(self) -> tuple[str, ...]:
        """All services once nobody follows their pods: it is to be brought up anew for the next case."""
        return super().unhealthy() if self.is_watched() else tuple(self.document["services"])

    def mishaps(self, start_ns: int, end_ns: int) -> tuple[str, ...]:
        """That the cluster could not be asked, or took a pod from us, or that nobody looked any more."""
        gone = () if self.is_watched() else (self._gone,)
        return (*mishaps.between(self.directory, start_ns, end_ns), *gone)

    @property
    def _gone(self) -> str:
        return f"the program that follows the pods has ended; see {self.own / f'{HOST_PART}.{WATCHER}.out'}"
