"""Other people's manifests: read from files, looked through for services, made ready for a namespace of ours."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, KINDS

WORKLOADS = ("Deployment", "StatefulSet")
"""Kinds whose pods are services."""
COLLECTIONS: Mapping[str, tuple[str, str]] = {
    "ConfigMap": ("v1", "configmaps"),
    "Secret": ("v1", "secrets"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "Service": ("v1", "services"),
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "Job": ("batch/v1", "jobs"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
}
"""Kinds that are brought up, in this order, with the version and name of their collection."""
LEFT_OUT = ("Namespace", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceMonitor")
"""Kinds that a system does without in a namespace of ours: users come in by a Service, and there is one pod of each."""
_CLAIMS_END = {"whenDeleted": "Delete", "whenScaled": "Retain"}
"""What becomes of claims that a StatefulSet makes (Kubernetes 1.27): a service that was stopped has its data again."""
_KUSTOMIZE_S = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One service of manifests: what runs it, its Service (name and ports; "" for none), and its pods' labels."""

    name: str
    kind: str
    workload: str
    service: str
    ports: tuple[int, ...]
    labels: Mapping[str, str]
    template: Mapping[str, Any]


def read(paths: Sequence[str]) -> list[dict[str, Any]]:
    """All documents of files, folders and Kustomize directories; DeploymentError names the place that can't be read."""
    found = [document for path in paths for document in _read(Path(path))]
    for document in found:
        kind = document.get("kind", "")
        if kind not in COLLECTIONS and kind not in LEFT_OUT:
            name = (document.get("metadata") or {}).get("name", "")
            msg = (
                f"{kind or 'an object without a kind'} {name!r} can't be brought up in a namespace of ours; it takes "
                f"{', '.join(COLLECTIONS)}; leave it out, or name the namespace where it runs: namespace=..."
            )
            raise DeploymentError(msg)
    return found


def _read(path: Path) -> Iterator[dict[str, Any]]:
    import yaml

    if any((path / name).is_file() for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        texts = {path: _kustomized(path)}
    else:
        files = sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))
        try:
            texts = {file: file.read_text(encoding="utf-8") for file in (files if path.is_dir() else [path])}
        except OSError as error:
            msg = f"manifest {path} can't be read: {error.strerror or error}"
            raise DeploymentError(msg) from error
    for file, text in texts.items():
        try:
            documents = [document for document in yaml.safe_load_all(text) if document]
        except yaml.YAMLError as error:
            msg = f"manifest {file} is no YAML: {' '.join(str(error).split())}"
            raise DeploymentError(msg) from error
        for document in documents:
            yield from document["items"] if document.get("kind") == "List" else [document]


def _kustomized(path: Path) -> str:
    words = ["kubectl", "kustomize", str(path)] if shutil.which("kubectl") else ["kustomize", "build", str(path)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_KUSTOMIZE_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{path} is a Kustomize directory, and neither kubectl nor kustomize can build it: {error}"
        raise DeploymentError(msg) from error
    if done.returncode:
        msg = f"{' '.join(words)} failed: {done.stderr.strip()[:500]}"
        raise DeploymentError(msg)
    return done.stdout


def workloads(documents: Sequence[Mapping[str, Any]]) -> list[Workload]:
    """The services: each workload by the name of the Service that leads to its pods, else by its own."""
    services = [document for document in documents if document.get("kind") == "Service"]
    found = []
    for document in documents:
        if document.get("kind") not in WORKLOADS:
            continue
        template = document["spec"]["template"]
        labels = (template.get("metadata") or {}).get("labels") or {}
        leads = next((one for one in services if _leads_to(one, labels)), None)
        own = document["metadata"]["name"]
        found.append(
            Workload(
                name=leads["metadata"]["name"] if leads else own,
                kind=document["kind"],
                workload=own,
                service=leads["metadata"]["name"] if leads else "",
                ports=tuple(int(port["port"]) for port in leads["spec"].get("ports") or ()) if leads else (),
                labels=labels,
                template=template,
            )
        )
    return found


def as_compose(found: Sequence[Workload]) -> dict[str, Any]:
    """What a compose document would say of these services, for finding out engines, kinds and calls."""
    services = {}
    for one in found:
        container = one.template["spec"]["containers"][0]
        probe = container.get("readinessProbe") or container.get("livenessProbe") or {}
        service: dict[str, Any] = {
            "image": container.get("image", ""),
            "command": [*(container.get("command") or ()), *(container.get("args") or ())],
            "environment": {row["name"]: row.get("value", "") for row in container.get("env") or ()},
            "expose": [str(port) for port in one.ports],
        }
        if probe.get("httpGet"):
            asked = probe["httpGet"]
            port = one.ports[0] if one.ports else _number(asked, container)
            service["healthcheck"] = {"test": ["CMD", f"http://localhost:{port}{asked.get('path', '/')}"]}
        services[one.name] = service
    return {"name": "", "services": services}


def kinds_of(documents: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Collections of all that is made of documents and by us beside them, as in COLLECTIONS; workloads come first."""
    named = {COLLECTIONS[one["kind"]] for one in documents if one["kind"] in COLLECTIONS} | set(KINDS)
    return sorted(named, key=lambda kind: (kind[0] not in ("apps/v1", "batch/v1"), kind))


def placed(documents: Sequence[Mapping[str, Any]], deployment: str) -> list[tuple[str, dict[str, Any]]]:
    """Kind and object of each document that is brought up, in order, with our label on it and its pods."""
    order = list(COLLECTIONS)
    taken = [copy.deepcopy(dict(document)) for document in documents if document["kind"] in COLLECTIONS]
    for document in taken:
        metadata = document["metadata"]
        metadata.pop("namespace", None)
        metadata["labels"] = {**(metadata.get("labels") or {}), DEPLOYMENT: deployment}
        if document.get("spec", {}).get("volumeClaimTemplates"):  # whose claims would outlive their StatefulSet
            document["spec"]["persistentVolumeClaimRetentionPolicy"] = dict(_CLAIMS_END)
        template = document.get("spec", {}).get("template")
        if template is not None:
            inner = template.setdefault("metadata", {})
            inner["labels"] = {**(inner.get("labels") or {}), DEPLOYMENT: deployment}
    taken.sort(key=lambda document: order.index(document["kind"]))
    return [(document["kind"], document) for document in taken]


def service_of(services: Sequence[Mapping[str, Any]], name: str, labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Of Services that have an address the one of that name, else one that leads to pods of these labels, or None."""
    reached = [
        one for one in services if one["spec"].get("clusterIP") != "None" and one["spec"].get("type") != "ExternalName"
    ]
    named = [one for one in reached if one["metadata"]["name"] == name]
    return next(iter((*named, *(one for one in reached if _leads_to(one, labels)))), None)


def _leads_to(service: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    selector = service["spec"].get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def _number(asked: Mapping[str, Any], container: Mapping[str, Any]) -> int:
    port = asked["port"]
    named = {row.get("name"): row["containerPort"] for row in container.get("ports") or ()}
    return int(named.get(port, port))
