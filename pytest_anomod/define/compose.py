"""Compose files as a system: `shop = compose_system("compose.yaml")`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_anomod.define import secrets
from pytest_anomod.define.agents import agents_of_document
from pytest_anomod.define.caller import beside_caller
from pytest_anomod.define.engines import KINDS
from pytest_anomod.define.forwarding import check_forward
from pytest_anomod.define.found import Found, find_services
from pytest_anomod.define.journeys import told_workload, visit
from pytest_anomod.model import catalog, redact
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import Agents, ComposeFiles, Deployable, Journey, Probe, Service, ServiceKind, System

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Workload
    from pytest_anomod.runtimes.compose.resolve import Resolved


def compose_system(
    *files: str | os.PathLike[str],
    name: str = "",
    entry: str = "",
    journeys: Sequence[Journey] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[str | os.PathLike[str]] = (),
    services: Sequence[str] = (),
    jobs: Sequence[str] = (),
    rate_rps: float = 20.0,
    kinds: Mapping[str, ServiceKind | str] | None = None,
    engines: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
    probes: Mapping[str, Probe] | None = None,
    calls: Mapping[str, Sequence[str]] | None = None,
    telemetry: Sequence[Source] = (),
    otlp: Sequence[str] = (),
    forward: str = "",
    metrics: Mapping[str, str] | None = None,
    jaeger: str = "",
    zipkin: str = "",
    deploys: Sequence[Deployable] = (),
    agents: bool | Mapping[str, str | Agents] = False,
    workload: Workload | str | None = None,
    login: Callable[[str], Mapping[str, str]] | None = None,
    login_variables: Sequence[str] = (),
) -> System:
    """The system that compose files describe, known from now on by `name` (the project's unless given).

    Files are taken as `docker compose -f A -f B` takes them, "compose.yaml" by default; paths are relative to the
    calling file. `services` is a subset to bring up with what it depends on; `jobs` are services that end by themselves
    and that no other waits for. What is not said is found in the files: kinds and engines by image, command, health
    check and port, calls by `depends_on` and by values of the environment that name others, the entry as the only
    service that publishes a port and is no store. Without journeys users get the page that the entry's health check
    asks for, else "/". Services named in `otlp` export over OTLP already, and are told to export to us; all that comes
    is sent on to the URL `forward`, whose host may be a service of the files. `metrics` has the paths of pages that
    services have for Prometheus; `jaeger` and `zipkin` are the services of the files that keep the traces of the
    others. `agents` names services into which traces, line coverage and faults in code are put, by language or with
    more of it; True is for all whose words, image or Dockerfile tell their language. `deploys` are further ways to
    bring the same system up. `workload` drives it in place of journeys: a suite, or a tool's file: "openapi:FILE",
    "har:FILE", "postman:FILE", "locust:FILE" or "k6:FILE". `login` and `login_variables` are as System has them.
    ScenarioError for what can't work. Secrets of the files are kept out of all that is recorded.
    """
    asked = ComposeFiles(
        files=tuple(str(beside_caller(file)) for file in files or ("compose.yaml",)), profiles=tuple(profiles),
        env_files=tuple(str(beside_caller(file)) for file in env_files), services=tuple(services), otlp=tuple(otlp),
        metrics=tuple((metrics or {}).items()), jaeger=jaeger, zipkin=zipkin, forward=forward,
    )  # fmt: skip
    resolved = _resolved(asked)
    found = find_services(resolved.document, frozenset(jobs))
    asked = _with_agents(asked, agents, resolved, found)
    told = {"kinds": kinds, "engines": engines, "ports": ports, "probes": probes, "calls": calls}
    servers = {"otlp": otlp, "jaeger": [jaeger] if jaeger else [], "zipkin": [zipkin] if zipkin else []}
    _check_names({**told, **servers, "metrics": metrics}, found, resolved.project)
    listed = tuple(_service(one, _told_of(one, told)) for one in found)
    return _known(System(
        name=name or resolved.project, services=listed, entry=(chosen := entry or _entry_of(found)), login=login,
        journeys=tuple(journeys) or (_default_journey(listed, chosen),), rate_rps=rate_rps, telemetry=tuple(telemetry),
        deploys=(asked, *deploys), workload=told_workload(workload), login_variables=tuple(login_variables),
    ))  # fmt: skip


def _known(system: System) -> System:
    """The system, in the catalog from now on; ScenarioError when its entry is none of its services."""
    system.service(system.entry)
    catalog.register("systems", system)
    return system


def _with_agents(
    asked: ComposeFiles, wanted: bool | Mapping[str, str | Agents], resolved: Resolved, found: Sequence[Found]
) -> ComposeFiles:
    """The files with agents for services that are no stores and no tools; only then is it known who exports to us."""
    own = [one.name for one in found if one.engine not in KINDS and not one.is_tool]
    agents = agents_of_document(wanted, resolved.document, own, resolved.project)
    receives = bool(asked.otlp) or any(one.traces for _, one in agents)
    check_forward(asked.forward, resolved.project, receives=receives)
    return dataclasses.replace(asked, agents=agents)


def _resolved(asked: ComposeFiles) -> Resolved:
    """What the files come to, their secrets known from now on; ScenarioError when they can't be read."""
    from pytest_anomod.runtimes.compose.resolve import resolve

    try:
        resolved = resolve(asked)
    except DeploymentError as error:
        msg = f"{', '.join(asked.files)} can't be read as a system: {error}"
        raise ScenarioError(msg) from error
    redact.know(secrets.secrets_of(resolved.document))
    return resolved


def _told_of(found: Found, told: Mapping[str, Mapping[str, object] | None]) -> dict[str, object]:
    """What the user says of one service, by the argument that says it."""
    return {word: values[found.name] for word, values in told.items() if values and found.name in values}


def _service(found: Found, told: Mapping[str, object]) -> Service:
    """What was found, with what the user says instead."""
    engine = str(told.get("engines", found.engine))
    probe, calls = told.get("probes", found.probe), told.get("calls", found.calls)
    assert isinstance(probe, Probe)
    assert isinstance(calls, Sequence)
    kind = found.kind
    if engine != found.engine:
        kind = KINDS.get(engine, ServiceKind.GATEWAY if found.published else ServiceKind.APP)
    return Service(
        name=found.name,
        kind=ServiceKind(str(told.get("kinds", kind))),
        calls=tuple(calls),
        engine=engine,
        port=int(str(told.get("ports", found.port))),
        probe=probe,
    )


def _entry_of(found: Sequence[Found]) -> str:
    """The only service that users can reach and that is neither a store nor a tool."""
    public = [one for one in found if one.published and one.kind is ServiceKind.GATEWAY and not one.is_tool]
    if len(public) == 1:
        return public[0].name
    listed = ", ".join(f"{one.name} ({', '.join(map(str, one.published))})" for one in public or found if one.published)
    why = f"these publish ports: {listed}" if listed else "no service publishes a port"
    msg = f"say which service users enter by, entry=...: {why}"
    raise ScenarioError(msg)


def _default_journey(services: Sequence[Service], entry: str) -> Journey:
    path = next((one.probe.path for one in services if one.name == entry and one.probe.kind == "http"), "/")
    return visit(path)


def _check_names(told: Mapping[str, object], found: Sequence[Found], project: str) -> None:
    names = [one.name for one in found]
    for word, values in told.items():
        unknown = sorted(set(values or ()) - set(names))  # type: ignore[call-overload]
        if unknown:
            msg = f"{word}= names {', '.join(unknown)}, but {project!r} has the services {', '.join(names)}"
            raise ScenarioError(msg)
