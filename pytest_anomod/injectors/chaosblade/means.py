"""ChaosBlade's means: the arguments of `blade create` for each fault, or why it has no equivalent."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_anomod import faults
from pytest_anomod.faults.pause_service import processes
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Fault, Json
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Arguments of `blade create` for a process of this machine, with placeholders that `values` fills.

    With `every_s` it is done again and again at that pace, and in the first `away_s` seconds of each turn to every
    process that is there.
    """

    words: tuple[str, ...]
    every_s: float | None = None
    away_s: float = 0


@functools.singledispatch
def means(fault: Fault) -> Create | str:
    """The arguments of blade that inject a fault into one process and no other, or why there are none.

    A fault of one's own gets means by `@means.register` on a function of one argument of its class; `values` as well,
    if it has placeholders other than {pid}.
    """
    return f"ChaosBlade has no {fault.name}"


@functools.singledispatch
def values(fault: Fault, deployment: Deployment, target: str) -> Mapping[str, Json]:
    """What the placeholders stand for now; originals that `recover` needs are remembered here first."""
    return {"pid": instance_of(deployment, target).pid}


@means.register
def _kill(fault: faults.KillService) -> Create | str:
    """One kill of the very process; ChaosBlade has no loop, so whoever drives it kills again."""
    words = ("process", "kill", "--pid", "{pid}", "--signal", "9")
    return Create(words=words) if fault.once else Create(words=words, every_s=fault.period_s, away_s=fault.away_s)


@means.register
def _pause(fault: faults.PauseService) -> Create | str:
    return Create(words=("process", "stop", "--pid", "{pids}"))


@values.register(faults.PauseService)
def _pids(fault: Fault, deployment: Deployment, target: str) -> Mapping[str, Json]:
    """All its processes: blade stops those that it is told, and no children of theirs."""
    return {"pids": ",".join(str(process.pid) for process in processes(deployment, target))}


@means.register
def _limit_redis(fault: faults.RedisMemoryLimit) -> Create | str:
    """In bytes: a percentage is of maxmemory there, and loses its last digit; of a stock Redis that is no limit."""
    if fault.policy != "noeviction":
        return "blade sets maxmemory and no policy, so nothing would be evicted"
    return Create(words=("redis", "cache-limit", "--addr", "{address}", "--size", "{limit_bytes}"))


@values.register(faults.RedisMemoryLimit)
def _limit(fault: faults.RedisMemoryLimit, deployment: Deployment, target: str) -> Mapping[str, Json]:
    """The limit of this moment; the originals are remembered, as blade keeps them in the very Redis it limits."""
    measured = fault.measure(deployment, target)
    if (policy := measured["originals"]["maxmemory-policy"]) != fault.policy:
        msg = f"Redis {target!r} has the policy {policy!r}, and blade can't make it {fault.policy!r}"
        raise InjectionError(msg)
    return {"address": "{}:{}".format(*instance_of(deployment, target).address), **measured}


@means.register(faults.DatabaseMemoryLimit)
@means.register(faults.MemoryPressure)
def _no_memory(fault: Fault) -> Create | str:
    return "blade's memory load fills the memory of this whole machine and puts no limit on the target"


@means.register
def _no_cpu(fault: faults.CpuContention) -> Create | str:
    return "blade's cpu load fills the cores of this whole machine and puts no limit on the target"


@means.register
def _no_disk(fault: faults.DiskStress) -> Create | str:
    size_gib = 100 * fault.block_kb * fault.writers >> 20
    return (
        f"blade's disk burn would fill {size_gib} GiB of this machine's disk, and what it started writes on after its "
        "end"
    )


@means.register(faults.NetworkDelay)
@means.register(faults.NetworkLoss)
def _no_interface(fault: Fault) -> Create | str:
    return "blade replaces the queue of a whole interface: here that is the loopback device of this machine"


@means.register
def _no_partition(fault: faults.NetworkPartition) -> Create | str:
    return "blade drops packets by address, and knows the services of a deployment by no address"


@means.register
def _no_stop(fault: faults.StopService) -> Create | str:
    return "blade stops a process with SIGSTOP, which leaves its name and its port where they were"
