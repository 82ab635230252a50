"""The Chaos Mesh manifest of a scenario: the fault's own form, with a name, a namespace, the label of pods, an end."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

from pytest_anomod.importers.chaos_mesh_faults import key_of
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
    on_s, off_s = (getattr(scenario.fault, name, 0) for name in ("on_s", "off_s"))
    fault = dataclasses.replace(scenario.fault, off_s=0) if off_s else scenario.fault  # type: ignore[type-var]
    form = chaos_mesh.manifest(fault, scenario.target)
    if form is None:
        msg = f"Chaos Mesh has nothing like {scenario.fault!r}"
        raise ScenarioError(msg)
    kind, spec = form["kind"], copy.deepcopy(dict(form["spec"]))
    for part in (spec, spec.get("target")):
        if isinstance(part, dict):
            _select(part, namespace, label)
    if spec.get("action") in _ONE_SHOT:
        lost.append("a kill is over at once there, and the window with it")
    else:
        spec["duration"] = f"{on_s if off_s else scenario.durations.anomaly_s:g}s"
    if off_s:
        kind, spec = "Schedule", _repeated(kind, spec, on_s + off_s)
        lost.append("the end: a Schedule goes on until it is deleted")
    lost += list(_differences(scenario.fault.name))
    metadata = {"name": scenario.name.replace("_", "-").lower(), "namespace": namespace}
    return {"apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def plural(kind: str) -> str:
    """What the API calls resources of a kind."""
    return "schedules" if kind == "Schedule" else kind.lower()


def _repeated(kind: str, spec: dict[str, Any], period_s: float) -> dict[str, Any]:
    # without a limit to what it remembers, a Schedule may stop by itself
    when = {"schedule": f"@every {period_s:g}s", "type": kind, "concurrencyPolicy": "Forbid", "historyLimit": 1}
    return {**when, key_of(kind): spec}


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
