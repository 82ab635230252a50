"""How Chaos Mesh would be told of a fault: a resource of some kind, for all pods of the target."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_anomod.model.fault import Json


def resource(kind: str, service: str, /, **spec: Json) -> Mapping[str, Json]:
    """The kind and the spec of a resource; `spec` is what goes with the selection of pods."""
    return {"kind": kind, "spec": {**pods(service), **spec}}


def pods(service: str) -> Mapping[str, Json]:
    """All pods of a service, as Chaos Mesh selects them."""
    return {"mode": "all", "selector": {"labelSelectors": {"app": service}}}
