"""What faults of the network share: the service's listener moves aside and a small relay takes its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _programs
from pytest_anomod.faults._parameters import refuse_target
from pytest_anomod.faults._speak import round_trip_s
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability, FaultDefaults, Json
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

NAME = "relay"
LOOPBACK = "blade replaces the queue of a whole interface: here that is the loopback device of this machine"
"""Why ChaosBlade's faults of the network are none for a process among others."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayedFault(FaultDefaults):
    """Everything but what the relay does to the traffic (`relay_options`) and how that is seen (`active`)."""

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.EXEC, Ability.NETWORK})

    def relay_options(self) -> Mapping[str, object]:
        """Options of helpers/proxy.py."""
        return {}

    def check(self, system: System, target: str) -> None:
        if system.service(target).kind not in (ServiceKind.APP, ServiceKind.GATEWAY):
            refuse_target(self, target, "only services that speak HTTP can let a relay take their place")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """Start the relay, which waits for the port, and only then have the service let go of it: hardly a gap."""
        address = deployment.instance(target).address
        aside, ready = deployment.free_port(), deployment.free_port()
        ports = {"listen": address[1], "upstream": aside, "ready": ready}
        options = {"host": deployment.listen_host, **ports, **self.relay_options()}
        helper = _programs.start(deployment, target, "proxy", NAME, **options)
        _wait_for(deployment, target, ready, f"the relay of {target!r} to be ready")
        deployment.move_listener(target, aside)
        _wait_for(deployment, target, address[1], f"the relay on port {address[1]} of {target!r}")
        _programs.wait_running(deployment, target, NAME, 0.0)
        return {**ports, "helper_pid": helper}

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the relay, which closes what went through it, and give the service its port back."""
        deployment.end(target, NAME)
        # a target that died meanwhile could not come back while the relay had its port: give it the time now
        clock.wait_until(lambda: _is_home(deployment, target), timeout_s=5.0, what=f"{target!r} on its own port")


def round_trips_s(deployment: Deployment, target: str, count: int, timeout_s: float) -> list[float]:
    """Seconds of `count` round trips to the service's public address, each on a connection of its own, side by side."""
    from concurrent.futures import ThreadPoolExecutor

    address = deployment.instance(target).address
    with ThreadPoolExecutor(max_workers=min(count, 16)) as pool:
        return sorted(pool.map(lambda _: round_trip_s(address, timeout_s), range(count)))


def _is_home(deployment: Deployment, target: str) -> bool:
    if deployment.instance(target).state == "stopped":
        return True  # when it is started again, it is on its own port
    try:
        deployment.move_listener(target, None)
    except DeploymentError:
        return False
    return True


def _wait_for(deployment: Deployment, target: str, port: int, what: str) -> None:
    clock.wait_until(lambda: deployment.listens(target, port), timeout_s=5.0, what=what, every_s=0.005)
