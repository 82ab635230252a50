"""Kubernetes manifests as a system, or what runs in a namespace: `shop = kubernetes_system("k8s/")`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.define import secrets
from pytest_anomod.define.caller import beside_caller
from pytest_anomod.define.forwarding import check_forward
from pytest_anomod.define.found import Found, find_services
from pytest_anomod.define.journeys import visit
from pytest_anomod.define.services import KINDS, check_names, check_port, entry_of, kind_of
from pytest_anomod.model import catalog, redact
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import Journey, Manifests, Probe, Service, ServiceKind, System


def kubernetes_system(
    *paths: str | os.PathLike[str],
    name: str,
    entry: str = "",
    namespace: str = "",
    pods: Mapping[str, Mapping[str, str]] | None = None,
    services: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
    calls: Mapping[str, Sequence[str]] | None = None,
    kinds: Mapping[str, ServiceKind | str] | None = None,
    engines: Mapping[str, str] | None = None,
    probes: Mapping[str, Probe] | None = None,
    logins: Mapping[str, str] | None = None,
    telemetry: Sequence[Source] = (),
    otlp: Sequence[str] = (),
    forward: str = "",
    journeys: Sequence[Journey] = (),
    rate_rps: float = 5.0,
    allow: Sequence[str] = (),
) -> System:
    """The system that manifests describe, or that runs in a namespace already; known from now on by `name`.

    `paths` (relative to the calling file) are files, folders or Kustomize directories; what `helm template` printed is
    a file. They are brought up in a namespace of ours: each Deployment and StatefulSet is a service, by the name of the
    Service that leads to its pods. Those in `otlp` export over OTLP already, and are told to export to us; all that
    comes is sent on to `forward`, a URL as this machine sees it, if it is given. Engines, kinds and calls that are not
    said are found in images and environments.

    With `namespace` nothing is brought up: `pods` has the labels of each service's pods there, `services` the names of
    their Services where these differ. It is never taken down, and only faults that leave no trace are put in, and those
    that `allow` names. `logins` are addresses of stores for an administrator, such as "redis://{host}:{port}/0".
    `entry` is the service that users reach: by default the one that no other calls. ScenarioError for what can't work.
    """
    where = f"kubernetes_system({name!r})"
    if bool(paths) == bool(namespace):
        msg = f"{where}: say either the paths of manifests or namespace=..., where it runs already"
        raise ScenarioError(msg)
    files = tuple(str(beside_caller(path)) for path in paths)
    labels, found = _of_files(files, where) if files else (dict(pods or {}), {})
    given = {"kinds": kinds, "engines": engines, "ports": ports, "probes": probes, "calls": calls}
    told: dict[str, dict[str, Any]] = {what: dict(rows or {}) for what, rows in given.items()}
    named = {**told, "logins": logins or {}, "otlp": dict.fromkeys(otlp)}
    _check(labels, named, allow, where=where, of_files=bool(files))
    check_forward(forward, where, receives=bool(otlp))
    secrets.keep({one: {"URL": login} for one, login in (logins or {}).items()}, {})
    called = {one: tuple(told["calls"].get(one, found[one].calls if one in found else ())) for one in labels}
    chosen = entry or entry_of(called, where)
    listed = tuple(_service(one, called[one], found.get(one), told, chosen, where) for one in labels)
    deployed = Manifests(
        pods=labels, paths=files, namespace=namespace, services=dict(services or {}), otlp=tuple(otlp),
        forward=forward, allow=tuple(allow), logins=dict(logins or {}),
    )  # fmt: skip
    system = System(
        name=name, services=listed, entry=chosen, journeys=tuple(journeys) or (visit("/"),), rate_rps=rate_rps,
        deploys=(deployed,), telemetry=tuple(telemetry),
    )  # fmt: skip
    system.service(chosen)
    catalog.register("systems", system)
    return system


def _check(
    labels: Mapping[str, object],
    told: Mapping[str, Mapping[str, object] | None],
    allow: Sequence[str],
    where: str,
    *,
    of_files: bool,
) -> None:
    """ScenarioError for a system without services, and for names of services and faults that are none."""
    if not labels:
        why = "no Deployment in the files" if of_files else "say pods={service: labels}"
        msg = f"{where} has no service: {why}"
        raise ScenarioError(msg)
    if told["otlp"] and not of_files:
        msg = (
            f"{where}: otlp= is for manifests: what runs in a namespace already is not told where to export; name "
            "the Jaeger, Zipkin or Prometheus that it exports to in telemetry=[...]"
        )
        raise ScenarioError(msg)
    check_names(labels, {what: rows or {} for what, rows in told.items()}, where)
    for fault in allow:
        catalog.find("faults", fault)  # a misspelt name would otherwise be ignored silently


def _service(
    name: str,
    calls: tuple[str, ...],
    found: Found | None,
    told: Mapping[str, Mapping[str, Any]],
    entry: str,
    where: str,
) -> Service:
    """What was found, with what the user says instead."""
    engine = told["engines"].get(name, found.engine if found else "http")
    usual = ServiceKind.GATEWAY if name == entry else KINDS.get(engine, ServiceKind.APP)
    return Service(
        name=name,
        kind=kind_of(told["kinds"].get(name, usual), name, where),
        calls=calls,
        engine=engine,
        port=check_port(told["ports"].get(name, found.port if found else 0), name, where),
        probe=told["probes"].get(name, found.probe if found else Probe()),
    )


def _of_files(paths: Sequence[str], where: str) -> tuple[dict[str, Mapping[str, str]], dict[str, Found]]:
    """Labels of the pods of each service in manifests, and what the manifests tell of it; their secrets are kept."""
    from pytest_anomod.runtimes.kubernetes import manifests

    try:
        workloads = manifests.workloads(manifests.read(paths))
    except DeploymentError as error:
        msg = f"{where}: {error}"
        raise ScenarioError(msg) from error
    document = manifests.as_compose(workloads)
    redact.know(secrets.secrets_of(document))
    return {one.name: one.labels for one in workloads}, {one.name: one for one in find_services(document)}
