"""A workload's reference round, seen from the case: which services its requests reached, by their traces."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.chaos.steady import recent_responses
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    from pytest_anomod.model.modality import Collector
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.workloads.suite_reference import Reach

JOURNEYS_S = 6.0
"""How long a system's own journeys are played, to name the endpoints that reach a target."""
MOST_NAMED = 5


def start_looking(deployment: Deployment, spec: Mapping[str, Json]) -> Callable[[int], Reach | None]:
    """Begin to read traces; the answer gives the services of each trace that began since a moment, once, and ends it.

    None where the system has no traces, or none at all came.
    """
    system = catalog.find("systems", spec["system"])
    sources = (*deployment.sources(), *system.telemetry)
    traces: Collector | None = catalog.find("modalities", "traces").collector(deployment, sources)
    if traces is None:
        return lambda _: None
    collector = traces
    collector.start()

    def services(since_ns: int) -> Reach | None:
        collector.settle(clock.monotonic_s())
        columns = collector.columns(since_ns, clock.now_ns())
        found: dict[str, set[str]] = {}
        rows = zip(columns["trace_id"], columns["service_name"], columns["peer"], strict=True)
        for trace_id, service, peer in rows:
            found.setdefault(trace_id, set()).update({service, peer} - {""})
        return found or None

    return services


def settle_plays(
    deployment: Deployment,
    workload: Mapping[str, Json],
    handle: Mapping[str, Json],
    services: Callable[[int], Reach | None],
) -> dict[str, Json]:
    """Wait for the reference round and have played what was chosen by it; what was chosen, for the label.

    ScenarioError when nothing reaches the target: it names endpoints that would.
    """
    from pytest_anomod.workloads import suite_reference

    spec = workload["spec"]
    told = suite_reference.wait_for_round(handle)
    try:
        return suite_reference.choose_plays(handle, spec, told, services(handle["start_unix_nano"]))
    except ScenarioError as error:
        ways = list(_endpoints(deployment, spec, Path(handle["records"])))
        named = ", ".join(ways[:MOST_NAMED]) + (f" and {len(ways) - MOST_NAMED} more" if len(ways) > MOST_NAMED else "")
        callers = ", ".join(catalog.find("systems", spec["system"]).callers(spec["reference"]["target"]))
        advice = f"requests that do: {named}" if named else f"it is called by {callers or 'nobody that is known'}"
        msg = f"{error}, so nothing was put in; {advice}"
        raise ScenarioError(msg) from None


def _endpoints(deployment: Deployment, spec: Mapping[str, Json], records: Path) -> Iterator[str]:
    """Method and route of the system's own journeys' requests that reach what the suite's must, most often first."""
    system, wish = catalog.find("systems", spec["system"]), spec["reference"]
    aims = {wish["target"], *wish["instead"]}
    if not system.journeys:
        return
    services, player = start_looking(deployment, spec), importlib.import_module("pytest_anomod.workloads.open_loop")
    own = records.with_name("journeys.jsonl")
    plan = {
        "system": system.name, "entry_url": deployment.entry_url, "urls": dict(deployment.urls),
        "seed": spec["seed"], "deadline_s": JOURNEYS_S,
    }  # fmt: skip
    handle = player.start(plan, own)
    clock.sleep(JOURNEYS_S)
    player.stop(handle)
    reach = services(handle["start_unix_nano"]) or {}
    counts: dict[str, int] = {}
    for row in recent_responses(own, 0):
        if not aims.isdisjoint(reach.get(row["trace_id"], ())):
            way = f"{row['method']} {row['route']}"
            counts[way] = counts.get(way, 0) + 1
    yield from sorted(counts, key=lambda way: -counts[way])
