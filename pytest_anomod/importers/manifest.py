"""The Chaos Mesh manifest of a scenario: the fault's own form, with a name, a namespace, the label of pods, an end."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pytest_anomod.injectors import chaos_mesh
from pytest_anomod.injectors.chaos_mesh import resources
from pytest_anomod.model.errors import ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.model.scenario import Scenario


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
    if off_s:
        form = resources.repeated(resources.lasting(form, on_s), on_s + off_s)
        lost.append("the end: a Schedule goes on until it is deleted")
    elif form["kind"] == "Schedule":
        lost.append("the end: a Schedule goes on until it is deleted")
    elif form["spec"].get("action") in resources.ONE_SHOT:
        lost.append("a kill is over at once there, and the window with it")
    else:
        form = resources.lasting(form, scenario.durations.anomaly_s)
    form = resources.selecting(form, namespace, resources.by_label(label))
    lost += list(_differences(scenario.fault.name))
    return resources.whole(form, name=scenario.name.replace("_", "-").lower(), namespace=namespace)


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
