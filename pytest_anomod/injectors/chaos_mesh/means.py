"""Chaos Mesh's means: the resource that stands for each fault, where there is one that does the same."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pytest_anomod import faults
from pytest_anomod.faults._relay import RelayedFault
from pytest_anomod.faults._requests import RequestFault
from pytest_anomod.injectors.chaos_mesh.resources import APP, by_label, repeated
from pytest_anomod.model.fault import Fault, Json

Manifest = Mapping[str, Json]
_MONGODB_VOLUME = "/data/db"
_LIFE_S = 3
"""A pod that is killed more often than so has hardly come back: then it had better fail without a break."""


@functools.singledispatch
def manifest(fault: Fault, target: str) -> Manifest | None:
    """Kind and spec of the resource that does `fault` to all pods of `target`; None where there is none.

    A fault of one's own gets one by `@manifest.register` on a function of the same arguments, the first of its class.
    """
    return None


def why_not(fault: Fault) -> str:
    """Why Chaos Mesh has nothing that does a fault as it is declared."""
    if isinstance(fault, RequestFault) and fault.percent < 100:
        return f"its percentages are of pods, none of requests: declare percent=100 in place of {fault.percent:g}"
    if isinstance(fault, RelayedFault) and fault.off_s:
        return "what comes and goes is a resource made anew each time, which takes it longer than a turn: off_s=0"
    if isinstance(fault, faults.NetworkPartition):
        return "it drops packets and refuses none: declare how='drop'"
    if isinstance(fault, faults.MemoryPressure):
        return "of what fills the memory its own program is what the kernel kills: declare outcome='squeeze'"
    if isinstance(fault, faults.DiskThrottle):
        return "it slows calls and limits no bytes: declare writes_per_s"
    if isinstance(fault, faults.CodeDelay | faults.CodeException | faults.CodeReturn):
        return "it patches Java classes by their names, of which the fault says none"
    return "it has nothing like it"


def not_in_replicas(fault: Fault) -> str:
    """Why a fault would change nothing in the pods of a replica, as the runtime kubernetes makes them; "" if it would.

    They have no limits, so that the system is the same on every runtime, and need no DNS server.
    """
    match fault:
        case faults.CpuContention():
            return "its pods have no CPU limit, so cores that are loaded take nothing from them"
        case faults.MemoryPressure() | faults.DatabaseMemoryLimit():
            return "its pods have no memory limit, so memory that is filled beside them is the node's"
        case faults.DnsFailure():
            return "the names of its services are in the hosts files of its pods, which ask no DNS server"
    return ""


@manifest.register
def _cpu_contention(fault: faults.CpuContention, target: str) -> Manifest | None:
    return _resource("StressChaos", target, stressors={"cpu": {"workers": fault.burners, "load": 100}})


@manifest.register
def _memory_pressure(fault: faults.MemoryPressure, target: str) -> Manifest | None:
    """The program that fills, for which memory is squeezed; the limit is the container's own there."""
    if fault.outcome != "squeeze":
        return None
    return _resource("StressChaos", target, stressors={"memory": {"workers": 1, "size": f"{fault.spare_mb:g}MB"}})


@manifest.register
def _database_memory_limit(fault: faults.DatabaseMemoryLimit, target: str) -> Manifest | None:
    """A neighbour in the container that takes the rest; bites only where the container has a memory limit."""
    size = f"{100 - fault.percent_of_used:g}%"
    return _resource("StressChaos", target, stressors={"memory": {"workers": 1, "size": size}})


@manifest.register
def _disk_stress(fault: faults.DiskStress, target: str) -> Manifest | None:
    """The delay itself, on the volume of a MongoDB."""
    return _slow_volume(target, fault.stall_ms)


@manifest.register
def _disk_throttle(fault: faults.DiskThrottle, target: str) -> Manifest | None:
    """The wait that a limit on writes comes to, on the volume of a MongoDB; none for a limit on bytes alone."""
    if not fault.writes_per_s:
        return None
    return _slow_volume(target, 1e3 / fault.writes_per_s, methods=["write", "fsync"])


@manifest.register
def _network_delay(fault: faults.NetworkDelay, target: str) -> Manifest | None:
    # ours delays both ways; with this direction it delays what the pods send alone, so once in a round trip
    delay = {"latency": f"{2 * fault.delay_ms:g}ms", "jitter": f"{2 * fault.jitter_ms:g}ms", "correlation": "0"}
    return _network(fault, target, action="delay", delay=delay)


@manifest.register
def _network_loss(fault: faults.NetworkLoss, target: str) -> Manifest | None:
    loss = {"loss": f"{fault.percent:g}", "correlation": "0"}
    return _network(fault, target, action="loss", loss=loss)


@manifest.register
def _network_bandwidth(fault: faults.NetworkBandwidth, target: str) -> Manifest | None:
    # its "bps" are bytes a second, as tc's are
    bandwidth = {"rate": f"{fault.rate_kbit * 125:.0f}bps", "limit": 20_971_520, "buffer": 10_000}
    return _network(fault, target, action="bandwidth", bandwidth=bandwidth)


@manifest.register
def _network_partition(fault: faults.NetworkPartition, target: str) -> Manifest | None:
    """Packets that vanish; it refuses none."""
    if fault.how != "drop":
        return None
    peer = {"target": _pods(*fault.peers)}
    return _resource("NetworkChaos", target, action="partition", direction="both", **peer)


@manifest.register
def _dns_failure(fault: faults.DnsFailure, target: str) -> Manifest | None:
    """An error for every lookup; the DNS server of Chaos Mesh must be the pods' resolver for it."""
    return _resource("DNSChaos", target, action="error", patterns=[f"{peer}*" for peer in fault.peers])


@manifest.register
def _http_abort(fault: faults.HttpAbort, target: str) -> Manifest | None:
    return _http(fault, target, "Response", replace={"code": fault.status})


@manifest.register
def _http_delay(fault: faults.HttpDelay, target: str) -> Manifest | None:
    return _http(fault, target, "Request", delay=f"{fault.delay_ms:g}ms")


@manifest.register
def _kill_service(fault: faults.KillService, target: str) -> Manifest | None:
    """One kill, or one as often as a pod may come back; for a faster loop a pod that fails as long as it lasts."""
    if fault.once:
        return _resource("PodChaos", target, action="pod-kill")
    if fault.period_s < _LIFE_S:
        return _resource("PodChaos", target, action="pod-failure")
    return repeated(_resource("PodChaos", target, action="pod-kill"), fault.period_s)


@manifest.register
def _stop_service(fault: faults.StopService, target: str) -> Manifest | None:
    return _resource("PodChaos", target, action="pod-failure")


def _resource(kind: str, service: str, /, **spec: Json) -> Manifest:
    """The kind and the spec of a resource; `spec` is what goes with the selection of pods."""
    return {"kind": kind, "spec": {**_pods(service), **spec}}


def _pods(*services: str) -> Mapping[str, Json]:
    """All pods of some services, as Chaos Mesh selects them."""
    return {"mode": "all", "selector": by_label(APP)(services)}


def _slow_volume(target: str, delay_ms: float, **which: Json) -> Manifest:
    delay = {"volumePath": _MONGODB_VOLUME, "delay": f"{delay_ms:g}ms", "percent": 100}
    return _resource("IOChaos", target, action="latency", **delay, **which)


def _network(fault: RelayedFault, target: str, **what: Json) -> Manifest | None:
    """None for a fault that comes and goes: that is another resource, a Schedule."""
    return None if fault.off_s else _resource("NetworkChaos", target, **what, direction="to")


def _http(fault: RequestFault, target: str, side: str, **what: Json) -> Manifest | None:
    """Only for all requests, all the time: HTTPChaos has a percentage of pods, none of requests."""
    if fault.percent < 100 or fault.off_s:
        return None
    which: dict[str, Json] = {"target": side, "path": f"{fault.path}*", **what}
    if fault.method:
        which["method"] = fault.method
    if fault.header:
        which["request_headers"] = dict([fault.header.split(": ", 1)])
    return _resource("HTTPChaos", target, **which)
