"""The objects that a part of a replica is made of: a Deployment of one pod, and a Service with its ports."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, SERVICE
from pytest_anomod.runtimes.kubernetes.helpers import inside

BASE_PORT = 20_000
"""First port of the parts, each of which has an address of its own."""
INSIDE_PORT = 19_999
"""Where the first process of each container answers (helpers/inside.py)."""
DIRECTORY, GIVEN, OURS = "/deployment", "/given", "/ours"
CONTAINER = "main"
HOST_PART = "host"
"""The part that plans the deployment, fills its stores and answers for their metrics."""
GIVEN_NAME, OURS_NAME = "anomod-given", "anomod-ours"
"""Names of the Secret with what parts are given, and of the ConfigMap with our program."""
USER = 1000
"""Whom the image runs as; PostgreSQL refuses root."""


def named(ref: Mapping[str, Any], part: str) -> str:
    """Name of the objects of a part: its own in a namespace of ours, else with the deployment's id before it."""
    return str(ref["prefix"]) + part


def labels(ref: Mapping[str, Any], part: str = "") -> dict[str, str]:
    """Labels of an object of a deployment."""
    return {DEPLOYMENT: str(ref["id"]), **({SERVICE: part} if part else {})}


def secret(ref: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Files that parts are given: name in the directory of the deployment -> text."""
    data = {name.replace("/", "__"): base64.b64encode(text.encode()).decode() for name, text in files.items()}
    return {"kind": "Secret", "apiVersion": "v1", "metadata": _metadata(ref, GIVEN_NAME), "data": data}


def our_program(ref: Mapping[str, Any]) -> dict[str, Any]:
    """The program that starts each container's own."""
    source = Path(inside.__file__).read_text()
    data = {"inside.py": source}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": _metadata(ref, OURS_NAME), "data": data}


def service(ref: Mapping[str, Any], part: str, ports: Sequence[int]) -> dict[str, Any]:
    """The Service of a part: one address for its ports, which are those of the container."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": _metadata(ref, part, part),
        "spec": {"selector": labels(ref, part), "ports": service_ports(ports)},
    }


def service_ports(ports: Sequence[int]) -> list[dict[str, Any]]:
    """Ports as a Service has them."""
    return [{"name": f"p{port}", "port": port, "targetPort": port, "protocol": "TCP"} for port in ports]


def deployment(
    ref: Mapping[str, Any], part: str, *, argv: Sequence[str], probe_port: int, aliases: Mapping[str, str]
) -> dict[str, Any]:
    """The Deployment of a part, whose names of other parts are in its hosts file.

    `argv` is its program; it has begun once it listens on `probe_port`.
    """
    first = ["python3", "-I", "-S", f"{OURS}/inside.py", str(INSIDE_PORT), GIVEN, DIRECTORY, part, "--", *argv]
    container = {
        "name": CONTAINER,
        "image": ref["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": first,
        "startupProbe": {"tcpSocket": {"port": probe_port}, "periodSeconds": 1, "failureThreshold": 240},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "deployment", "mountPath": DIRECTORY},
            {"name": "given", "mountPath": GIVEN, "readOnly": True},
            {"name": "ours", "mountPath": OURS, "readOnly": True},
        ],
    }
    spec = {
        "containers": [container],
        "hostname": part,
        "hostAliases": [{"ip": ip, "hostnames": [name]} for name, ip in aliases.items()],
        # all names there are stand in the hosts file; for others nobody waits
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"], "options": [{"name": "timeout", "value": "1"}]},
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "volumes": [
            {"name": "deployment", "emptyDir": {}},
            {"name": "given", "secret": {"secretName": named(ref, GIVEN_NAME)}},
            {"name": "ours", "configMap": {"name": named(ref, OURS_NAME)}},
        ],
    }
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": _metadata(ref, part, part),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels(ref, part)},
            "template": {"metadata": {"labels": labels(ref, part)}, "spec": spec},
        },
    }


def _metadata(ref: Mapping[str, Any], name: str, part: str = "") -> dict[str, Any]:
    return {"name": named(ref, name), "labels": labels(ref, part)}
