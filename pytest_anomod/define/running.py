"""Defines a system that runs already, by its addresses: `running_system("shop", entry=URL, pids=...)`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.define import secrets
from pytest_anomod.define.caller import beside_caller
from pytest_anomod.define.journeys import told_workload, visit
from pytest_anomod.define.services import KINDS, check_names, check_port, entry_of, kind_of
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.source import Jaeger, LogFile, Source, Zipkin
from pytest_anomod.model.system import Journey, Probe, Running, Service, ServiceKind, System
from pytest_anomod.model.workload import Workload


def running_system(
    name: str,
    *,
    entry: str,
    entry_service: str = "",
    containers: Mapping[str, str] | None = None,
    pids: Mapping[str, int | str | os.PathLike[str]] | None = None,
    ports: Mapping[str, int] | None = None,
    calls: Mapping[str, Sequence[str]] | None = None,
    kinds: Mapping[str, ServiceKind | str] | None = None,
    engines: Mapping[str, str] | None = None,
    probes: Mapping[str, Probe] | None = None,
    logins: Mapping[str, str] | None = None,
    logs: Mapping[str, str | os.PathLike[str]] | None = None,
    traces: Zipkin | Jaeger | None = None,
    telemetry: Sequence[Source] = (),
    journeys: Sequence[Journey] = (),
    rate_rps: float = 5.0,
    allow: Sequence[str] = (),
    workload: Workload | str | None = None,
    login: Callable[[str], Mapping[str, str]] | None = None,
    login_variables: Sequence[str] = (),
) -> System:
    """The system whose entry is at a URL; the arguments decide what can be done to each service.

    `containers` are names or ids of containers, by service. `pids` are numbers, or paths of files that hold them
    (relative to the calling file); processes must be on this machine and the caller's own, or the caller root. `ports`
    says where services without a container listen. Services that are only called are named by `calls`. `logs` are files
    that services write. Only faults that can be undone completely are injected, and those that `allow` names.
    `entry_service` is the one behind the URL: by default the one that no other calls. `workload`, `login` and
    `login_variables` are as in compose_system. ScenarioError for what can't work.
    """
    where = f"running_system({name!r})"
    _check_entry(entry, where)
    called = {service: tuple(callees) for service, callees in (calls or {}).items()}
    names = _names(
        [entry_service] if entry_service else [], containers or {}, pids or {}, ports or {}, called, where=where
    )
    given = {"kinds": kinds, "engines": engines, "probes": probes, "logins": logins, "logs": logs}
    check_names(names, {what: rows or {} for what, rows in given.items()}, where)
    chosen = entry_service or entry_of({one: called.get(one, ()) for one in names}, where, "entry_service")
    for fault in allow:
        catalog.find("faults", fault)  # a misspelt name would otherwise be ignored silently
    secrets.keep({one: {"URL": login} for one, login in (logins or {}).items()}, {})
    told = {"kinds": kinds or {}, "engines": engines or {}, "ports": ports or {}, "probes": probes or {}}
    services = tuple(_service(one, called.get(one, ()), told, chosen, where) for one in names)
    running = Running(
        entry=entry, containers=dict(containers or {}), allow=tuple(allow), logins=dict(logins or {}),
        pids={one: pid if isinstance(pid, int) else str(beside_caller(pid)) for one, pid in (pids or {}).items()},
    )  # fmt: skip
    found = [LogFile(service=one, path=beside_caller(path)) for one, path in (logs or {}).items()]
    system = System(
        name=name, services=services, entry=chosen, journeys=tuple(journeys) or (visit("/"),), rate_rps=rate_rps,
        deploys=(running,), telemetry=(*found, *((traces,) if traces is not None else ()), *telemetry),
        workload=told_workload(workload), login=login, login_variables=tuple(login_variables),
    )  # fmt: skip
    catalog.register("systems", system)
    return system


def _check_entry(entry: str, where: str) -> None:
    parts = urlsplit(entry)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"{where}: entry={entry!r} is no URL; say http://127.0.0.1:3000"
        raise ScenarioError(msg)


def _names(
    first: Sequence[str],
    containers: Mapping[str, str],
    pids: Mapping[str, object],
    ports: Mapping[str, int],
    called: Mapping[str, Sequence[str]],
    *,
    where: str,
) -> dict[str, None]:
    """The services in the order in which they were named; ScenarioError for none, or one that is two things."""
    both = set(containers) & set(pids)
    if both:
        msg = f"{where}: {', '.join(sorted(both))} can't be a container and a pid at once"
        raise ScenarioError(msg)
    callees = (callee for row in called.values() for callee in row)
    names = dict.fromkeys([*first, *containers, *pids, *ports, *called, *callees])
    if not names:
        msg = f"{where} names no service: say containers={{...}}, pids={{...}} or ports={{...}}"
        raise ScenarioError(msg)
    return names


def _service(
    name: str, calls: tuple[str, ...], told: Mapping[str, Mapping[str, Any]], entry: str, where: str
) -> Service:
    engine = told["engines"].get(name, "http")
    usual = ServiceKind.GATEWAY if name == entry else KINDS.get(engine, ServiceKind.APP)
    return Service(
        name=name,
        kind=kind_of(told["kinds"].get(name, usual), name, where),
        calls=calls,
        engine=engine,
        port=check_port(told["ports"].get(name, 0), name, where),
        probe=told["probes"].get(name, Probe()),
    )
