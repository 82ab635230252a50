"""Which instance of a service ran at a moment, as far as it was observed."""

from __future__ import annotations

import bisect

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Deployment


class InstanceWatch:
    """Instance ids at the moments we looked; between two looks that agree, restarts counting up, nothing else ran.

    They are kept by what stands before the number of the start: the service, or "<service>.<number>" for one of
    several containers of a service.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._times: list[int] = []
        self._seen: list[dict[str, str]] = []

    def look(self) -> None:
        """Note what runs now; a deployment that does not answer is not noted."""
        try:
            ids = [instance.instance_id for instance in self._deployment.instances()]
        except DeploymentError:
            return
        self._times.append(clock.now_ns())
        self._seen.append({instance_id.rpartition("-")[0]: instance_id for instance_id in ids})

    def at(self, service: str, time_unix_nano: int, number: int = 0) -> str | None:
        """The instance that ran at a moment; None when it changed between the looks before and after it.

        None too for a service with several instances, unless `number` says which.
        """
        if not self._times:
            return None
        name = f"{service}.{number}" if number else service
        after = bisect.bisect_left(self._times, time_unix_nano)
        before = max(0, after - 1)
        later = self._seen[min(after, len(self._seen) - 1)].get(name)
        return later if self._seen[before].get(name) == later else None
