"""Rights in a Kubernetes cluster: a Role as kubectl takes it, and which of its rules we are allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.model.fault import Json

Rule = Mapping[str, Sequence[str]]
"""As `rules` of a Role's manifest has them: apiGroups, resources, verbs."""


def role(namespace: str, name: str, rules: Sequence[Rule]) -> dict[str, Json]:
    """The manifest of a Role."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{key: list(words) for key, words in rule.items()} for rule in rules],
    }


def denied(place: Mapping[str, Json], namespace: str, rules: Sequence[Rule]) -> list[str]:
    """What of the rules we are not allowed in a namespace, such as "delete pods"; DeploymentError without an answer."""
    return [
        f"{verb} {resource}{f'.{group}' if group else ''}"
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not allowed(place, namespace, group, resource, verb)
    ]


def allowed(place: Mapping[str, Json], namespace: str, group: str, resource: str, verb: str) -> bool:
    """Whether the API server would let us, by its own word (SelfSubjectAccessReview)."""
    from kubernetes import client

    resource, _, subresource = resource.partition("/")
    asked = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": subresource}
    review: Any = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    with cluster.translated("our rights can't be asked for"):
        said: Any = client.AuthorizationV1Api(cluster.connect(place)).create_self_subject_access_review(review)
    return bool(said.status.allowed)
