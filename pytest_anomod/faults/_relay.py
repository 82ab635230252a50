"""Shared by faults of the network: connections to the service go through a small relay of ours."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _programs
from pytest_anomod.faults._parameters import within
from pytest_anomod.faults._speak import FILL_MOST, round_trip_s
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Listener, Programs
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import IN, FaultDefaults, Json, Observation
from pytest_anomod.model.runtime import instance_of, need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

NAME = "relay"
_ANSWER_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayedFault(FaultDefaults):
    """A fault by a relay; a subclass adds what the relay does (`relay_options`) and how that is seen (`look`).

    With `off_s` it is intermittent: the relay does so for `on_s` seconds, then nothing for `off_s`, and so on.
    """

    needs: ClassVar[frozenset[type]] = frozenset({Listener, Programs})
    edges: ClassVar[str] = IN
    holds: ClassVar[str] = "way in"

    on_s: float = 1
    off_s: float = 0

    def __post_init__(self) -> None:
        within(self, "on_s", 0.5, 10, "s")
        within(self, "off_s", 0, 10, "s")

    def relay_options(self) -> Mapping[str, object]:
        """Options of helpers/proxy.py."""
        return {}

    @abc.abstractmethod
    def look(self, deployment: Deployment, target: str) -> Observation:
        """Whether the traffic is treated so at this moment."""

    def active(self, deployment: Deployment, target: str) -> Observation:
        """What a look sees; for an intermittent fault, whether one look within a period sees it.

        While no relay runs it does not wait for a period.
        """
        until = clock.monotonic_s() + (2 * self.on_s + self.off_s if self.off_s else 0.0)
        while True:
            seen = self.look(deployment, target)
            if seen or clock.monotonic_s() >= until or _programs.running(deployment, target, NAME) is None:
                return seen
            clock.sleep(self.on_s / 3)

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that a probe is answered while nothing is in its way: else the fault's end could not be seen."""
        see_answer(deployment, target)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """Start the relay, and send the traffic through it once it is ready, so that the gap is short."""
        listener = need(deployment, Listener, target)
        detour = listener.detour()
        way = dataclasses.asdict(detour)
        turns = {"on_s": self.on_s, "off_s": self.off_s} if self.off_s else {}
        helper = _programs.start(deployment, target, "proxy", NAME, **way, **turns, **self.relay_options())
        what = f"the relay of {target!r} to be ready"
        clock.wait_until(lambda: listener.is_listening(detour.ready), timeout_s=5.0, what=what, every_s=0.005)
        listener.divert(detour)
        _programs.wait_running(deployment, target, NAME, 0.0)
        return {**way, "helper_pid": helper}

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the relay, which closes its connections, and let the service listen on its own port again.

        In that order, because the relay has the port that a replica's service takes back.
        """
        _programs.end(deployment, target, NAME)
        # a target that died meanwhile could not restart while the relay had its port: wait for it now
        clock.wait_until(lambda: _is_home(deployment, target), timeout_s=5.0, what=f"{target!r} on its own port")


def round_trips_s(deployment: Deployment, target: str, count: int, timeout_s: float) -> list[float]:
    """Seconds of `count` round trips to the service's public address, each on a connection of its own, side by side."""
    from concurrent.futures import ThreadPoolExecutor

    instance = instance_of(deployment, target)
    with ThreadPoolExecutor(max_workers=min(count, 16)) as pool:
        return sorted(pool.map(lambda _: round_trip_s(instance.address, instance.engine, timeout_s), range(count)))


def filled_trips_s(deployment: Deployment, target: str, size: int, timeout_s: float) -> float:
    """Seconds until `size` bytes have gone to the target and each part of them was answered; infinite if one was not.

    They go on several connections at a time, in parts that any server takes.
    """
    from concurrent.futures import ThreadPoolExecutor

    instance = instance_of(deployment, target)
    parts = [min(FILL_MOST, size - begin) for begin in range(0, size, FILL_MOST)]
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        return max(pool.map(lambda fill: round_trip_s(instance.address, instance.engine, timeout_s, fill), parts))


def see_answer(deployment: Deployment, target: str) -> None:
    """InjectionError unless the target answers a probe."""
    if round_trips_s(deployment, target, 1, _ANSWER_S) == [float("inf")]:
        instance = instance_of(deployment, target)
        msg = (
            f"{target!r} gives no answer at {instance.address[0]}:{instance.address[1]} to a probe as its engine "
            f"{instance.engine!r} would; does its Service say what it runs?"
        )
        raise InjectionError(msg)


def _is_home(deployment: Deployment, target: str) -> bool:
    if instance_of(deployment, target).state == "stopped":
        return True  # when it is started again, it is on its own port
    listener = deployment.capability(Listener, target)
    if listener is None:
        return True  # it has none that could have been diverted
    try:
        listener.restore()
    except DeploymentError:
        return False
    return True
