"""The plan of a workload, made from its seed: when which journey begins, and the random generator of each."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from random import Random

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import Journey, System

BODY_LIMIT_BYTES = 4096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A workload as it is asked for; see `read_spec` for the JSON it comes from."""

    system: System
    entry_url: str
    urls: Mapping[str, str]
    journeys: tuple[Journey, ...]
    rate_rps: float
    timeout_s: float
    seed: int | str
    deadline_s: float
    body_limit_bytes: int
    max_in_flight: int


@dataclasses.dataclass(slots=True)
class Arrival:
    """One journey that begins `at_s` seconds after the workload does, and draws from `random` alone."""

    index: int
    at_s: float
    journey: Journey
    random: Random


def read_spec(spec: Mapping[str, Json], journeys: tuple[Journey, ...] | None = None) -> Load:
    """The load a spec asks for, of these journeys or the system's; ScenarioError names what does not fit.

    Needed: system (name), entry_url, seed, deadline_s. Optional: urls (public service -> base URL), rate_rps and mix
    (journey -> weight; the system's own by default), timeout_s of a request (5), body_limit_bytes (4096) of what is
    recorded of a body, max_in_flight journeys (four times what the timeout lets pile up, at least 64).
    """
    system: System = catalog.find("systems", spec["system"])
    rate_rps = float(spec.get("rate_rps") or system.rate_rps)
    timeout_s = float(spec.get("timeout_s") or 5.0)
    return Load(
        system=system,
        entry_url=str(spec["entry_url"]).rstrip("/"),
        urls={name: str(url).rstrip("/") for name, url in (spec.get("urls") or {}).items()},
        journeys=_mixed(system, spec.get("mix")) if journeys is None else journeys,
        rate_rps=rate_rps,
        timeout_s=timeout_s,
        seed=spec["seed"],
        deadline_s=float(spec["deadline_s"]),
        body_limit_bytes=int(spec.get("body_limit_bytes") or BODY_LIMIT_BYTES),
        max_in_flight=int(spec.get("max_in_flight") or max(64, math.ceil(4 * rate_rps * timeout_s))),
    )


def arrivals(load: Load) -> Iterator[Arrival]:
    """All arrivals until the deadline, in order: one at a random place within each 1/rate seconds.

    That keeps the rate exact in every window without a fixed period. Each arrival has its own generator, made from
    the seed and its number, so that no journey's numbers depend on how another went.
    """
    ends = list(itertools.accumulate(journey.weight for journey in load.journeys))
    for index in itertools.count():
        random = Random(f"{load.seed}/{index}")
        at_s = (index + random.random()) / load.rate_rps
        if at_s >= load.deadline_s:
            return
        chosen = bisect.bisect_right(ends, random.random() * ends[-1])
        yield Arrival(index, at_s, load.journeys[min(chosen, len(ends) - 1)], random)


def _mixed(system: System, mix: Mapping[str, float] | None) -> tuple[Journey, ...]:
    """The system's journeys with the weights of the mix; those of weight 0 are left out."""
    known = {journey.name for journey in system.journeys}
    unknown = sorted(set(mix or {}) - known)
    if unknown:
        msg = f"the workload's mix names {unknown} but system {system.name!r} has journeys {sorted(known)}"
        raise ScenarioError(msg)
    if mix is None:
        weighted = system.journeys
    else:
        weighted = tuple(dataclasses.replace(j, weight=float(mix.get(j.name, 0))) for j in system.journeys)
    kept = tuple(journey for journey in weighted if journey.weight > 0)
    if not kept:
        msg = (
            f"the workload's mix {dict(mix or {})!r} leaves no journey of system {system.name!r} with a weight above 0"
        )
        raise ScenarioError(msg)
    return kept
