"""Finds parts of a resolved compose document that we can't bring up, or only once on a machine. A line each, pure.

Each line names the service (or the top-level key), the key and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

_NOT_WRITTEN = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc/localtime", "/etc/timezone")
"""Bind mounts of these are the machine's own, and not data that two would write to."""
_SHARED_NAMESPACES = ("network_mode", "ipc", "pid")


def refusals(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a document can't be brought up; () when it can."""
    return tuple(_refusals(document))


def alone(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Why it can be up only once on a machine; () when several can be up side by side."""
    return tuple(_alone(document))


def _refusals(document: Mapping[str, Any]) -> Iterator[str]:
    services = document.get("services") or {}
    if not services:
        yield "services: there is none; is the one you mean in a profile that is not asked for?"
    own = {service.get("container_name") for service in services.values()}
    for name, service in services.items():
        for key in _SHARED_NAMESPACES:
            kind, _, other = str(service.get(key) or "").partition(":")
            if kind == "container" and other not in own:
                yield f"service {name!r}: {key}: container {other!r} is none of these services"
        for other in service.get("volumes_from") or ():
            if str(other).startswith("container:") and str(other).split(":")[1] not in own:
                yield f"service {name!r}: volumes_from: {other} is none of these services"
        if service.get("provider"):
            yield f"service {name!r}: provider: what {service['provider'].get('type')!r} provides is no container"
        if service.get("models"):
            yield f"service {name!r}: models: {', '.join(service['models'])} needs a model runner, no container"
        for mount in service.get("volumes") or ():
            if mount.get("type") in ("npipe", "cluster"):
                yield f"service {name!r}: volumes: type {mount['type']} of {mount.get('target')} needs another engine"
    for kind in ("secrets", "configs"):
        for name, entry in (document.get(kind) or {}).items():
            if entry.get("external"):
                yield f"{kind} {name!r}: external: only a swarm has it; give a file, an environment name or content"


def _alone(document: Mapping[str, Any]) -> Iterator[str]:
    services = document.get("services") or {}
    for name, service in services.items():
        yield from _alone_service(name, service)
    for name, network in (document.get("networks") or {}).items():
        network = network or {}
        if network.get("external"):
            yield f"network {name!r}: external: it is shared with whoever else is in it"
        elif any((entry or {}).get("subnet") for entry in (network.get("ipam") or {}).get("config") or ()):
            yield f"network {name!r}: ipam: its addresses are fixed"
        elif "com.docker.network.bridge.name" in (network.get("driver_opts") or {}):
            yield f"network {name!r}: driver_opts: the name of its bridge is fixed"
    for name, volume in (document.get("volumes") or {}).items():
        volume = volume or {}
        if volume.get("external"):
            yield f"volume {name!r}: external: it holds data of yours"
        elif (volume.get("driver_opts") or {}).get("device"):
            yield f"volume {name!r}: driver_opts: {volume['driver_opts']['device']} of this machine is written to"


def _alone_service(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    for key in ("network_mode", "ipc", "pid"):
        if service.get(key) == "host":
            yield f"service {name!r}: {key}: host: it is this machine's own"
    if service.get("external_links"):
        yield f"service {name!r}: external_links: {', '.join(service['external_links'])} belong to others"
    for network in (service.get("networks") or {}).values():
        if network and (network.get("ipv4_address") or network.get("ipv6_address")):
            yield f"service {name!r}: networks: its address is fixed"
    for mount in service.get("volumes") or ():
        source = mount.get("source") or ""
        if mount.get("type") == "bind" and not mount.get("read_only") and not _is_machines(source):
            yield f"service {name!r}: volumes: {source} of this machine can be written to"


def _is_machines(source: str) -> bool:
    return any(PurePath(source).is_relative_to(place) for place in _NOT_WRITTEN)
