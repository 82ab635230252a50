"""The Chaos Mesh manifest of a scenario: the fault's own form, with a name, a namespace, the label of pods, an end."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pytest_anomod.injectors import chaos_mesh
from pytest_anomod.model.errors import ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.model.scenario import Scenario

VERSION = "chaos-mesh.org/v1alpha1"
_ONE_SHOT = ("pod-kill", "container-kill")
"""Actions that are over at once: they take no duration."""


def manifest(scenario: Scenario, lost: list[str], *, namespace: str, label: str) -> dict[str, Any]:
    """The whole resource; ScenarioError when there is none. What differs is added to `lost`."""
    if scenario.is_control:
        msg = f"{scenario.name!r} is a control: nothing is put in, so there is nothing to write"
        raise ScenarioError(msg)
    form = chaos_mesh.manifest(scenario.fault, scenario.target)
    if form is None:
        msg = f"Chaos Mesh has nothing like {scenario.fault!r}"
        raise ScenarioError(msg)
    spec = copy.deepcopy(dict(form["spec"]))
    for part in (spec, spec.get("target")):
        if isinstance(part, dict):
            _select(part, namespace, label)
    if spec.get("action") in _ONE_SHOT:
        lost.append("a kill is over at once there, and the window with it")
    else:
        spec["duration"] = f"{scenario.durations.anomaly_s:g}s"
    lost += list(_differences(scenario.fault.name))
    metadata = {"name": scenario.name.replace("_", "-").lower(), "namespace": namespace}
    return {"apiVersion": VERSION, "kind": form["kind"], "metadata": metadata, "spec": spec}


def _select(part: dict[str, Any], namespace: str, label: str) -> None:
    selector = part.get("selector")
    if not isinstance(selector, dict):
        return
    labels = selector.get("labelSelectors", {})
    selector["labelSelectors"] = {label if key == "app" else key: value for key, value in labels.items()}
    part["selector"] = {"namespaces": [namespace], **selector}


def _differences(fault: str) -> tuple[str, ...]:
    return _DIFFERENCES.get(fault, ())


_DIFFERENCES = {
    "cpu_contention": ("the budget: the load hurts only where the pod has a CPU limit",),
    "memory_pressure": ("the limit: the pod's own is what there is",),
    "disk_stress": ("the volume: /data/db stands in volumePath; write the pod's own",),
    "disk_throttle": ("the volume: /data/db stands in volumePath; write the pod's own",),
    "network_loss": ("loss of what comes in: there only what the pod sends is lost",),
    "network_bandwidth": ("the limit of what comes in: there only of what the pod sends",),
    "kill_service": ("the lives between two kills: the pod fails without a break, unless it is killed once",),
    "dns_failure": ("open connections: there they go on",),
    "http_abort": ("open connections: there they are left alone",),
    "http_delay": ("open connections: there they are left alone",),
}
