"""What `anomod doctor --kubernetes` says: which cluster, the Role, and what of it we lack."""

from __future__ import annotations

from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.runtimes.kubernetes import rights
from pytest_anomod.runtimes.kubernetes.api import Api


def examine() -> tuple[str, bool]:
    """Text for a terminal, and whether the runtime works there; DeploymentError when no cluster answers."""
    import yaml

    place = cluster.place()
    version: Any = Api(place).get("/version")
    own = not place["namespace"] and rights.may_make_namespaces(place)
    namespace = str(place["namespace"] or "default")
    missing = rights.missing(place, namespace)
    lines = [
        f"cluster: context {place['context'] or 'none, its own account'}, Kubernetes {version['gitVersion']}",
        f"namespace: {'one of its own for each deployment' if own else namespace}",
        "",
        yaml.safe_dump(rights.manifest(namespace), sort_keys=False).rstrip(),
        "",
    ]
    if missing:
        lines.append(f"not allowed in namespace {namespace!r}: {', '.join(missing)}")
    for what, denied in rights.left_out(place, namespace).items():
        lines.append(f"without these rights there are none: {what} ({', '.join(denied)})")
    if not own and not place["namespace"]:
        lines.append(
            f"not allowed: to make namespaces; set {cluster.NAMESPACE} to one that is there, and bind this Role in it"
        )
    works = not missing and (own or bool(place["namespace"]))
    lines.append("the runtime kubernetes works here" if works else "the runtime kubernetes does not work here yet")
    return "\n".join(lines), works
