"""The objects of a campaign in a cluster: an Indexed Job, and where indexes have namespaces of their own, these."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model.fault import Json

CAMPAIGN = "pytest-anomod/campaign"
"""Label of all that belongs to a campaign, with its name; and annotation of its Job: what it was told, as JSON."""
HOME = "pytest-anomod/campaign-in"
"""Label of its namespaces besides: where its Job is. Campaigns in two namespaces may have one name."""
CONTAINER = "runner"
MOUNT = "/anomod-out"
TRIES = 4
"""How often an index is played again when its pod is lost or broken off."""
GRACE_S = 30
"""How long a pod that is to go may take to take its systems down."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign was told. `out` is a URL, a claim of a volume, or an absolute directory of the nodes.

    `namespace` is where its Job is; `account` is the service account of its pods, "" for the namespace's own. With
    `owns_namespaces` each index has a namespace NAME-INDEX, for the runtime kubernetes. `secrets` are names of Secrets
    whose keys become environment variables (the store's credentials), `env` others.
    """

    name: str
    namespace: str
    image: str
    indexes: int
    parallel: int
    out: str
    pytest: tuple[str, ...]
    owns_namespaces: bool = False
    account: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    cpu: str = ""
    memory: str = ""

    @property
    def is_url(self) -> bool:
        """Whether cases go to an object store."""
        return "://" in self.out

    def namespace_of(self, index: int) -> str:
        """Where an index has its systems."""
        return f"{self.name}-{index}"


def told(campaign: Campaign) -> str:
    """The campaign as its Job stores it, so that another process can watch it."""
    return json.dumps(dataclasses.asdict(campaign))


def remembered(text: str) -> Campaign:
    """The campaign that a Job remembers."""
    found = json.loads(text)
    return Campaign(**{**found, "pytest": tuple(found["pytest"]), "secrets": tuple(found["secrets"])})


def job(campaign: Campaign) -> dict[str, Json]:
    """The Job: each index once, again when its pod is lost, and not again when pytest can't take its command line."""
    policy = {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {
                "action": "FailIndex",
                "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [4]},
            },
        ]
    }
    labels = {CAMPAIGN: campaign.name}
    spec = {
        "suspend": campaign.owns_namespaces,
        "completionMode": "Indexed",
        "completions": campaign.indexes,
        "parallelism": campaign.parallel,
        "backoffLimitPerIndex": TRIES,
        "maxFailedIndexes": campaign.indexes,
        "podFailurePolicy": policy,
        "podReplacementPolicy": "Failed",  # no second pod of an index while the first may still write
        "template": {"metadata": {"labels": labels}, "spec": _pod(campaign)},
    }
    metadata = {"name": campaign.name, "labels": labels, "annotations": {CAMPAIGN: told(campaign)}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(campaign: Campaign) -> dict[str, Any]:
    place = campaign.out if campaign.is_url else MOUNT
    command = ["python3", "-m", "pytest_anomod.spreading.runner", "--of", str(campaign.indexes), "--out", place]
    if campaign.owns_namespaces:
        command += ["--namespaces", campaign.name]
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": campaign.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*command, "--", *campaign.pytest],
        "env": [{"name": name, "value": value} for name, value in campaign.env.items()],
        "envFrom": [{"secretRef": {"name": name}} for name in campaign.secrets],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    asked = {name: value for name, value in (("cpu", campaign.cpu), ("memory", campaign.memory)) if value}
    if asked:
        container["resources"] = {"requests": asked}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "containers": [container],
        "automountServiceAccountToken": campaign.owns_namespaces,
    }
    if campaign.account:
        pod["serviceAccountName"] = campaign.account
    if not campaign.is_url:
        kind = {"hostPath": {"path": campaign.out, "type": "DirectoryOrCreate"}}
        source = kind if campaign.out.startswith("/") else {"persistentVolumeClaim": {"claimName": campaign.out}}
        container["volumeMounts"] = [{"name": "out", "mountPath": MOUNT}]
        pod["volumes"] = [{"name": "out", **source}]
    return pod


def account(campaign: Campaign, uid: str) -> dict[str, Json]:
    """The service account of the pods, which goes with the Job of that uid."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": campaign.name, "uid": uid}
    labels = {CAMPAIGN: campaign.name}
    return {"metadata": {"name": campaign.account, "labels": labels, "ownerReferences": [owner]}}


def namespaces(campaign: Campaign, rules: Sequence[Mapping[str, Sequence[str]]]) -> list[tuple[str, dict[str, Json]]]:
    """Of each index its namespace, and a Role in it with its binding to the campaign's account: (kind, manifest)."""
    labels = {CAMPAIGN: campaign.name, HOME: campaign.namespace}
    subject = {"kind": "ServiceAccount", "name": campaign.account, "namespace": campaign.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pytest-anomod"}
    plain = [{key: list(words) for key, words in rule.items()} for rule in rules]
    made: list[tuple[str, dict[str, Json]]] = []
    for index in range(campaign.indexes):
        here = {"namespace": campaign.namespace_of(index), "name": "pytest-anomod", "labels": labels}
        made.append(("Namespace", {"metadata": {"name": campaign.namespace_of(index), "labels": labels}}))
        made.append(("Role", {"metadata": here, "rules": plain}))
        made.append(("RoleBinding", {"metadata": here, "roleRef": role, "subjects": [subject]}))
    return made
