"""How a fault spread: steps from cause to effect along calls, each proven, refuted or unknown, and their path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from enum import StrEnum

USER = "@users"
"""Who stands at the end of a path: the users, behind the services that they ask. No service can have this name."""


class Known(StrEnum):
    """Whether something is so, as far as the data say."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One step of a fault's propagation, from a cause to the service of the effect, with the evidence.

    `hop` counts the steps from the root cause, whose own is 0 and has no `cause`. `caller` and `callee` are the edge of
    the call graph that the step takes (of hop 0: that the fault lies on, if it does), `edge_from` says where the edge
    is known from: spans, or the system's declared calls. `before` and `after` are what the figure was in the baseline
    and in the anomaly window, p is corrected for all figures of the same hop. Onsets are known to within
    `onset_give_ns`.
    """

    hop: int
    cause: str | None
    service: str
    propagated: Known
    why: str
    caller: str | None = None
    callee: str | None = None
    edge_from: str = ""
    effect: str = ""
    """errors, latency, content, load (it is only asked more or less often), state (of the root cause alone), or ""."""
    modality: str = ""
    figure: str = ""
    before: float | None = None
    after: float | None = None
    p: float | None = None
    onset_unix_nano: int | None = None
    """When the first bad answer was there; who does not wait for a slow cause has it before the cause has."""
    onset_begin_unix_nano: int | None = None
    """When the first request that was answered badly began."""
    onset_give_ns: int | None = None
    weight: int = 0
    """Calls (of users: requests) that failed or were slow on this step during the anomaly window."""

    @property
    def is_load(self) -> bool:
        """Whether the service is no worse off, and only asked more or less often."""
        return self.effect == "load"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """All steps of a case, in order of `hop`. `fault_edges` are (caller, callee) of the calls that the fault hits."""

    root: str | None = None
    hops: tuple[Hop, ...] = ()
    fault_edges: tuple[tuple[str, str], ...] = ()
    further: tuple[Propagation, ...] = ()
    """Of a compound case how the other faults spread; `affected`, `unknown` and `reaches_user` are of all of them."""

    @property
    def proven(self) -> tuple[Hop, ...]:
        """The steps that a worse answer took."""
        return tuple(hop for hop in self.hops if hop.propagated is Known.YES and not hop.is_load)

    @property
    def affected(self) -> tuple[str, ...]:
        """The services that are worse off, in order of hop: the root cause, and all that it reached."""
        mine = [hop.service for hop in self.proven if hop.service != USER]
        return tuple(dict.fromkeys([*mine, *(name for other in self.further for name in other.affected)]))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The services of which it can't be said."""
        mine = [hop.service for hop in self.hops if hop.propagated is Known.UNKNOWN]
        open_ones = dict.fromkeys([*mine, *(name for other in self.further for name in other.unknown)])
        return tuple(name for name in open_ones if name not in self.affected and name != USER)

    @property
    def reaches_user(self) -> Known | None:
        """Whether the fault reached users by a path that is proven; None if there was no fault."""
        found = [hop.propagated for hop in self.hops if hop.service == USER]
        found += [known for other in self.further if (known := other.reaches_user) is not None]
        if self.root is None:
            return None
        return next((known for known in (Known.YES, Known.UNKNOWN) if known in found), Known.NO if found else None)

    @property
    def path(self) -> tuple[str, ...]:
        """The path of most of the bad answers: the root cause first, as far as it is proven, USER last.

        () without a fault that was in. One that reached nobody has a path of the root cause alone.
        """
        if self.root is None or not any(hop.hop == 0 and hop.propagated is not Known.NO for hop in self.hops):
            return ()
        by_service: dict[str, list[Hop]] = {}
        for hop in self.proven:
            if hop.cause is not None:
                by_service.setdefault(hop.service, []).append(hop)
        last = USER if USER in by_service else _farthest(by_service, self.root)
        return _back(by_service, last, self.root)


def _farthest(by_service: Mapping[str, Iterable[Hop]], root: str) -> str:
    """The service that is most steps away from the root cause."""
    steps = {service: min(hop.hop for hop in hops) for service, hops in by_service.items()}
    return max(steps, key=lambda service: steps[service], default=root)


def _back(by_service: Mapping[str, list[Hop]], last: str, root: str) -> tuple[str, ...]:
    """From the last service back to the root cause, each time over the step with the most bad answers.

    Services that call each other could lead it in a circle: then the way of fewest steps is taken.
    """
    for weigh in (lambda hop: (hop.weight, -hop.hop), lambda hop: (-hop.hop, hop.weight)):
        path = [last]
        while path[-1] != root:
            steps = [hop for hop in by_service.get(path[-1], ()) if hop.cause not in path]
            if not steps:
                break
            path.append(str(max(steps, key=weigh).cause))
        else:
            return tuple(reversed(path))
    return (root,)
