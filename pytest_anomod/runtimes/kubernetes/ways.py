"""Where the parts of a deployment are reached from here: at their Services' addresses, or by ports handed on."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pytest_anomod.host import files, ports
from pytest_anomod.model import clock
from pytest_anomod.runtimes.kubernetes.objects import HOST_PART, INSIDE_PORT
from pytest_anomod.runtimes.programs import HelperPrograms

REACH = "ANOMOD_KUBE_REACH"
"""Environment variable: "forward" has all go through the API server, even where addresses are reached."""
UP_FOR_S = 7 * 86_400.0
WATCHER = "watcher"
"""Name of the program that follows the pods, on behalf of the host."""
_WATCHES = "pytest_anomod.runtimes.kubernetes.watcher"
_FORWARDER = "pytest_anomod.runtimes.kubernetes.forward"
_LISTENS_WITHIN_S = 30.0
_ANSWER_S = 1.0


class AnyDeployment(Protocol):
    """What of a deployment is needed to have a program of ours beside it."""

    ref: Mapping[str, Any]
    own: Path
    namespace: str
    programs: HelperPrograms


class Ways:
    """The ways to the parts of a deployment; `addresses` are those of their Services, `labels` those of their pods."""

    def __init__(self, deployment: AnyDeployment, labels: Callable[[str], Mapping[str, str]]) -> None:
        self._deployment = deployment
        self._labels = labels
        self.addresses: dict[str, str] = {}
        self.forwarded = False
        self._ports: dict[str, int] = {}

    def to(self, part: str, port: int) -> tuple[str, int]:
        """Where a port of a part is reached from here."""
        return (ports.HOST, self._ports[f"{part}/{port}"]) if self.forwarded else (self.addresses[part], port)

    def forward(self, routes: Iterable[tuple[str, int]]) -> None:
        """Have these ports of parts handed on from ports here, from now on."""
        deployment = self._deployment
        self.forwarded = True
        name = f"forwarder-{len(self._ports)}"
        file = deployment.own / f"{name}.json"
        orders = {
            "place": deployment.ref["place"],
            "namespace": deployment.namespace,
            "services": {part: {"labels": self._labels(part)} for part in self.addresses},
            "routes": [list(route) for route in routes],
            "file": str(file),
        }
        argv = [sys.executable, "-m", _FORWARDER, json.dumps(orders)]
        deployment.programs.start(HOST_PART, argv, name, UP_FOR_S)
        clock.wait_until(file.exists, timeout_s=_LISTENS_WITHIN_S, what="ports that lead into the cluster")
        self._ports |= files.read_json(file)


def watch(deployment: AnyDeployment, services: Mapping[str, Mapping[str, Any]], *, is_made: bool) -> None:
    """Have the pods of a deployment followed from now on by a program of ours (watcher.py says what `services` are).

    `is_made`: the pods are made for the deployment, so that all that the cluster says of them is of it.
    """
    orders = {
        "place": deployment.ref["place"],
        "namespace": deployment.namespace,
        "directory": deployment.ref["directory"],
        "services": dict(services),
        "is_made": is_made,
    }
    argv = [sys.executable, "-m", _WATCHES, json.dumps(orders)]
    deployment.programs.start(HOST_PART, argv, WATCHER, UP_FOR_S)


def wants_forwarding() -> bool:
    """Whether whoever runs us wants all to go through the API server."""
    return os.environ.get(REACH) == "forward"


def is_routed(address: tuple[str, int]) -> bool:
    """Whether connections to an address get an answer: one that is refused is answered by the cluster."""
    try:
        with socket.create_connection(address, timeout=_ANSWER_S):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def ports_of(described: Mapping[str, Any]) -> list[int]:
    """Ports of a service as the plan has them: its own, and that of its agent if it has one."""
    agent = described["agent_url"]
    return [int(described["port"]), *([int(urlsplit(agent).port or 0)] if agent else [])]


def placed(plan: Mapping[str, Any], ways: Ways) -> dict[str, Any]:
    """The plan of a host with the addresses by which all is reached from here.

    Of each service `inner` is where others of the system reach it, `inside` where its container's first process is.
    """
    services, by_port = {}, {described["port"]: name for name, described in plan["services"].items()}
    for name, described in plan["services"].items():
        host, port = ways.to(name, described["port"])
        services[name] = {
            **described,
            "host": host,
            "port": port,
            "inner": [ways.addresses[name], described["port"]],
            "inside": list(ways.to(name, INSIDE_PORT)),
            "agent_url": described["agent_url"] and _moved(described["agent_url"], name, ways),
            "metrics_url": _moved(described["metrics_url"], name if described["agent_url"] else HOST_PART, ways),
        }
    entry = by_port[urlsplit(plan["entry_url"]).port]
    return {
        **plan,
        "services": services,
        "entry_url": _moved(plan["entry_url"], entry, ways),
        "urls": {name: _moved(url, name, ways) for name, url in plan["urls"].items()},
        "control_url": _moved(plan["control_url"], HOST_PART, ways),
        "host": {},
    }


def _moved(url: str, part: str, ways: Ways) -> str:
    parts = urlsplit(url)
    host, port = ways.to(part, parts.port or 80)
    return parts._replace(netloc=f"{host}:{port}").geturl()
