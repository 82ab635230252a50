"""Carries faults out by Chaos Mesh, as resources that are created and deleted; the probe decides whether it worked.

How to undo it is written down first. Deleting the resource undoes it, then the probe looks. If a resource hangs, or a
fault stays, its finalizers are emptied, Chaos Mesh's records of the pods are deleted, then the pods themselves. Pods
that are not ours are deleted only where their owner allows kill_service; else it is said what stays.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_anomod import faults
from pytest_anomod.host import cluster
from pytest_anomod.injectors.chaos_mesh import probes, resources, rights, status, trial
from pytest_anomod.injectors.chaos_mesh.api import Mesh, selector
from pytest_anomod.injectors.chaos_mesh.means import manifest, not_in_replicas, why_not
from pytest_anomod.injectors.chaos_mesh.probes import View
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Pods
from pytest_anomod.model.errors import DeploymentError, InjectionError, ScenarioError
from pytest_anomod.model.fault import Fault, Json, Level, Observation
from pytest_anomod.model.runtime import need
from pytest_anomod.model.system import Manifests

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System

DEADLINE_S = 4 * 7_200
"""Chaos Mesh's own time limit: after the longest case there can be. The guardian is there long before."""
INJECTED_S, DELETED_S, GONE_S, NEW_PODS_S = 30.0, 15.0, 10.0, 60.0
"""How long it may take to say that a fault is in, to delete, to be gone to the eye, and for pods to come back."""
FAILED_S = 10.0
"""For how long it may say that it failed: it tries again."""
UNDO_S, UNDO_THEIRS_S = 1.2, 8.0
"""The same of a deletion where nobody is left to look: the guardian gives faults of ours little time.

Where pods can't be replaced, what hurried deletion would leave in them stays: it is given more.
"""
LABEL = "pytest-anomod/fault"


class ChaosMeshInjector:
    """Creates and deletes resources of Chaos Mesh; their status is recorded, and is not evidence."""

    name = "chaos_mesh"

    def check(self) -> None:
        """ScenarioError when there is no cluster, no Chaos Mesh in it, or a right that is lacking.

        Rights are asked for in the namespace that is ours to use. Where we make namespaces, what we may do in one is
        not known before; the first trial shows it.
        """
        try:
            where = cluster.place()
            kinds = served(str(where["kubeconfig"]), str(where["context"]))
            here = str(where["namespace"])
            lacking = rights.missing(where, here) if kinds and here else []
        except (DeploymentError, ImportError) as error:
            msg = f"injector {self.name!r} needs a cluster: {error}"
            raise ScenarioError(msg) from error
        if not kinds:
            msg = (
                f"injector {self.name!r} needs Chaos Mesh in the cluster of context {where['context']!r}: its API "
                f"server serves nothing of {resources.API}"
            )
            raise ScenarioError(msg)
        if lacking:
            msg = (
                f"injector {self.name!r} is not allowed in namespace {here!r}: {', '.join(lacking)}; "
                "`anomod doctor --kubernetes` prints the Role that is needed"
            )
            raise ScenarioError(msg)

    def refusal(self, fault: Fault, target: str, system: System, runtime: Runtime) -> str:
        """Why Chaos Mesh can't really inject this fault into this target, in the present cluster; "" when it can."""
        if fault.level is Level.NORMAL:
            return ""
        form = manifest(fault, target)
        if form is None or not probes.has_probe(fault):
            why = why_not(fault) if form is None else "nothing sees it from outside"
            return f"Chaos Mesh can't do {fault.name!r} truly: {why}"
        if runtime.lacks(system, target, frozenset({Pods})):
            return (
                f"Chaos Mesh acts on pods, which runtime {runtime.name!r} has not; choose --anomod-runtime=kubernetes"
            )
        if runtime.name == "kubernetes" and system.deploy(Manifests) is None and (why := not_in_replicas(fault)):
            return f"Chaos Mesh can't do {fault.name!r} to a replica: {why}; leave injector chaos_mesh out"
        try:
            where = cluster.place()
            kinds = served(str(where["kubeconfig"]), str(where["context"]))
            if form["kind"] not in kinds:
                return f"Chaos Mesh of this cluster has no {form['kind']}"
            return trial.refusal(where, resources.action_of(form))
        except (DeploymentError, ImportError) as error:
            return f"Chaos Mesh can't be asked: {error}"

    def prepare(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """See that the fault would do something to the target, and remember what its probe compares with."""
        if fault.level is Level.NORMAL:
            return
        if isinstance(fault, probes.BY_OWN):
            fault.prepare(deployment, target)
        view = View.of(deployment, target)
        if not view.ready():
            msg = f"{target!r} has no pod that is ready"
            raise InjectionError(msg)
        deployment.originals.remember(probes.key(target), probes.before(fault, view))

    def inject(self, fault: Fault, deployment: Deployment, target: str) -> Json:
        """Create the resource and wait until it is injected; else delete it and raise InjectionError."""
        if fault.level is Level.NORMAL:
            return {}
        if deployment.originals.recall(probes.key(target)) is None:
            self.prepare(fault, deployment, target)
        view = View.of(deployment, target)
        body = self._body(fault, view)
        kept = {
            "place": dict(view.found.place),
            "namespace": view.found.namespace,
            "kind": body["kind"],
            "name": body["metadata"]["name"],
            "labels": dict(view.found.labels),
            "replaceable": view.found.replaceable,
            "ref": dict(deployment.ref),
        }
        entry = deployment.undo.record({"op": "injector", "injector": self.name, "entry": kept})
        deployment.originals.remember(_key(fault, target), {**kept, "entry": entry})
        view.mesh.create(body)
        said = self._await_word(fault, view, kept)
        return {"resource": f"{kept['kind']} {kept['name']}", "spec": body["spec"], "said": said}

    def active(self, fault: Fault, deployment: Deployment, target: str) -> Observation:
        """What the probe sees now; the resource's status is not used."""
        if fault.level is Level.NORMAL:
            return fault.active(deployment, target)
        return probes.seen(fault, View.of(deployment, target))

    def recover(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Delete the resource and see that the fault is gone; else the cure, then new pods. InjectionError at last.

        Pods that may not be replaced get the time that new ones would take.
        """
        kept = deployment.originals.recall(_key(fault, target))
        if kept is None:
            return
        view = View.of(deployment, target)
        view.mesh.delete(kept["kind"], kept["name"])
        deleted = _within(DELETED_S, lambda: view.mesh.get(kept["kind"], kept["name"]) is None)
        if not deleted:
            view.mesh.cure(kept["kind"], kept["name"])
        if not _within(GONE_S, lambda: self._is_over(fault, view)):
            if view.found.replaceable:
                view.mesh.delete_pods(view.found.labels)
            if not _within(NEW_PODS_S, lambda: self._is_over(fault, view)):
                evidence = dict(self.active(fault, deployment, target).evidence)
                where = "in new pods too" if view.found.replaceable else "whose pods are not ours to replace"
                msg = f"{fault.name!r} is still seen on {target!r}, {where}, after its recovery: {evidence}"
                raise InjectionError(msg)
        deployment.undo.done(kept["entry"])
        deployment.originals.forget(_key(fault, target))
        deployment.originals.forget(probes.key(target))

    def undo(self, entry: Mapping[str, Json]) -> None:
        """Undo by the entry alone, in any process and with the deployment dead or alive; idempotent.

        Nobody looks here, and little time is left: what does not go at once is met by the cure, and with new pods.
        InjectionError says what stays in pods that may not be replaced.
        """
        mesh, replaceable = Mesh(entry["place"], entry["namespace"]), entry.get("replaceable", False)
        mesh.delete(entry["kind"], entry["name"])
        limit_s = UNDO_S if replaceable else UNDO_THEIRS_S
        if _within(limit_s, lambda: mesh.get(entry["kind"], entry["name"]) is None):
            return
        mesh.cure(entry["kind"], entry["name"])
        if not replaceable:
            msg = (
                f"{entry['kind']} {entry['name']} hung in its deletion and was forced to go: what it did may still be "
                f"in the pods {selector(entry['labels'])} of namespace {entry['namespace']!r}, which are not ours; "
                "have them made anew, or allow=['kill_service']"
            )
            raise InjectionError(msg)
        mesh.delete_pods(entry["labels"])

    def _body(self, fault: Fault, view: View) -> dict[str, Json]:
        """The resource for the pods of now."""
        form = manifest(fault, view.target)
        if form is None:
            msg = f"{fault.name!r} can't be put into {view.target!r} by Chaos Mesh: {why_not(fault)}"
            raise InjectionError(msg)
        fitted = fit(resources.lasting(form, DEADLINE_S), fault, view)
        chosen = resources.selecting(fitted, view.found.namespace, lambda services: _labels(view, services))
        name, labels = f"anomod-{uuid.uuid4().hex[:10]}", {LABEL: fault.name.replace("_", "-")}
        return resources.whole(chosen, name=name, namespace=view.found.namespace, labels=labels)

    def _await_word(self, fault: Fault, view: View, kept: Mapping[str, Json]) -> dict[str, Json]:
        """What Chaos Mesh says once it believes the fault to be in, or the probe sees it; else InjectionError."""
        kind, name = kept["kind"], kept["name"]
        if kind == "Schedule":
            return {}  # it has no word of its own
        found = status.await_word(lambda: view.mesh.get(kind, name), timeout_s=INJECTED_S, failed_s=FAILED_S)
        said = status.told(found)
        if status.is_injected(found) or self.active(fault, view.deployment, view.target):
            return said
        why = said["failure"] or f"it says {said['conditions'] or 'nothing'} within {INJECTED_S:g} s"
        try:
            self.undo(kept)
            deployment = view.deployment
            deployment.undo.done(deployment.originals.recall(_key(fault, view.target))["entry"])
            deployment.originals.forget(_key(fault, view.target))
        except DeploymentError:
            pass  # the undo entry stays open; the first trouble is what is told
        except InjectionError as error:
            why = f"{why}; {error}"
        msg = f"Chaos Mesh did not put {fault.name!r} into {view.target!r}: {why}"
        raise InjectionError(msg)

    def _is_over(self, fault: Fault, view: View) -> bool:
        """Whether the fault is no longer seen, and the target has pods that are ready again."""
        try:
            return bool(view.ready()) and not self.active(fault, view.deployment, view.target)
        except (DeploymentError, InjectionError):
            return False  # a pod that is being replaced can't be looked into


@functools.cache
def served(kubeconfig: str, context: str) -> frozenset[str]:
    """The kinds of Chaos Mesh that a cluster serves; asked once a process."""
    return Mesh({"kubeconfig": kubeconfig, "context": context}, "default").kinds()


def fit(form: resources.Form, fault: Fault, view: View) -> dict[str, Json]:
    """The form with what only the pods tell: the port, the volume, how much memory is free."""
    kind, spec = form["kind"], dict(form["spec"])
    if kind == "HTTPChaos":
        if not view.found.port:
            msg = f"the port of {view.target!r} is not known, so its requests can't be intercepted"
            raise InjectionError(msg)
        spec["port"] = view.found.port
    if kind == "IOChaos":
        spec["volumePath"] = view.before["volume"]
    if kind == "StressChaos" and "memory" in spec["stressors"]:
        # in bytes: its percentages are of what its own program sees, the node's memory
        free = view.before["limit_bytes"] - view.before["used_bytes"]
        share = 1 - fault.percent_of_used / 100 if isinstance(fault, faults.DatabaseMemoryLimit) else 0.9
        spec["stressors"] = {"memory": {"workers": 1, "size": f"{max(1, int(share * free) >> 20)}MB"}}
    if "containerNames" not in spec and kind in ("StressChaos", "IOChaos", "DNSChaos"):
        spec["containerNames"] = [view.found.container]
    return {"kind": kind, "spec": spec}


def _labels(view: View, services: Sequence[str]) -> dict[str, Json]:
    """Labels that choose the pods of some services, as their runtime says."""
    found = [need(view.deployment, Pods, service).where().labels for service in services]
    if len(found) == 1:
        return {"labelSelectors": dict(found[0])}
    same = {key: value for key, value in found[0].items() if all(one.get(key) == value for one in found)}
    differ = sorted({key for one in found for key in one if key not in same})
    if len(differ) != 1 or any(set(one) != set(found[0]) for one in found):
        msg = f"the pods of {', '.join(services)} are told apart by no single label"
        raise InjectionError(msg)
    several = {"key": differ[0], "operator": "In", "values": [one[differ[0]] for one in found]}
    return {"labelSelectors": same, "expressionSelectors": [several]}


def _within(seconds: float, condition: object) -> bool:
    try:
        clock.wait_until(condition, timeout_s=seconds, what="", every_s=0.2)  # type: ignore[arg-type]
    except TimeoutError:
        return False
    return True


def _key(fault: Fault, target: str) -> str:
    return f"chaos_mesh {fault.name} {target}"
