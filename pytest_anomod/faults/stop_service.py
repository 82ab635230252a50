"""Fault stop_service: a service is stopped until recovery, as by `docker stop`; its name does not resolve."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import refuse_lost_content
from pytest_anomod.faults._speak import refuses
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.fault import FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of, need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StopService(FaultDefaults):
    """The target is stopped and stays down until recovery starts it again; callers can't resolve its name."""

    name: ClassVar[str] = "stop_service"
    level: ClassVar[Level] = Level.SERVICE
    holds: ClassVar[str] = "processes"
    needs: ClassVar[frozenset[type]] = frozenset({Lifecycle})

    def check(self, system: System, target: str) -> None:
        refuse_lost_content(self, system, target)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        stopped = instance_of(deployment, target)
        need(deployment, Lifecycle, target).stop()
        return {"pid": stopped.pid, "start_time": stopped.start_time}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether there is no process, none is on its way, and connections are refused."""
        instance = instance_of(deployment, target)
        refused = refuses(instance.address)
        stopped = instance.state == "stopped" and instance.pid is None
        evidence = {"state": instance.state, "pid": instance.pid, "refused": refused}
        return Observation(active=stopped and refused, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        need(deployment, Lifecycle, target).start()
        clock.wait_until(lambda: deployment.answers(target), timeout_s=10.0, what=f"{target!r} to answer again")


OFFERS = (StopService,)
