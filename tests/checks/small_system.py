"""The small system that synthetic cases are of, the noise of its machine, and what a fault does to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from pytest_anomod.model.fault import FaultDefaults, Level
from pytest_anomod.model.system import Journey, Service, ServiceKind, System

APP, STORE = ServiceKind.APP, ServiceKind.CACHE

# journey -> (share, spans); a span: (service, name, index of the one above, own milliseconds); stores record none
TREES: Mapping[str, tuple[float, tuple[tuple[str, str, int, float], ...]]] = {
    "read-home": (
        0.55,
        (
            ("gateway", "GET /home", -1, 2.0),
            ("home", "ReadHome", 0, 1.5),
            ("home-cache", "zrange", 1, 0.4),
            ("posts", "ReadPosts", 1, 1.5),
            ("posts-db", "find", 3, 1.2),
        ),
    ),
    "read-user": (
        0.30,
        (
            ("gateway", "GET /user", -1, 2.0),
            ("user", "ReadUser", 0, 1.5),
            ("posts", "ReadPosts", 1, 1.5),
            ("posts-db", "find", 2, 1.2),
        ),
    ),
    "compose": (
        0.10,
        (
            ("gateway", "POST /compose", -1, 2.5),
            ("compose", "Compose", 0, 2.0),
            ("text", "ComposeText", 1, 1.5),
            ("posts", "StorePost", 1, 1.0),
            ("posts-db", "insert", 3, 1.5),
        ),
    ),
    "follow": (
        0.05,
        (
            ("gateway", "POST /follow", -1, 2.0),
            ("graph", "Follow", 0, 1.0),
            ("graph-cache", "zadd", 1, 0.4),
        ),
    ),
}
STORES = ("home-cache", "posts-db", "graph-cache")
SERVICES = ("gateway", "home", "user", "compose", "text", "posts", "graph", *STORES)


def _system() -> System:
    calls: dict[str, set[str]] = {name: set() for name in SERVICES}
    for _, spans in TREES.values():
        for service, _, above, _ in spans:
            if above >= 0:
                calls[spans[above][0]].add(service)
    kinds = {name: STORE if name in STORES else APP for name in SERVICES} | {"gateway": ServiceKind.GATEWAY}
    services = tuple(Service(name=name, kind=kinds[name], calls=tuple(sorted(calls[name]))) for name in SERVICES)
    journeys = tuple(Journey(name=name, weight=share, play=None) for name, (share, _) in TREES.items())  # type: ignore[arg-type]
    return System(name="synthetic", services=services, entry="gateway", journeys=journeys)


SYSTEM = _system()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dummy(FaultDefaults):
    """Stands for any fault: the checks read no more of one than this."""

    name: ClassVar[str] = "dummy"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[Any]] = frozenset()
    function: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noise:
    """What the machine does to the system; `stall` is the phase that a neighbour's stall of 1.5 s falls into, or ""."""

    level_sd: float = 0.14
    level_tau_s: float = 3.0
    step_sd: float = 0.08
    tail_share: float = 0.03
    burst_rate: float = 0.3
    spread: float = 0.4
    stall: str = ""
    stall_s: float = 1.5
    stall_errors: bool = False


QUIET = Noise(level_sd=0.03, step_sd=0.0, tail_share=0.01, burst_rate=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effect:
    """What a fault does while it is in; the default does nothing at all.

    `slower` multiplies the target's own time, `all_slower` that of every service, `delay_ms` is added to `share` of the
    target's calls, `errors` is the share of calls that fail, `gone` lets it answer nothing (the gateway: no answer at
    all), `wrong` empties the answers of journeys through it, `stays` leaves the effect in after the fault is gone.
    """

    slower: float = 1.0
    all_slower: float = 1.0
    delay_ms: float = 0.0
    share: float = 1.0
    errors: float = 0.0
    gone: bool = False
    wrong: bool = False
    restarts: bool = False
    setting: bool = False
    lost_lines: int = 0
    cpu: float = 0.0
    stays: bool = False
