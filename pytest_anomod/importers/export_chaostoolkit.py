"""A scenario as a Chaos Toolkit experiment that needs nothing of ours: the frame of the compiled one, with other means.

The compiled experiment (chaos/compile.py) names our own functions. What they do is done here by chaostoolkit-kubernetes
(module chaosk8s), which creates and deletes the Chaos Mesh resource of the fault; where it has none, by `blade`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_anomod.chaos.compile import compile_experiment
from pytest_anomod.importers.manifest import manifest
from pytest_anomod.injectors.chaos_mesh.resources import GROUP, VERSION, plural
from pytest_anomod.model import journal as names

if TYPE_CHECKING:
    from pytest_anomod.model.scenario import Scenario

ENTRY = "entry_url"
_KEPT = ("title", "description", "tags")


def write(scenario: Scenario, lost: list[str], *, namespace: str, label: str) -> str:
    """The experiment as JSON; ScenarioError when neither Chaos Mesh nor blade has it."""
    compiled = compile_experiment(scenario, {}, injector="native", records="")
    inject, recover = _means(scenario, lost, namespace, label)
    waits = scenario.durations
    document: dict[str, Any] = {key: compiled[key] for key in _KEPT}
    document["configuration"] = {ENTRY: {"type": "env", "key": "ENTRY_URL"}, **compiled.get("configuration", {})}
    title = compiled["steady-state-hypothesis"]["title"]
    document["steady-state-hypothesis"] = {"title": title, "probes": [{**_asks(), "tolerance": 200}]}
    # the toolkit's own default plays no rollback after a failure
    document["runtime"] = {"rollbacks": {"strategy": "always"}}
    document["method"] = inject or [_asks()]
    document["method"][0]["pauses"] = {"before": waits.baseline_s, "after": waits.anomaly_s}
    document["rollbacks"] = recover
    for last in recover[-1:]:
        last["pauses"] = {"after": waits.recovery_s}
    lost.append("the users: one GET of ENTRY_URL before and after the method stands for them")
    if not scenario.is_control:
        lost.append("the second GET is sent while the fault is in: an effect on users is a deviation there")
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _asks() -> dict[str, Any]:
    provider = {"type": "http", "url": f"${{{ENTRY}}}", "method": "GET", "timeout": 5}
    return {"type": "probe", "name": names.STEADY, "provider": provider}


def _means(
    scenario: Scenario, lost: list[str], namespace: str, label: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What puts the fault in, and what takes it out."""
    if scenario.is_control:
        return [], []
    if scenario.fault.name in _BLADE:
        return _by_blade(scenario, lost)
    return _by_chaos_mesh(scenario, lost, namespace, label)


def _by_chaos_mesh(
    scenario: Scenario, lost: list[str], namespace: str, label: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    resource = manifest(scenario, lost, namespace=namespace, label=label)
    which = {"group": GROUP, "version": VERSION, "plural": plural(resource["kind"]), "ns": namespace}
    lost.append("chaosk8s does not wait until the fault is in: look at AllInjected of the resource")
    create = _python(names.INJECT, "create_custom_object", {**which, "resource": resource})
    delete = _python(names.RECOVER, "delete_custom_object", {**which, "name": resource["metadata"]["name"]})
    return [create], [delete]


def _python(name: str, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    provider = {"type": "python", "module": "chaosk8s.crd.actions", "func": function, "arguments": arguments}
    return {"type": "action", "name": name, "provider": provider}


def _by_blade(scenario: Scenario, lost: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    words = _BLADE[scenario.fault.name]
    uid = f"anomod-{scenario.name.replace('_', '-')}"
    lost.append("the machine: blade must be on the one whose containers are meant, and the experiment run there")
    timeout = f"{scenario.durations.anomaly_s + 60:.0f}"
    create = ["create", *words, "--container-name", scenario.target, "--uid", uid, "--timeout", timeout]
    return [_blade(names.INJECT, create)], [_blade(names.RECOVER, ["destroy", uid])]


_BLADE = {"pause_service": ("cri", "process", "stop", "--process", ".")}
"""What blade does to a container and Chaos Mesh to none."""


def _blade(name: str, words: list[str]) -> dict[str, Any]:
    return {"type": "action", "name": name, "provider": {"type": "process", "path": "blade", "arguments": words}}
