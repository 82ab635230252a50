"""The runtime for who has a Kubernetes cluster: a pod for each service and store, in a namespace of ours."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import cluster, processes
from pytest_anomod.host.locks import boot_lock
from pytest_anomod.host.state import make_directory
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, Listener, Pods, Programs, StoreLogin
from pytest_anomod.model.errors import AnomodError, DeploymentError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import Manifests, System
from pytest_anomod.runtimes.foreground import UpInForeground
from pytest_anomod.runtimes.kubernetes import groups, policies
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, KINDS, OWNER, SYSTEM, Api, path_of
from pytest_anomod.runtimes.kubernetes.boot import Boot
from pytest_anomod.runtimes.kubernetes.capabilities import OF_PODS
from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment
from pytest_anomod.runtimes.kubernetes.manifests import COLLECTIONS
from pytest_anomod.runtimes.kubernetes.others import NEEDS_ALLOWANCE, OthersDeployment
from pytest_anomod.runtimes.kubernetes.others_boot import OthersBoot
from pytest_anomod.runtimes.replica import check_taken, host_options, lacking, no_replica, package_of
from pytest_anomod.runtimes.running.rules import REVERSIBLE, WHY_NOT
from pytest_anomod.safety import sessions
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian
from pytest_anomod.safety.undo import recover_within, remove_tree

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

IMAGE = "ANOMOD_KUBE_IMAGE"
"""Environment variable that names the image of the replicas as the cluster's nodes know it."""
NAMESPACE_GONE_S = 60.0
"""A guardian gives it less, and asks again."""
_FOLDERS = ("logs", "spans", "undo", "secret")
_numbers = itertools.count(1)
_receivers: dict[str, OtlpReceiver] = {}
"""Receivers of this process's deployments, by directory."""


class KubernetesRuntime(UpInForeground):
    """Brings replicas up as pods of a cluster; whatever happens to its caller, nothing of them stays."""

    name = "kubernetes"
    capabilities = frozenset(OF_PODS)

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the needs that a service will not have."""
        asked = system.deploy(Manifests)
        if asked is None:
            return lacking(system, service, needs, self.capabilities)
        has = {Pods, Programs, Listener} | ({StoreLogin} if service in asked.logins else set())
        if asked.paths or NEEDS_ALLOWANCE & set(asked.allow):
            has |= {Lifecycle}
        return needs - has

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can."""
        return "" if system.deploy(Manifests) else no_replica(system, "there is no image of it, and no manifests")

    def refusal_of_fault(self, system: System, service: str, fault: str) -> str:
        """Why a fault is not put into a system that is not ours, or into pods of this cluster; "" when it may be."""
        asked = system.deploy(Manifests)
        if asked is None:
            return _refusal_of_cluster(fault)
        if asked.paths or fault in REVERSIBLE or fault in asked.allow:
            return ""
        return (
            f"{fault!r} is not put into system {system.name!r}, which is not ours: "
            f"{WHY_NOT.get(fault, 'it is not known to leave no trace')}; "
            f"allow it by kubernetes_system(..., allow=({fault!r},))"
        )

    def check(self) -> None:
        """ScenarioError that says what is missing, here or in the cluster; called at collection."""
        try:
            Api(cluster.place()).get("/version")
        except ImportError as error:
            msg = f'the runtime kubernetes needs the client ({error}): pip install "pytest-anomod[kubernetes]"'
            raise ScenarioError(msg) from error
        except DeploymentError as error:
            raise ScenarioError(str(error)) from error

    def up(
        self,
        system: System,
        session: Session,
        *,
        entry_port: int | None = None,
        seed: int = 1,
        coverage: bool = True,
        telemetry: bool = True,
    ) -> KubernetesDeployment | OthersDeployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up, and why."""
        check_taken(self.refusal(system))
        if entry_port is not None:
            msg = (
                "the runtime kubernetes gives the entry an address of the cluster, not a port here: leave the port out"
            )
            raise DeploymentError(msg)
        options = host_options(None, seed=seed, coverage=coverage, telemetry=telemetry)
        place = cluster.place()
        ensure_guardian(session.directory)
        with boot_lock(f"{system.name} of {session.run_id}/{session.worker}", alone=True):
            deployment = _prepare(system, session, place)
            deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
            try:
                _make_namespace(deployment)
                if isinstance(deployment, OthersDeployment):
                    boot = OthersBoot(deployment, system)
                    try:
                        boot.run()
                    finally:
                        if boot.receiver is not None:
                            _receivers[str(deployment.directory)] = boot.receiver
                else:
                    Boot(deployment, system, options).run()
            except BaseException:  # an interrupt too must not leave half a system
                with contextlib.suppress(AnomodError):  # the first error says more; the guardian has what stays
                    self.down(deployment)
                raise
        return deployment

    def attach(self, ref: Mapping[str, Json]) -> KubernetesDeployment | OthersDeployment:
        """The deployment behind a ref, from any process; what is asked of one that is gone raises DeploymentError."""
        return KubernetesDeployment(ref) if ref["image"] else OthersDeployment(ref)

    def down(self, deployment: KubernetesDeployment | OthersDeployment) -> None:
        """Take it down; no namespace, object, program or file of it is left on return; idempotent.

        What ran in a namespace of its owner stays: faults that are still in it are taken out.

        DeploymentError when the cluster does not answer: then its journal stays open, for `anomod clean`.
        """
        receiver = _receivers.pop(str(deployment.directory), None)
        if receiver is not None:
            receiver.close()
        if deployment.ref["ours"]:
            deployment.programs.end_all()
            try:
                _remove(deployment.api, deployment.ref)
            except TimeoutError as error:
                msg = f"{deployment.system!r} is not gone from the cluster yet: {error}; anomod clean asks again"
                raise DeploymentError(msg) from error
        elif deployment.directory.exists():
            recover_within(deployment.ref, deployment.undo.open_entries())
            deployment.programs.end_all()
        remove_tree(deployment.directory)
        deployment.undo.deployment_is_down(deployment.directory)

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions of this user left; one line per thing removed. Living ones are not touched."""
        return sessions.sweep()


def _prepare(system: System, session: Session, place: Mapping[str, Any]) -> KubernetesDeployment | OthersDeployment:
    """The directory of a deployment to be, with its token, and its ref."""
    asked = system.deploy(Manifests)
    name = f"{next(_numbers)}-{package_of(system) if asked is None else system.name}".replace("/", "_")
    directory = make_directory(session.directory / "deployments" / name)
    for folder in _FOLDERS:
        make_directory(directory / folder)
    token_file = directory / "undo" / "token"
    with open(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secrets.token_urlsafe(32))
    own = re.sub(r"[^a-z0-9]+", "-", f"anomod-{session.directory.name}-{name}".lower())[-40:].strip("-")
    theirs = asked.namespace if asked else ""
    shared = theirs or str(place["namespace"])
    return KubernetesRuntime().attach(
        {
            "runtime": "kubernetes",
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "token_file": str(token_file),
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
            "id": own,
            "place": dict(place),
            "namespace": shared or f"anomod-{own.removeprefix('anomod-')}",
            "prefix": f"a{secrets.token_hex(2)}-" if shared else "",
            "ours": not theirs,
            "image": "" if asked else _image(),
            "relay_image": _image(),
        }
    )


def _refusal_of_cluster(fault: str) -> str:
    """Why the cluster does not let us put a fault into pods of ours; "" when it does, or does not answer."""
    asked = {**dict.fromkeys(groups.FAULTS, groups.refusal_at), policies.FAULT: policies.refusal_at}
    if fault not in asked:
        return ""
    try:
        why = asked[fault](cluster.place())
    except (DeploymentError, ImportError):  # `check` says that, once for all tests
        return ""
    return f"{fault!r} can't be put into pods: {why}" if why else ""


def _image() -> str:
    """The image that belongs to this very code, or the one that ANOMOD_KUBE_IMAGE names."""
    from pytest_anomod.runtimes.docker.image import image_name

    return os.environ.get(IMAGE) or image_name()


def _make_namespace(deployment: KubernetesDeployment | OthersDeployment) -> None:
    """A namespace of the deployment's own, unless it was given one."""
    if deployment.ref["prefix"]:
        return
    metadata = {
        "name": deployment.namespace,
        "labels": {DEPLOYMENT: deployment.ref["id"], SYSTEM: deployment.system},
        "annotations": {OWNER: deployment.ref["tag"]},
    }
    deployment.api.create("/api/v1/namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata})


def _remove(api: Api, ref: Mapping[str, Any]) -> None:
    """Remove the namespace of a deployment, or what is in another by its label, and wait until it is gone."""
    namespace, selector = str(ref["namespace"]), f"{DEPLOYMENT}={ref['id']}"
    if not ref["prefix"]:
        path = f"/api/v1/namespaces/{namespace}"
        if api.delete(path) is not None:
            for pod in (api.get(f"{path}/pods") or {}).get("items", ()):  # whatever time they want for their end
                api.delete(path_of("v1", "pods", namespace, pod["metadata"]["name"]), grace_s=0)
        clock.wait_until(
            lambda: api.delete(path) is None, timeout_s=NAMESPACE_GONE_S, what=f"the end of namespace {namespace}",
            every_s=0.5,
        )  # fmt: skip
        return
    for version, kind in KINDS if ref["image"] else COLLECTIONS.values():
        path = path_of(version, kind, namespace)
        for found in (api.get(path, labelSelector=selector) or {}).get("items", ()):
            api.delete(path_of(version, kind, namespace, found["metadata"]["name"]))
    with contextlib.suppress(DeploymentError):  # who may not list them has made none
        path = path_of(*policies.KIND, namespace)
        api.delete(path, labelSelector=selector)
    pods = path_of("v1", "pods", namespace)
    clock.wait_until(
        lambda: not (api.get(pods, labelSelector=selector) or {}).get("items"),
        timeout_s=NAMESPACE_GONE_S,
        what=f"the end of the pods of {ref['id']} in {namespace}",
        every_s=0.5,
    )


OFFERS = (KubernetesRuntime(),)
