"""Resource figures of containers: from their control groups on this machine, else from the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anomod.host import cgroups
from pytest_anomod.host.engine import translated
from pytest_anomod.host.figures import measure, measure_group
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Stats

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Instance
    from pytest_anomod.runtimes.containers.deployment import ContainersDeployment

_groups: dict[tuple[int, float | None], cgroups.ControlGroup | None] = {}
"""By the process that was found in it: a process keeps its group for life."""


def figures_of(deployment: ContainersDeployment, instance: Instance, number: int) -> Stats | None:
    """Those of one container; None while its program is not there."""
    if instance.pid is None:
        remote = not deployment.ref["local"] and instance.state == "running"
        return _from_engine(deployment, instance.service, number) if remote else None
    key = instance.pid, instance.start_time
    if key not in _groups:
        _groups[key] = cgroups.find(instance.pid)
    group = _groups[key]
    return measure(*key) if group is None else measure_group(group, *key)


def summed(figures: list[Stats | None]) -> Stats | None:
    """Those of all containers of a service together; None when none runs."""
    there = [one for one in figures if one is not None]
    if not there:
        return None
    return Stats(
        time_unix_nano=there[0].time_unix_nano,
        cpu_s=sum(one.cpu_s for one in there),
        memory_bytes=sum(one.memory_bytes for one in there),
        read_bytes=sum(one.read_bytes for one in there),
        written_bytes=sum(one.written_bytes for one in there),
        threads=sum(one.threads for one in there),
        stopped=all(one.stopped for one in there),
    )


def _from_engine(deployment: ContainersDeployment, service: str, number: int) -> Stats:
    container = deployment.find()[service][number - 1]
    with translated(f"the figures of {service!r} can't be had"):
        found = deployment.client.api.stats(container, stream=False, one_shot=True)
    moved = {"read": 0, "write": 0}
    for row in (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ():
        moved[row["op"].lower()] = moved.get(row["op"].lower(), 0) + row["value"]
    return Stats(
        time_unix_nano=clock.now_ns(),
        cpu_s=found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=found["memory_stats"].get("usage", 0),
        read_bytes=moved["read"],
        written_bytes=moved["write"],
        threads=found["pids_stats"].get("current", 0),
        stopped=False,
    )
