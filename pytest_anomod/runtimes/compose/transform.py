"""Turns a resolved compose document into the one that we bring up: a pure function, and readers of both.

Ours has its own project name, no fixed container names, ports on the loopback address only, our labels, images by fixed
names in place of `build`, and a logging driver whose lines can be read again. Environment, mounts, restart policy and
limits of services stay as they are.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

LOG_OPTIONS = {"max-size": "256m", "max-file": "2"}
"""What the engine keeps of each container's output: hours of a busy service, and never more than that of a disk."""
READABLE_LOGS = ("json-file", "local", "journald")
LOOPBACK = "127.0.0.1"
_DROPPED = ("build", "container_name", "develop", "profiles")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is ours in the document. `ports` are those of this machine, by (service, port in the container, protocol);
    they are published even if the document does not.

    `environment` and `mounts` are added to services, by name; a mount is (directory here, path in the container,
    whether it can be written to).
    """

    project: str
    labels: Mapping[str, str]
    service_label: str
    ports: Mapping[tuple[str, int, str], int] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    mounts: Mapping[str, tuple[tuple[str, str, bool], ...]] = dataclasses.field(default_factory=dict)


def transform(document: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Our document; the one that is given stays as it is."""
    ours: dict[str, Any] = copy.deepcopy(dict(document))
    ours["name"] = plan.project
    names = {service.get("container_name"): name for name, service in ours["services"].items()}
    for name, service in ours["services"].items():
        _change_service(name, service, document, plan, names)
    for kind in ("networks", "volumes"):
        for key, entry in (ours.get(kind) or {}).items():
            entry = entry or {}
            if not entry.get("external"):
                entry.pop("name", None)  # compose names it after the project
                entry["labels"] = {**(entry.get("labels") or {}), **plan.labels}
            ours[kind][key] = entry
    return ours


def _change_service(
    name: str, service: dict[str, Any], document: Mapping[str, Any], plan: Plan, names: Mapping[str | None, str]
) -> None:
    image = image_of(document, name)
    if service.get("build"):
        service["pull_policy"] = "never"  # it was just built
    _keep_name(service)
    for key in _DROPPED:
        service.pop(key, None)
    service["image"] = image
    service["labels"] = {**(service.get("labels") or {}), **plan.labels, plan.service_label: name}
    ports = list(_ports(name, service, plan))
    if service.get("network_mode") == "host":
        service.pop("ports", None)  # they are the machine's own, and published as they are
    elif ports:
        service["ports"] = ports
    for key in ("network_mode", "ipc", "pid"):
        kind, _, other = str(service.get(key) or "").partition(":")
        if kind == "container" and other in names:
            service[key] = f"service:{names[other]}"
    logging = service.get("logging") or {}
    if logging.get("driver") not in READABLE_LOGS:
        service["logging"] = {"driver": "json-file", "options": dict(LOG_OPTIONS)}
    if name in plan.environment:
        added = {key: escaped(value) for key, value in plan.environment[name].items()}
        service["environment"] = {**(service.get("environment") or {}), **added}
    for source, target, writable in plan.mounts.get(name, ()):
        mount = {"type": "bind", "source": escaped(source), "target": target, "read_only": not writable}
        service.setdefault("volumes", []).append(mount)


def _keep_name(service: dict[str, Any]) -> None:
    """Others may know a container by its fixed name: it becomes an alias in each of its networks."""
    fixed = service.get("container_name")
    if fixed and "network_mode" not in service:
        networks = service.get("networks") or {"default": None}
        for key, entry in networks.items():
            aliases = list((entry or {}).get("aliases") or ())
            networks[key] = {**(entry or {}), "aliases": [*aliases, *([fixed] if fixed not in aliases else [])]}
        service["networks"] = networks


def _ports(name: str, service: Mapping[str, Any], plan: Plan) -> Iterator[dict[str, Any]]:
    """Each published port once, on the loopback address: where we say, else at any free port."""
    several = replicas(service) != 1
    seen = set()
    asked = [{"target": key[1], "protocol": key[2]} for key in plan.ports if key[0] == name]
    for port in [*(service.get("ports") or ()), *asked]:
        key = name, int(port["target"]), port.get("protocol") or "tcp"
        if key in seen:
            continue
        seen.add(key)
        kept = {word: value for word, value in port.items() if word not in ("published", "host_ip")}
        published = {} if several or key not in plan.ports else {"published": str(plan.ports[key])}
        yield {**kept, "host_ip": LOOPBACK, **published}


def image_of(document: Mapping[str, Any], name: str) -> str:
    """The image of a service; one that is built without a name has that which `docker compose build` would give it."""
    service = document["services"][name]
    return str(service.get("image") or f"{document['name']}-{name}")


def to_build(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document that has what is to be built, under the names that `image_of` gives; no services: nothing is."""
    built = {
        name: {"image": image_of(document, name), "build": service["build"]}
        for name, service in document["services"].items()
        if service.get("build")
    }
    secrets = {"secrets": document["secrets"]} if document.get("secrets") else {}
    return {"name": document["name"], "services": built, **secrets}


def published_ports(document: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """All that are to be published, as (service, port in the container, protocol), each once."""
    every = (
        (name, int(port["target"]), port.get("protocol") or "tcp")
        for name, service in document["services"].items()
        if replicas(service) == 1 and service.get("network_mode") != "host"
        for port in service.get("ports") or ()
    )
    return iter(dict.fromkeys(itertools.islice(every, 100)))


def replicas(service: Mapping[str, Any]) -> int:
    """How many containers a service has."""
    told = (service.get("deploy") or {}).get("replicas", service.get("scale"))
    return 1 if told is None else int(told)


def one_shot(document: Mapping[str, Any]) -> frozenset[str]:
    """Services that are to end, as others wait for it."""
    return frozenset(
        other
        for service in document["services"].values()
        for other, how in (service.get("depends_on") or {}).items()
        if (how or {}).get("condition") == "service_completed_successfully"
    )


def renamed(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Volumes with a name of their own, for which fresh ones of ours stand in: a note for each."""
    project = document["name"]
    return tuple(
        f"volume {key!r}: {entry['name']} stays as it is; a fresh one stands in for it"
        for key, entry in (document.get("volumes") or {}).items()
        if entry and not entry.get("external") and entry.get("name") not in (None, f"{project}_{key}")
    )


def plain(value: str) -> str:
    """A text of a resolved document as a container gets it."""
    return value.replace("$$", "$")


def escaped(value: str) -> str:
    """A text as it must stand in a document, so that a container gets it as it is."""
    return value.replace("$", "$$")
