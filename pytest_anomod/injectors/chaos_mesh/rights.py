"""Rights that the injector chaos_mesh needs in the namespace of the pods, beside those of the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_anomod.host import cluster
from pytest_anomod.host.kube_rights import denied, role
from pytest_anomod.injectors.chaos_mesh.resources import GROUP
from pytest_anomod.model.fault import Json

RULES: tuple[Mapping[str, Sequence[str]], ...] = (
    # update: of finalizers, where a resource hangs in its deletion
    {"apiGroups": (GROUP,), "resources": ("*",), "verbs": ("get", "list", "create", "update", "delete")},
    {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get", "list", "create", "delete")},
    {"apiGroups": ("",), "resources": ("pods/exec",), "verbs": ("get", "create")},
)
"""Rules of a Role, as `rules` of its manifest has them."""


def missing(place: Mapping[str, Json], namespace: str) -> list[str]:
    """What of the rules we are not allowed in a namespace; DeploymentError without an answer."""
    return denied(place, namespace, RULES)


def examine() -> str:
    """The Role for a terminal, and what of it we lack; DeploymentError when no cluster answers."""
    import yaml

    place = cluster.place()
    namespace = str(place["namespace"] or "default")
    lacking = missing(place, namespace)
    lines = [
        "# only for --anomod-injector=chaos_mesh, besides the Role above:",
        yaml.safe_dump(role(namespace, "pytest-anomod-chaos-mesh", RULES), sort_keys=False).rstrip(),
        "",
        f"not allowed in namespace {namespace!r}: {', '.join(lacking)}; without these rights there is no chaos_mesh"
        if lacking
        else f"the injector chaos_mesh may do all that it does in namespace {namespace!r}",
    ]
    return "\n".join(lines)
