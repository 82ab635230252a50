"""The system that a replica stands for, from a checkout of it: our names and journeys, its compose files and images."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.define import engines, secrets
from pytest_anomod.define.found import Found, find_services
from pytest_anomod.model import redact
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.system import ComposeFiles, Original, Service, ServiceKind, System
from pytest_anomod.runtimes.compose.resolve import resolve

USUAL = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""What compose itself looks for in a directory."""
_IMAGES = {"jaeger": ("all-in-one", "jaeger", "jaeger-query", "jaeger-all-in-one"), "zipkin": ("zipkin", "zipkin-slim")}
"""Names of images, without registry and tag, of servers that keep traces."""


def original_of(system: System, place: str, where: Path) -> System:
    """The system under the same name, brought up from its own compose files.

    `place` is a checkout, or its compose files as COMPOSE_FILE names them (A.yml:B.yml), relative to `where`. Services
    have our names, kinds and calls, as far as the files have them; stores have their real engine, and services that
    only the files have are there too. ScenarioError names what can't be read, or is missing.
    """
    facts = system.original
    if facts is None:
        msg = f"system {system.name!r} stands for no other: name its compose files where it is defined"
        raise ScenarioError(msg)
    asked = ComposeFiles(files=tuple(map(str, _files(facts, place, where))))
    document = _document(system, asked)
    names = _names(system, facts, document)
    servers = _trace_servers(document)
    asked = dataclasses.replace(
        asked,
        names=tuple((ours, theirs) for ours, theirs in names.items() if ours != theirs),
        jaeger=servers.get("jaeger", ""),
        zipkin="" if "jaeger" in servers else servers.get("zipkin", ""),
        reported_as=(*facts.reported_as, *((theirs, ours) for ours, theirs in names.items() if ours != theirs)),
    )
    document = _document(system, asked)
    redact.know(secrets.secrets_of(document))
    found = {one.name: one for one in find_services(document) if not one.is_tool}
    services = _services(system, facts, found)
    entry = next((one for one in (*facts.entries, system.entry) if one in services), "")
    if not entry:
        wanted = " or ".join(dict.fromkeys((*facts.entries, system.entry)))
        msg = f"{_said(asked)} has no entry of {system.name!r}, {wanted}; its services are {', '.join(found)}"
        raise ScenarioError(msg)
    return dataclasses.replace(system, services=tuple(services.values()), entry=entry, deploys=(asked,), telemetry=())


def _files(facts: Original, place: str, where: Path) -> list[Path]:
    """The compose files of a place; ScenarioError for one that is not there."""
    paths = [where / part for part in place.split(os.pathsep) if part]
    if len(paths) == 1 and paths[0].is_dir():
        tried = [paths[0] / name for name in (*facts.files, *USUAL)]
        found = next((path for path in tried if path.is_file()), None)
        if found is None:
            msg = f"{paths[0]} has no compose file: none of {', '.join(dict.fromkeys((*facts.files, *USUAL)))} is there"
            raise ScenarioError(msg)
        return [found]
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None or not paths:
        msg = f"{missing or place} is no directory and no compose file"
        raise ScenarioError(msg)
    return paths


def _document(system: System, asked: ComposeFiles) -> Mapping[str, Any]:
    try:
        return resolve(asked).document
    except DeploymentError as error:
        msg = f"{_said(asked)} can't be read as {system.name!r}: {error}"
        raise ScenarioError(msg) from error


def _said(asked: ComposeFiles) -> str:
    return ", ".join(asked.files)


def _names(system: System, facts: Original, document: Mapping[str, Any]) -> dict[str, str]:
    """Our services that a document has, and the names that they have there; ScenarioError when it has none."""
    there = document["services"]
    known = {service.name: (service.name, *facts.names.get(service.name, ())) for service in system.services}
    found = {ours: next((one for one in candidates if one in there), "") for ours, candidates in known.items()}
    found = {ours: theirs for ours, theirs in found.items() if theirs}
    if not found:
        msg = f"project {document['name']!r} has no service of {system.name!r}; it has {', '.join(there) or 'none'}"
        raise ScenarioError(msg)
    return found


def _trace_servers(document: Mapping[str, Any]) -> dict[str, str]:
    """The first service of each kind that keeps traces, by the name of its image."""
    found: dict[str, str] = {}
    for name, service in document["services"].items():
        base = engines.base_name(str(service.get("image") or ""))
        for kind, images in _IMAGES.items():
            if base in images:
                found.setdefault(kind, name)
    return found


def _services(system: System, facts: Original, found: Mapping[str, Found]) -> dict[str, Service]:
    """Ours as far as they are there, in our order, then what is there beside them."""
    ours = {service.name: service for service in system.services}
    made = {name: _ours(ours, facts, found, name) for name in ours if name in found}
    return made | {name: _theirs(found[name], found) for name in found if name not in ours}


def _ours(ours: Mapping[str, Service], facts: Original, found: Mapping[str, Found], name: str) -> Service:
    service, seen = ours[name], found[name]
    is_store, is_entered = service.engine != "http", service.kind is ServiceKind.GATEWAY
    calls = [*_called(ours, facts, found, name), *seen.calls]
    return Service(
        name=name,
        kind=seen.kind if is_store and seen.engine in engines.KINDS else service.kind,
        calls=tuple(dict.fromkeys(one for one in calls if one in found and one != name)),
        engine=seen.engine if is_store else "http" if is_entered else facts.protocol,
        port=seen.port or (0 if is_store or is_entered else facts.port),
        probe=seen.probe,
    )


def _called(
    ours: Mapping[str, Service], facts: Original, found: Mapping[str, Found], name: str, through: tuple[str, ...] = ()
) -> Iterator[str]:
    """Whom a service calls of those that are there: its own store, and those behind a gateway that is missing."""
    for called in ours[through[-1] if through else name].calls:
        if called in found:
            yield called
        elif ours[called].engine != "http":
            stem, endings = name.removesuffix("-service"), () if through else facts.own_stores
            yield from (f"{stem}{ending}" for ending in endings if f"{stem}{ending}" in found)
        elif ours[called].kind is ServiceKind.GATEWAY and called not in through:
            yield from _called(ours, facts, found, name, (*through, called))


def _theirs(seen: Found, found: Mapping[str, Found]) -> Service:
    return Service(
        name=seen.name,
        kind=seen.kind,
        calls=tuple(one for one in seen.calls if one in found),
        engine=seen.engine,
        port=seen.port,
        probe=seen.probe,
    )
