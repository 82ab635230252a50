"""Private memory of the processes of a service, and the limit of each: where they are of this machine, by their pids.

The capability ProcessMemory says the same of processes that are elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.faults._processes import tree
from pytest_anomod.model.capability import LocalProcess, ProcessMemory
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def memory_of(deployment: Deployment, target: str) -> ProcessMemory:
    """The memory of a target's processes."""
    elsewhere = deployment.capability(ProcessMemory, target)
    return elsewhere or MemoryHere(need(deployment, LocalProcess, target).pid())


class MemoryHere:
    """Processes of this machine, below one; a namespace of their own may have them know each other by other pids."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid

    def server(self) -> int | None:
        """The first of them."""
        return None if self._pid is None else _known_pid(self._pid)

    def processes(self) -> dict[int, tuple[int, int | None]]:
        """Bytes and soft limit of each."""
        return {known: (_data_bytes(pid), _limit_of(pid)) for known, pid in self._pids().items()}

    def limit(self, pids: Collection[int], limit_bytes: int | None) -> None:
        """Set soft limits; InjectionError where we may not."""
        found = self._pids()
        for known in pids:
            if known in found:
                _set_limit(found[known], limit_bytes)

    def _pids(self) -> Mapping[int, int]:
        return {_known_pid(process.pid): process.pid for process in tree(self._pid)}


def _known_pid(pid: int) -> int:
    """The pid by which a process knows itself."""
    return int(_status(pid).get("NSpid", str(pid)).split()[-1])


def _status(pid: int) -> dict[str, str]:
    """What the kernel tells of a process; empty once it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _data_bytes(pid: int) -> int:
    """Private writable memory of a process but its stack: what RLIMIT_DATA limits; 0 once the process is gone."""
    return int(_status(pid).get("VmData", "0 kB").split()[0]) << 10


def _limit_of(pid: int) -> int | None:
    """The soft limit of a process; None when there is none, or it is gone."""
    import psutil

    with _told(pid), contextlib.suppress(psutil.NoSuchProcess):
        soft, _ = psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)
        return None if soft == psutil.RLIM_INFINITY else int(soft)
    return None


def _set_limit(pid: int, limit: int | None) -> None:
    """Set the soft limit; the hard one stays, so that nobody needs to be root to go back."""
    import psutil

    with _told(pid), contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        soft, hard = process.rlimit(psutil.RLIMIT_DATA)
        wanted = psutil.RLIM_INFINITY if limit is None else limit
        if soft != wanted:
            process.rlimit(psutil.RLIMIT_DATA, (wanted, hard))


@contextlib.contextmanager
def _told(pid: int) -> Iterator[None]:
    import psutil

    try:
        yield
    except (psutil.Error, OSError) as error:
        msg = f"the memory limit of process {pid} can't be read or set: {error}"
        raise InjectionError(msg) from error
