"""What services in the cluster export over OTLP: a pod of ours takes it, the watcher hands it to our receiver here."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host.state import make_directory
from pytest_anomod.runtimes.kubernetes import objects
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, path_of
from pytest_anomod.runtimes.kubernetes.helpers import otlp_sink

if TYPE_CHECKING:
    from pytest_anomod.runtimes.kubernetes.others import OthersDeployment
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

SINK = "anomod-otlp"
PORT = 4318
INBOX = "otlp"
FORMAT = "otlp:"
"""How the format of a log begins that is no log, but payloads for the receiver whose URL follows."""
_GIVEN_S = 10.0


def bring_up(deployment: OthersDeployment, forward: str) -> tuple[OtlpReceiver, str, dict[str, Any]]:
    """The receiver here, the address of the pod's Service there, and what the watcher is to be told of the pod."""
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

    receiver = OtlpReceiver(directory=make_directory(deployment.directory / INBOX), forward_to=forward or None)
    receiver.start()
    name = f"{deployment.ref['prefix']}{SINK}"  # two workers may share a namespace
    ref = {**deployment.ref, "prefix": f"{name}-", "image": deployment.ref["relay_image"]}
    labels = {DEPLOYMENT: str(deployment.ref["id"]), "pytest-anomod/sink": "otlp"}
    source = Path(otlp_sink.__file__).read_text()
    made = objects.deployment(ref, SINK, argv=["python3", "-c", source, str(PORT)], probe_port=PORT, aliases={})
    made["metadata"] = {"name": name, "labels": labels}
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = labels
    service = {"metadata": made["metadata"], "spec": {"selector": labels, "ports": [{"port": PORT}]}}
    for version, kind, value in (
        ("v1", "secrets", objects.secret(ref, {"secret/token": deployment.token()})),
        ("v1", "configmaps", objects.our_program(ref)),
        ("apps/v1", "deployments", made),
    ):
        deployment.api.create(path_of(version, kind, deployment.namespace), value)
    address = deployment.api.create(path_of("v1", "services", deployment.namespace), service)["spec"]["clusterIP"]
    return receiver, str(address), {"labels": labels, "container": objects.CONTAINER, "format": FORMAT + receiver.url}


def told(document: Mapping[str, Any], service: str, address: str, *, protobuf: bool) -> None:
    """Have the containers of a workload export to the sink, soon after each span, under its service's name.

    The sink is told by its address: names are not resolved in every cluster.
    """
    words = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}:{PORT}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf" if protobuf else "http/json",
        "OTEL_SERVICE_NAME": service,
        "OTEL_BSP_SCHEDULE_DELAY": "250",
        "OTEL_BLRP_SCHEDULE_DELAY": "250",
    }
    for container in document["spec"]["template"]["spec"]["containers"]:
        kept = [row for row in container.get("env") or () if row["name"] not in words]
        container["env"] = [*kept, *({"name": name, "value": value} for name, value in words.items())]


def hand_on(url: str, lines: Sequence[bytes]) -> None:
    """Give payloads that the sink said to the receiver; lines that are none are left out."""
    import requests

    for line in lines:
        try:
            said = json.loads(line)
            body, headers = base64.b64decode(said["body"]), {"Content-Type": said["type"]}
        except (ValueError, KeyError, TypeError):
            continue
        if said["packing"]:
            headers["Content-Encoding"] = said["packing"]
        requests.post(url + said["otlp"], data=body, headers=headers, timeout=_GIVEN_S)
