"""A receiver of ours for services that export over OTLP already: on the gateway address of the deployment's network."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host.engine import translated
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import ComposeFiles

if TYPE_CHECKING:
    import docker

    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

SIGNALS = ("traces", "metrics", "logs")
TRACE_PORTS = {"jaeger": 16_686, "zipkin": 9_411}
"""Where servers of the files are asked for the traces that they keep."""
OTLP_PORT = 4_318
_OTLP = "OTEL_EXPORTER_OTLP_"


def make_network(
    client: docker.DockerClient, document: Mapping[str, Any], project: str, service: str, labels: Mapping[str, str]
) -> str:
    """Make the first network of a service before compose, which takes it for its own; the address of its gateway."""
    key = next(iter(document["services"][service].get("networks") or {"default": None}))
    described = (document.get("networks") or {}).get(key) or {}
    name = str(described["name"]) if described.get("external") else f"{project}_{key}"
    driver = described.get("driver") or "bridge"
    if driver != "bridge":
        msg = f"network {key!r}: driver: {driver} has no address of this machine; leave {service!r} out of otlp="
        raise DeploymentError(msg)
    marks = {**labels, "com.docker.compose.network": key, "com.docker.compose.project": project}
    with translated(f"network {name} was not made"):
        if not described.get("external"):
            client.api.create_network(
                name,
                driver=driver,
                labels=marks,
                internal=bool(described.get("internal")),
                options=described.get("driver_opts"),
                ipam=_addresses(described.get("ipam") or {}),
            )
        return _gateway(key, client.api.inspect_network(name)["IPAM"]["Config"][0])


def _addresses(ipam: Mapping[str, Any]) -> Any:
    """What a document says of a network's addresses, as the engine takes it; None where the engine may choose."""
    from docker.types import IPAMConfig, IPAMPool

    pools = [
        IPAMPool(
            subnet=one.get("subnet"),
            iprange=one.get("ip_range"),
            gateway=one.get("gateway"),
            aux_addresses=one.get("aux_addresses"),
        )
        for one in ipam.get("config") or ()
    ]
    return IPAMConfig(driver=ipam.get("driver") or "default", pool_configs=pools) if pools else None


def _gateway(key: str, pool: Mapping[str, str]) -> str:
    """The address of this machine in a network; engines do not tell it of a subnet that was given: its first then."""
    if pool.get("Gateway"):
        return pool["Gateway"].partition("/")[0]
    if pool.get("IPRange"):
        msg = f"network {key!r}: ipam: ip_range without a gateway: give one, as services in otlp= export to it"
        raise DeploymentError(msg)
    return str(next(ipaddress.ip_network(pool["Subnet"]).hosts()))


def trace_servers(deploys: ComposeFiles) -> dict[str, tuple[str, int, str]]:
    """Servers of the files that keep traces, and the ports by which they are asked; these are published by us."""
    named = {"jaeger": deploys.jaeger, "zipkin": deploys.zipkin}
    return {kind: (service, TRACE_PORTS[kind], "tcp") for kind, service in named.items() if service}


def collector(deploys: ComposeFiles, document: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """The service and port that `forward` leads to, which is published by us; None for a place outside the files."""
    parts = urlsplit(deploys.forward)
    found = next((name for name in document["services"] if name.lower() == parts.hostname), None)
    return None if found is None else (found, parts.port or OTLP_PORT, "tcp")


def start_receiver(gateway: str, directory: Path, forward_to: str) -> OtlpReceiver:
    """A receiver that listens there; it ends with this process. "" is for sending nothing on."""
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

    directory.mkdir(mode=0o700, exist_ok=True)
    receiver = OtlpReceiver(host=gateway, directory=directory, forward_to=forward_to or None)
    receiver.start()
    return receiver


def protocol_of(receiver: OtlpReceiver) -> str:
    """The OTLP protocol for services: what the receiver understands."""
    return "http/protobuf" if receiver.reads_protobuf else "http/json"


def told(document: Mapping[str, Any], services: Sequence[str], receiver: OtlpReceiver) -> dict[str, dict[str, str]]:
    """Variables for services, so that they export over HTTP to us, soon after each span, under their own names."""
    protocol = protocol_of(receiver)
    found = {}
    for name in services:
        environment = document["services"][name].get("environment") or {}
        words = {f"{_OTLP}ENDPOINT": receiver.url, f"{_OTLP}PROTOCOL": protocol, "OTEL_SERVICE_NAME": name}
        words |= {"OTEL_BSP_SCHEDULE_DELAY": "250", "OTEL_BLRP_SCHEDULE_DELAY": "250"}
        for signal in SIGNALS:  # the address of one signal counts more than that of all
            if f"{_OTLP}{signal.upper()}_ENDPOINT" in environment:
                words[f"{_OTLP}{signal.upper()}_ENDPOINT"] = f"{receiver.url}/v1/{signal}"
            if f"{_OTLP}{signal.upper()}_PROTOCOL" in environment:
                words[f"{_OTLP}{signal.upper()}_PROTOCOL"] = protocol
        found[name] = words
    return found
