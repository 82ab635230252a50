"""Agents in services on the runtimes that start these: what is put in, how it is asked, what is missing.

A deployment's document has a row for each service in "agents": {language, source, packages, traces, coverage, library,
run} with paths of this machine, or {language, why} where nothing could be put in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import COVERAGE, FAULTS, INSIDE, TRACES, Asked, Language, Place, Reach, language
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.source import LineCounter, NoSource, Source
from pytest_anomod.model.system import Agents

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

Rows = Mapping[str, Mapping[str, Json]]
MODALITIES = {TRACES: "traces", COVERAGE: "coverage"}
CODE_FAULTS = ("code_delay", "code_exception", "code_return")
EXPORTER = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory of this machine, and where the process finds it."""

    here: Path
    there: str
    writable: bool = False


def plan(agents: Sequence[tuple[str, Agents]], directory: Path, why_not: str = "") -> dict[str, dict[str, Json]]:
    """The rows of services; directories for their sockets are made below `directory`. `why_not` refuses them all."""
    if why_not:
        return {service: {"language": asked.language, "why": why_not} for service, asked in agents}
    return {service: _row(service, asked, directory) for service, asked in agents}


def _row(service: str, asked: Agents, directory: Path) -> dict[str, Json]:
    try:
        library = cache.ready(language(asked.language))
    except (ScenarioError, ImportError) as error:
        return {"language": asked.language, "why": str(error)}
    if library is None:
        return {"language": asked.language, "why": not_fetched(asked.language)}
    run = directory / "agents" / service
    run.mkdir(parents=True)
    run.chmod(0o1777)  # whoever the service runs as; only we reach the directories above
    return {**dataclasses.asdict(asked), "library": str(library), "run": str(run)}


def not_fetched(name: str) -> str:
    """What to do about agents that are not there."""
    return f"the agents of {name} are not on this machine: anomod agents fetch {name}"


def why_none(agents: Sequence[tuple[str, Agents]], service: str) -> str:
    """Why no code of a service can be changed; "" when it can be, as far as is known before it runs."""
    asked = dict(agents).get(service)
    if asked is None:
        return f"no agents are put into {service!r}: name it in agents={{...}}"
    try:
        found = language(asked.language)
    except (ScenarioError, ImportError) as error:
        return str(error)
    if FAULTS not in found.gives:
        return f"code in {asked.language} can't be changed while it runs"
    return "" if cache.ready(found) else not_fetched(asked.language)


def refusal_of_fault(agents: Sequence[tuple[str, Agents]], service: str, fault: str) -> str:
    """Why a fault can't be put into the code of a service, with what to do; "" when it can, and for other faults."""
    why = why_none(agents, service) if fault in CODE_FAULTS else ""
    return f"{fault!r} can't be put into {service!r}: {why}" if why else ""


def are_put_in(rows: Rows) -> dict[str, Mapping[str, Json]]:
    """The rows of services that something is put into."""
    return {service: row for service, row in rows.items() if "why" not in row}


def traced(rows: Rows) -> list[str]:
    """Services that are to export to us by agents that are put into them."""
    return [service for service, row in are_put_in(rows).items() if row["traces"]]


def give_way(rows: Mapping[str, dict[str, Json]], service: str, own: Mapping[str, str], otlp_url: str) -> None:
    """A service that is told already where to export, and not by us, keeps its exporter: its row says so."""
    if own.get(EXPORTER, otlp_url) != otlp_url:
        rows[service]["traces"] = False
        rows[service]["exports"] = f"it exports to a place of its own ({EXPORTER}): name it in otlp=[...] to have that"


def mounts(row: Mapping[str, Json], root: str = "") -> dict[str, Mount]:
    """What a process needs to see, by name; below `root` in a container, "" for where it is on this machine."""
    found = language(row["language"])
    places = {"ours": INSIDE / found.name, "library": Path(row["library"]), **dict(found.also), "run": Path(row["run"])}
    return {
        name: Mount(here=here, there=f"{root}/{name}" if root else str(here), writable=name == "run")
        for name, here in places.items()
    }


def environment(
    service: str, row: Mapping[str, Json], own: Mapping[str, str], seen: Mapping[str, Mount], otlp: tuple[str, str]
) -> dict[str, str]:
    """Variables to be set for a service; `otlp` are the URL of our receiver and the protocol that it understands."""
    url, protocol = otlp
    place = Place(
        service=service,
        asked=asked_of(row),
        ours=seen["ours"].there,
        library=seen["library"].there,
        run=seen["run"].there,
        otlp_url=url if row["traces"] else "",
        otlp_protocol=protocol,
        own=own,
        also={name: mount.there for name, mount in seen.items() if name not in ("ours", "library", "run")},
    )
    return language(row["language"]).environment(place)


def asked_of(row: Mapping[str, Json]) -> Agents:
    """The agents that the definition asks for."""
    return Agents(
        row["language"],
        source=row["source"],
        packages=tuple(row["packages"]),
        traces=row["traces"],
        coverage=row["coverage"],
    )


def agent_of(deployment: Deployment, rows: Rows, service: str) -> Asked | None:
    """The agent of a service; None for one that has none."""
    row = rows.get(service)
    if row is None or "why" in row:
        return None
    reach = Reach(
        service=service,
        asked=asked_of(row),
        library=Path(row["library"]),
        run=Path(row["run"]),
        pid=lambda: instance_of(deployment, service).pid,
        host=lambda: instance_of(deployment, service).address[0],
    )
    return language(row["language"]).agent(reach)


def sources(deployment: Deployment, rows: Rows) -> Iterator[Source]:
    """Counters of lines, by what each agent says of itself now; and why there is none, or no traces, of others."""
    for service, row in rows.items():
        missing = _missing(deployment, rows, service)
        for what, modality in MODALITIES.items():
            if what == TRACES and "exports" in row:
                yield NoSource(modality=modality, why=f"{service}: {row['exports']}")
            if not row.get(what, True):
                continue
            if what in missing:
                yield NoSource(modality=modality, why=f"{service}: {missing[what]}")
            elif what == COVERAGE:
                yield LineCounter(service=service)


def _missing(deployment: Deployment, rows: Rows, service: str) -> Mapping[str, str]:
    """What a service should have and has not, and why."""
    row = rows[service]
    if "why" in row:
        return {what: str(row["why"]) for what in MODALITIES}
    found: Language = language(row["language"])
    lacks: dict[str, str] = {what: f"there is none for {found.name}" for what in MODALITIES if what not in found.gives}
    agent: Any = agent_of(deployment, rows, service)
    try:
        return {**lacks, **agent.ask("/hello")["absent"]}
    except DeploymentError as error:
        return {what: str(error) for what in MODALITIES}
