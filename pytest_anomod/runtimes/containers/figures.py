"""Resource figures of containers: from their control groups on this machine, else from the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anomod.host import cgroups
from pytest_anomod.host.engine import container_figures
from pytest_anomod.host.figures import measure, measure_group
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
        if not remote:
            return None
        container = deployment.find()[instance.service][number - 1]
        return container_figures(deployment.client, container, instance.service)
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
