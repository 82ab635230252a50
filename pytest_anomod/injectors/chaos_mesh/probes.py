"""Probes of faults that Chaos Mesh injected: at the pods and from inside their containers, never by the resource.

Faults that show in the network are seen by the fault's own probe; here are those whose own probe depends on our means.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_anomod import faults
from pytest_anomod.injectors.chaos_mesh import inside
from pytest_anomod.injectors.chaos_mesh.api import Mesh
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Pods, PodsOf
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Fault, Json, Observation
from pytest_anomod.model.runtime import instance_of, need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

BY_OWN = (faults.HttpAbort, faults.HttpDelay, faults.NetworkBandwidth, faults.NetworkDelay, faults.NetworkLoss)
"""Faults whose own probe sees them from where users are, whatever put them in."""
LOOK_S = 0.5
"""Between two readings of a counter."""
_YOUNG_S = 3.0
"""A pod that has been ready for less was killed just now."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A target of a fault: its pods, how they are found, and what was remembered of them before."""

    deployment: Deployment
    target: str
    found: PodsOf
    mesh: Mesh
    before: Mapping[str, Json]

    @classmethod
    def of(cls, deployment: Deployment, target: str) -> View:
        """As it is now."""
        found = need(deployment, Pods, target).where()
        before = deployment.originals.recall(key(target)) or {}
        mesh = Mesh(found.place, found.namespace)
        return cls(deployment=deployment, target=target, found=found, mesh=mesh, before=before)

    def pods(self) -> list[dict[str, Any]]:
        """The pods that are not on their way out."""
        return [pod for pod in self.mesh.pods(self.found.labels) if "deletionTimestamp" not in pod["metadata"]]

    def ready(self) -> list[dict[str, Any]]:
        """Those of them that are ready."""
        return [pod for pod in self.pods() if _ready_since_s(pod) is not None]

    def run(self, script: str, timeout_s: float = 10.0) -> tuple[int, str]:
        """Run a line of shell in the first pod's container; InjectionError where there is no pod."""
        pods = self.pods()
        if not pods:
            msg = f"{self.target!r} has no pod now"
            raise InjectionError(msg)
        argv = ["sh", "-c", script]
        return self.mesh.execute(pods[0]["metadata"]["name"], self.found.container, argv, timeout_s)


def key(target: str) -> str:
    """Under which what a probe compares with is remembered."""
    return f"chaos_mesh before {target}"


@functools.singledispatch
def before(fault: Fault, view: View) -> dict[str, Json]:
    """What the probe of a fault must know of the target as it was; InjectionError where the fault would do nothing."""
    return {}


@functools.singledispatch
def seen(fault: Fault, view: View) -> Observation:
    """Whether a fault is in, by what its own probe sees."""
    return fault.active(view.deployment, view.target)


def has_probe(fault: Fault) -> bool:
    """Whether the fault can be seen when Chaos Mesh puts it in."""
    registered = seen.dispatch(type(fault)) is not seen.dispatch(object)
    return registered or isinstance(fault, BY_OWN)


@before.register(faults.KillService)
@before.register(faults.StopService)
def _pods_before(fault: Fault, view: View) -> dict[str, Json]:
    return {"pods": sorted(pod["metadata"]["uid"] for pod in view.ready())}


@seen.register(faults.KillService)
def _killed(fault: faults.KillService, view: View) -> Observation:
    """Whether none of the pods of before is ready, and none else has been for long."""
    if not fault.once and fault.period_s < _YOUNG_S:  # pod-failure
        return _stopped(fault, view)
    left = {pod["metadata"]["uid"] for pod in view.ready()} & set(view.before.get("pods", ()))
    ages = [age for pod in view.ready() if (age := _ready_since_s(pod)) is not None]
    young_s = _YOUNG_S if fault.once else fault.period_s + _YOUNG_S
    killed = bool(view.before.get("pods")) and not left and all(age < young_s for age in ages)
    evidence = {"pods_left": len(left), "ready": len(ages), "youngest_s": round(min(ages), 1) if ages else None}
    return Observation(active=killed, evidence=evidence)


@seen.register(faults.StopService)
def _stopped(fault: Fault, view: View) -> Observation:
    """Whether no pod is ready and nobody answers."""
    ready, answers = len(view.ready()), view.deployment.answers(view.target)
    return Observation(active=not ready and not answers, evidence={"ready": ready, "answers": answers})


@before.register(faults.CpuContention)
def _cpu_before(fault: faults.CpuContention, view: View) -> dict[str, Json]:
    if not _limit(view, "cpu"):
        msg = f"the pods of {view.target!r} have no CPU limit, so cores that are loaded take nothing from them"
        raise InjectionError(msg)
    return {}


@seen.register(faults.CpuContention)
def _starved(fault: faults.CpuContention, view: View) -> Observation:
    """Whether the kernel holds the container to its limit in most of the periods, while it uses all of that."""
    first = inside.cpu(view.run)
    clock.sleep(LOOK_S)
    second = inside.cpu(view.run)
    periods = second["nr_periods"] - first["nr_periods"]
    throttled = second["nr_throttled"] - first["nr_throttled"]
    evidence = {"periods": periods, "throttled": throttled}
    return Observation(active=periods > 0 and throttled >= 0.5 * periods, evidence=evidence)


@before.register(faults.DatabaseMemoryLimit)
@before.register(faults.MemoryPressure)
def _memory_before(fault: Fault, view: View) -> dict[str, Json]:
    if not _limit(view, "memory"):
        msg = f"the pods of {view.target!r} have no memory limit, so memory that is filled beside them is the node's"
        raise InjectionError(msg)
    used, limit = inside.memory(view.run)
    return {"used_bytes": used, "limit_bytes": limit}


@seen.register(faults.DatabaseMemoryLimit)
@seen.register(faults.MemoryPressure)
def _pressed(fault: Fault, view: View) -> Observation:
    """Whether at least half of what was free before is taken."""
    used, limit = inside.memory(view.run)
    free = view.before.get("limit_bytes", limit) - view.before.get("used_bytes", used)
    taken = used - view.before.get("used_bytes", used)
    evidence = {"used_bytes": used, "limit_bytes": limit, "taken_bytes": taken}
    return Observation(active=free > 0 and taken >= 0.5 * free, evidence=evidence)


@before.register(faults.DiskStress)
@before.register(faults.DiskThrottle)
def _disk_before(fault: Fault, view: View) -> dict[str, Json]:
    volume = volume_of(view)
    if not volume:
        msg = f"the container of {view.target!r} has no volume of its own: Chaos Mesh slows files of a mount point only"
        raise InjectionError(msg)
    return {"volume": volume, "writes_s": inside.writes_s(view.run, volume)}


@seen.register(faults.DiskStress)
@seen.register(faults.DiskThrottle)
def _slowed(fault: faults.DiskStress | faults.DiskThrottle, view: View) -> Observation:
    """Whether small writes to the volume take as much longer."""
    if "volume" not in view.before:
        return Observation(active=False, evidence={"volume": None})
    wait_s = fault.stall_ms / 1e3 if isinstance(fault, faults.DiskStress) else 1 / fault.writes_per_s
    took_s = inside.writes_s(view.run, view.before["volume"])
    longer_s = (took_s - view.before["writes_s"]) / inside.WRITES
    evidence = {"longer_ms": round(1e3 * longer_s, 2), "expected_ms": round(1e3 * wait_s, 2)}
    return Observation(active=longer_s >= 0.6 * wait_s, evidence=evidence)


@seen.register(faults.DnsFailure)
def _unresolved(fault: faults.DnsFailure, view: View) -> Observation:
    """Whether the container resolves none of the peers, and still somebody else."""
    others = _others(view, fault.peers)
    resolved = inside.resolved(view.run, (*fault.peers, *others))
    here = sorted(set(fault.peers) & resolved)
    still = next((name for name in others if name in resolved), None)
    return Observation(active=not here and still is not None, evidence={"resolved": here, "still_resolved": still})


@seen.register(faults.NetworkPartition)
def _cut_off(fault: faults.NetworkPartition, view: View) -> Observation:
    """Whether the container reaches none of the peers, and still somebody else."""
    others = _others(view, fault.peers)
    wanted = {name: _address(view.deployment, name) for name in (*fault.peers, *others)}
    down = [name for name in fault.peers if wanted[name] is None]
    if down:
        return Observation(active=False, evidence={"down": down})
    known = {name: address for name, address in wanted.items() if address is not None}
    reached = inside.reached(view.run, known)
    here = sorted(set(fault.peers) & reached)
    still = next((name for name in others if name in reached), None)
    return Observation(active=not here and still is not None, evidence={"reached": here, "still_reached": still})


def volume_of(view: View) -> str:
    """Where the container has a volume that it may write to: not its secrets nor its configuration; "" for none."""
    for pod in view.pods()[:1]:
        kinds = {volume["name"]: set(volume) - {"name"} for volume in pod["spec"].get("volumes") or ()}
        for container in pod["spec"]["containers"]:
            for mount in container.get("volumeMounts") or () if container["name"] == view.found.container else ():
                given = kinds.get(mount["name"], set())
                if not mount.get("readOnly") and not given & {"secret", "configMap", "projected", "downwardAPI"}:
                    return str(mount["mountPath"])
    return ""


def _limit(view: View, what: str) -> str:
    for pod in view.pods()[:1]:
        for container in pod["spec"]["containers"]:
            if container["name"] == view.found.container:
                return str((container.get("resources", {}).get("limits") or {}).get(what, ""))
    return ""


def _others(view: View, peers: Sequence[str]) -> list[str]:
    """Some other services that run, those that speak HTTP first."""
    running = [one for one in view.deployment.instances() if one.state == "running"]
    names = [one.service for one in sorted(running, key=lambda one: one.engine != "http")]
    return [name for name in dict.fromkeys(names) if name not in (view.target, *peers)][:2]


def _address(deployment: Deployment, service: str) -> tuple[str, int] | None:
    return instance_of(deployment, service).inner_address


def _ready_since_s(pod: Mapping[str, Any]) -> float | None:
    """For how long a pod has been ready; None when it is not."""
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            since = dt.datetime.fromisoformat(condition["lastTransitionTime"].replace("Z", "+00:00"))
            return clock.now_ns() / clock.NS_PER_S - since.timestamp()
    return None
