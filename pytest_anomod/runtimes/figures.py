"""Resource figures of a service, summed over its process and the children of that."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Stats
from pytest_anomod.runtimes import processes
from pytest_anomod.runtimes.cgroups import ControlGroup

if TYPE_CHECKING:
    import psutil


def measure(pid: int, started: float | None) -> Stats | None:
    """CPU, memory, disk bytes and threads now; None when that very process is gone.

    Disk bytes are 0 where the platform does not tell. Memory is resident memory; of children only what they don't
    share, where the platform tells: a store's buffers would else count once for every connection that touched them.
    """
    import psutil

    if started is not None and not processes.is_same(pid, started):
        return None
    try:
        main = psutil.Process(pid)
        family = [main, *_children(main)]
        state = main.status()
    except psutil.Error:
        return None
    if state == psutil.STATUS_ZOMBIE:
        return None
    cpu_s, memory, read, written, threads = 0.0, 0, 0, 0, 0
    for process in family:
        with contextlib.suppress(psutil.Error), process.oneshot():  # a child may end while we look
            times = process.cpu_times()
            cpu_s += times.user + times.system
            cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)  # those that ended
            resident = process.memory_info()
            memory += resident.rss - (getattr(resident, "shared", 0) if process is not main else 0)
            threads += process.num_threads()
            if hasattr(process, "io_counters"):
                counters = process.io_counters()
                read += counters.read_bytes
                written += counters.write_bytes
    return Stats(
        time_unix_nano=clock.now_ns(),
        cpu_s=cpu_s,
        memory_bytes=memory,
        read_bytes=read,
        written_bytes=written,
        threads=threads,
        stopped=state == psutil.STATUS_STOPPED,
    )


def measure_group(group: ControlGroup, pid: int, started: float | None) -> Stats | None:
    """The same of all that runs in a container, programs of faults included, since the container started.

    Memory is what is used less the page cache that is idle. None when the process, and so the container, is gone.
    """
    state = processes.state(pid)
    if not state or (started is not None and not processes.is_same(pid, started)):
        return None
    try:
        cpu_s, (_, memory), (read, written), tasks = (
            group.cpu_s(), group.memory_bytes(), group.disk_bytes(), group.tasks()
        )  # fmt: skip
    except DeploymentError:  # it ended while we looked
        return None
    return Stats(
        time_unix_nano=clock.now_ns(),
        cpu_s=cpu_s,
        memory_bytes=memory,
        read_bytes=read,
        written_bytes=written,
        threads=max(1, tasks - 1),  # the container's init is none of the service's
        stopped=state == "T",
    )


def _children(main: psutil.Process) -> list[psutil.Process]:
    """All descendants. Linux lists a process's children; psutil would look at every process of the machine for them."""
    import psutil

    if not Path(f"/proc/{main.pid}/task/{main.pid}/children").exists():
        return main.children(recursive=True)
    found: list[psutil.Process] = []
    waiting = [main.pid]
    while waiting:
        for pid in _children_of(waiting.pop()):
            waiting.append(pid)
            with contextlib.suppress(psutil.Error):  # it may end while we look
                found.append(psutil.Process(pid))
    return found


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except OSError:
        return []
    return children
