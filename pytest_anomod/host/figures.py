"""Resource figures of a service, summed over its process and the children of that."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Sequence

from pytest_anomod.host import processes
from pytest_anomod.host.cgroups import ControlGroup
from pytest_anomod.host.proc_files import ProcFiles
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Stats

_IDENTITIES: dict[tuple[int, float], bytes] = {}
"""Start in ticks of processes (pid, start time) that were found to be the ones meant."""


def measure(pid: int, started: float | None) -> Stats | None:
    """CPU, memory, disk bytes and threads now; None when that very process is gone.

    Disk bytes are 0 where the platform does not tell. Memory is resident memory; of children only what they don't
    share, where the platform tells: a store's buffers would else count once for every connection that touched them.
    """
    if _proc_tells():
        return _measure_by_proc(pid, started)
    import psutil

    if started is not None and not processes.is_same(pid, started):
        return None
    try:
        main = psutil.Process(pid)
        family = [main, *main.children(recursive=True)]
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


@functools.cache
def _proc_tells() -> bool:
    """Whether there is a /proc that lists the children of a process, as some kernels are built without."""
    return os.path.exists("/proc/thread-self/children")


def _measure_by_proc(pid: int, started: float | None) -> Stats | None:
    """The same, read from the kernel's own files: once a second for each service, a library's objects cost too much."""
    main = _fields(pid)
    if main is None or main[0] in (b"Z", b"X"):
        return None
    if started is not None and not _is_same(pid, started, main[19]):
        return None
    files = _files()
    cpu_ticks, pages, threads, read, written = 0, 0, 0, 0, 0
    waiting: list[tuple[int, list[bytes] | None]] = [(pid, main)]
    while waiting:
        member, fields = waiting.pop()
        if fields is None:  # it ended while we looked
            continue
        waiting += [(child, _fields(child)) for child in _children_of(member, fields)]
        cpu_ticks += sum(map(int, fields[11:15]))  # its own, and of its children that ended
        threads += int(fields[17])
        size = files.read(f"/proc/{member}/statm", fields[19]).split()
        pages += int(size[1]) - (int(size[2]) if member != pid else 0) if size else 0
        moved = files.read(f"/proc/{member}/io", fields[19]).split()  # name: bytes, in pairs
        if len(moved) >= 12:
            read, written = read + int(moved[9]), written + int(moved[11])
    return Stats(
        time_unix_nano=clock.now_ns(),
        cpu_s=cpu_ticks / os.sysconf("SC_CLK_TCK"),
        memory_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        read_bytes=read,
        written_bytes=written,
        threads=threads,
        stopped=main[0] == b"T",
    )


def _is_same(pid: int, started: float, ticks: bytes) -> bool:
    """Whether a process that started at so many ticks is the one meant; a pid that we knew is known again by them."""
    if _IDENTITIES.get((pid, started)) == ticks:
        return True
    if not processes.is_same(pid, started):
        return False
    if len(_IDENTITIES) > 10_000:
        _IDENTITIES.clear()
    _IDENTITIES[pid, started] = ticks
    return True


def _fields(pid: int) -> list[bytes] | None:
    """Fields of /proc/PID/stat from the state on; None when it is gone."""
    return _files().read(f"/proc/{pid}/stat").rpartition(b")")[2].split() or None


def _children_of(pid: int, fields: Sequence[bytes]) -> list[int]:
    """Children of a process; a process of one thread needs no list of its threads."""
    tasks = [str(pid)]
    if fields[17] != b"1":
        with contextlib.suppress(OSError):
            tasks = os.listdir(f"/proc/{pid}/task")
    read = _files().read
    return [int(child) for task in tasks for child in read(f"/proc/{pid}/task/{task}/children", fields[19]).split()]


@functools.cache
def _files() -> ProcFiles:
    """The files that are read once a second: a share of those that this process may have open."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return ProcFiles(2_000 if most == resource.RLIM_INFINITY else min(2_000, most // 4))
