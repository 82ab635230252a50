"""Looks at the system of compose files: what is in the files, and what its entry serves once it is up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.adopt import asking
from pytest_anomod.adopt.found import Answer, FoundService, FoundSystem, agents_answer, said_entry
from pytest_anomod.define.agents import guess_service
from pytest_anomod.define.compose import compose_system
from pytest_anomod.define.found import Found, find_services
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import ComposeFiles, ServiceKind, System
from pytest_anomod.runtimes.compose.resolve import resolve

Say = Callable[[str], None]


def look_at_compose(files: Sequence[Path], *, name: str, entry: str, session: Session, say: Say) -> FoundSystem:
    """The system of the files, which is brought up once; a missing entry or a failed start becomes a question."""
    asked = ComposeFiles(files=tuple(map(str, files)))
    try:
        resolved = resolve(asked)
    except DeploymentError as error:
        msg = f"{', '.join(asked.files)} can't be read as a system: {error}"
        raise ScenarioError(msg) from error
    listed = find_services(resolved.document)
    chosen = _entry_among(listed, entry)
    found = FoundSystem(
        name=name or resolved.project,
        factory="compose_system",
        arguments=tuple(Answer(value=repr(str(file)), why="") for file in files),
        services=tuple(_service(one, resolved.document["services"][one.name]) for one in listed),
        entry=chosen,
        journeys=(),
    )
    if chosen is None:
        return found
    system = compose_system(*files, name=found.name, entry=chosen.value)
    return _with_trial(found, system, session, say)


def _service(one: Found, described: Mapping[str, Any]) -> FoundService:
    return FoundService(
        name=one.name,
        engine=Answer(value=one.engine, why=one.why["engine"] or "nothing tells what it runs"),
        port=Answer(value=str(one.port or ""), why=one.why["port"]),
        calls={callee: _why_called(callee, one.why["calls"]) for callee in one.calls},
        probe_path=Answer(value=one.probe.path, why=one.why["probe"]) if one.probe.kind == "http" else None,
        agents=agents_answer(guess_service(described) if one.engine in ("http", "") else None),
    )


def _why_called(callee: str, why: str) -> str:
    """The part of the reasons for all calls that is about one of them."""
    return next((part.partition(": ")[2] for part in why.split(", ") if part.startswith(f"{callee}: ")), why)


def _entry_among(listed: Sequence[Found], entry: str) -> Answer | None:
    if entry:
        return said_entry(entry, [one.name for one in listed])
    public = [one for one in listed if one.published and one.kind is ServiceKind.GATEWAY and not one.is_tool]
    if len(public) == 1:
        return Answer(value=public[0].name, why="the only service that publishes a port and is no store")
    return None


def _with_trial(found: FoundSystem, system: System, session: Session, say: Say) -> FoundSystem:
    """The system with the journeys and the health page of its entry that answered in a trial."""
    runtime = catalog.find("runtimes", "compose")
    why = runtime.refusal(system)
    if not why:
        say(f"bringing {', '.join(one.name for one in found.services)} up once, beside whatever runs of it already")
        try:
            deployment = runtime.up(system, session)
        except DeploymentError as error:
            why = str(error)
    if why:
        return dataclasses.replace(
            found, questions=(*found.questions, f"it was not tried: {' '.join(why.split())[:300]}")
        )
    try:
        journeys = asking.journeys_at(deployment.entry_url)
        health = asking.health_path(deployment.entry_url)
    finally:
        runtime.down(deployment)
    entry = found.service(system.entry)
    services = tuple(
        dataclasses.replace(one, probe_path=one.probe_path or health) if one is entry else one for one in found.services
    )
    return dataclasses.replace(found, services=services, journeys=journeys)
