"""Resources of Chaos Mesh as its API takes them: kinds and their plurals, which pods they choose, for how long."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_anomod.model.fault import Json

GROUP, VERSION = "chaos-mesh.org", "v1alpha1"
API = f"{GROUP}/{VERSION}"
APP = "app"
"""The key of the label by which `means.manifest` names a service."""
ONE_SHOT = ("pod-kill", "container-kill")
"""Actions that are over at once: they take no duration, and there is nothing to recover."""
PER_POD = ("PodNetworkChaos", "PodHttpChaos", "PodIOChaos")
"""Kinds of its own that hold what is in a pod, by its name: in the way of its next fault if one hangs."""

Form = Mapping[str, Json]
"""Kind and spec of a resource, as `means.manifest` gives them."""


def plural(kind: str) -> str:
    """What the API calls resources of a kind."""
    return "schedules" if kind == "Schedule" else kind.lower()


def key_of(kind: str) -> str:
    """The key under which a Schedule or a Workflow holds the spec of a kind: podChaos, dnsChaos, ioChaos."""
    head = next((word for word in ("HTTP", "DNS", "JVM", "AWS", "GCP", "IO") if kind.startswith(word)), kind[:1])
    return head.lower() + kind[len(head) :]


def action_of(form: Form) -> str:
    """Kind and action in two words, as the API has them: "NetworkChaos delay", "HTTPChaos abort", "StressChaos cpu"."""
    kind, spec = form["kind"], form["spec"]
    if kind == "Schedule":
        return action_of({"kind": spec["type"], "spec": spec[key_of(spec["type"])]})
    what = spec.get("action") or next(iter(spec.get("stressors", ())), "")
    what = what or next((name for name in ("abort", "delay", "replace") if spec.get(name)), "")
    return f"{kind} {what}".strip()


def repeated(form: Form, period_s: float) -> dict[str, Any]:
    """A Schedule that does it again and again; without a limit to what it remembers it may stop by itself."""
    when = {"schedule": f"@every {period_s:g}s", "type": form["kind"], "concurrencyPolicy": "Forbid", "historyLimit": 1}
    return {"kind": "Schedule", "spec": {**when, key_of(form["kind"]): form["spec"]}}


def selecting(form: Form, namespace: str, labels: Callable[[Sequence[str]], Mapping[str, Json]]) -> dict[str, Any]:
    """The form with the pods of a namespace chosen as `labels` says for one or several services."""
    kind, spec = form["kind"], copy.deepcopy(dict(form["spec"]))
    inner = spec[key_of(spec["type"])] if kind == "Schedule" else spec
    for part in (inner, inner.get("target")):
        if isinstance(part, dict) and isinstance(part.get("selector"), dict):
            part["selector"] = {"namespaces": [namespace], **labels(services_of(part["selector"]))}
    return {"kind": kind, "spec": spec}


def services_of(selector: Mapping[str, Json]) -> tuple[str, ...]:
    """The services that a selector of `means.manifest` names."""
    if several := selector.get("expressionSelectors"):
        return tuple(several[0]["values"])
    return (selector["labelSelectors"][APP],)


def by_label(key: str) -> Callable[[Sequence[str]], dict[str, Json]]:
    """Chooses pods of services by one label, whose value is the service's name."""

    def chosen(services: Sequence[str]) -> dict[str, Json]:
        if len(services) == 1:
            return {"labelSelectors": {key: services[0]}}
        return {"expressionSelectors": [{"key": key, "operator": "In", "values": list(services)}]}

    return chosen


def lasting(form: Form, duration_s: float) -> dict[str, Any]:
    """The form with an end of its own, but for what is over at once."""
    kind, spec = form["kind"], copy.deepcopy(dict(form["spec"]))
    inner = spec[key_of(spec["type"])] if kind == "Schedule" else spec
    if inner.get("action") not in ONE_SHOT:
        inner["duration"] = f"{duration_s:g}s"
    return {"kind": kind, "spec": spec}


def whole(form: Form, *, name: str, namespace: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The resource, ready to be created."""
    metadata: dict[str, Json] = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": API, "kind": form["kind"], "metadata": metadata, "spec": form["spec"]}
