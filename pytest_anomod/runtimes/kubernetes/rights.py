"""What the runtime may have to be allowed: a Role of one namespace, and whether we have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_anomod.host.kube_rights import allowed, denied, role
from pytest_anomod.model.fault import Json

OF_POLICIES = ("get", "create", "delete", "deletecollection")
RULES: tuple[Mapping[str, Sequence[str]], ...] = (
    {
        "apiGroups": ("",),
        "resources": ("services", "secrets", "configmaps"),
        "verbs": ("get", "list", "create", "patch", "delete", "deletecollection"),
    },
    {
        "apiGroups": ("apps",),
        "resources": ("deployments",),
        "verbs": ("get", "list", "create", "patch", "delete", "deletecollection"),
    },
    {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get", "list", "watch", "delete")},
    {"apiGroups": ("",), "resources": ("pods/log", "endpoints"), "verbs": ("get",)},
    {"apiGroups": ("",), "resources": ("pods/portforward",), "verbs": ("get", "create")},
)
"""Rules of the Role, as `rules` of its manifest has them."""
WHERE_ALLOWED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "faults cpu_contention and memory_pressure": {
        "apiGroups": ("",), "resources": ("pods/resize",), "verbs": ("patch",)
    },
    "the fault network_partition": {
        "apiGroups": ("networking.k8s.io",), "resources": ("networkpolicies",), "verbs": OF_POLICIES
    },
    "StatefulSets among systems of yours": {
        "apiGroups": ("apps",), "resources": ("statefulsets",), "verbs": ("get", "list", "create", "patch", "delete")
    },
    "the events of pods among the logs": {"apiGroups": ("",), "resources": ("events",), "verbs": ("list", "watch")},
    "figures of other people's pods": {"apiGroups": ("metrics.k8s.io",), "resources": ("pods",), "verbs": ("list",)},
}  # fmt: skip
"""Rules that the Role may lack, and what there is not without them."""
OWN_NAMESPACES: Mapping[str, Sequence[str]] = {
    "apiGroups": ("",), "resources": ("namespaces",), "verbs": ("get", "list", "create", "delete")
}  # fmt: skip
"""What no Role can give: without it ANOMOD_KUBE_NAMESPACE must name a namespace that is there."""


def manifest(namespace: str, name: str = "pytest-anomod") -> dict[str, Json]:
    """The Role as kubectl takes it."""
    return role(namespace, name, (*RULES, *WHERE_ALLOWED.values()))


def missing(place: Mapping[str, Json], namespace: str) -> list[str]:
    """What of the rules we are not allowed in a namespace, such as "delete pods"; DeploymentError without an answer."""
    return denied(place, namespace, RULES)


def left_out(place: Mapping[str, Json], namespace: str) -> dict[str, list[str]]:
    """What there will not be, and what of the rules we are not allowed for it."""
    found = {what: denied(place, namespace, [rule]) for what, rule in WHERE_ALLOWED.items()}
    return {what: lacking for what, lacking in found.items() if lacking}


def may_make_namespaces(place: Mapping[str, Json]) -> bool:
    """Whether we may make and remove namespaces of our own."""
    return all(allowed(place, "", "", "namespaces", verb) for verb in OWN_NAMESPACES["verbs"])
