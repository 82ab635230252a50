"""Which of a family of processes listens on a TCP port, and on which ports it does; from /proc, so on Linux only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_anomod.host import processes

_ESTABLISHED, _LISTEN = "01", "0A"


def listener_below(pid: int, port: int) -> tuple[int, float] | None:
    """Pid and start time of the process nearest to `pid`, itself or below it, that listens on a port; None if none."""
    sockets = {inode for inode, listened in _listened().items() if listened == port}
    level = [pid]
    while level and sockets:
        for member in level:
            started = processes.start_time(member)
            if started is not None and not sockets.isdisjoint(_sockets_of(member)):
                return member, started
        level = [child for member in level for child in processes.children_of(member)]
    return None


def ports_of(pids: Iterable[int]) -> dict[int, list[int]]:
    """The TCP ports that processes listen on, by pid; those that listen on none are left out."""
    listened = _listened()
    found = {pid: sorted({listened[inode] for inode in _sockets_of(pid) if inode in listened}) for pid in pids}
    return {pid: ports for pid, ports in found.items() if ports}


def who_listens_on(port: int) -> tuple[int, float] | None:
    """Pid and start time of the process of ours that listens on a port: the one that began first; None if none."""
    sockets = {inode for inode, listened in _listened().items() if listened == port}
    found = []
    for pid in processes.own_pids() if sockets else ():
        started = processes.start_time(pid)
        if started is not None and not sockets.isdisjoint(_sockets_of(pid)):
            found.append((started, pid))
    return (min(found)[1], min(found)[0]) if found else None


def _listened() -> dict[int, int]:
    """Ports that are listened on in our network namespace, by the inode of the socket."""
    return {int(fields[9]): int(fields[1].rpartition(":")[2], 16) for fields in _rows() if fields[3] == _LISTEN}


def _rows() -> Iterator[list[str]]:
    """The fields of each TCP socket of our network namespace: 1 own address, 2 peer, 3 state, 9 inode."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            yield from (line.split() for line in Path(table).read_text().splitlines()[1:])


def _sockets_of(pid: int) -> set[int]:
    """Inodes of the sockets that a process holds; none when it is gone or not ours to look into."""
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError, ValueError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return found


def peers_of(pids: Iterable[int]) -> set[int]:
    """The ports of this machine that processes have connections to."""
    connected = {}
    for fields in _rows():
        if fields[3] == _ESTABLISHED:
            connected[int(fields[9])] = int(fields[2].rpartition(":")[2], 16)
    return {connected[inode] for pid in pids for inode in _sockets_of(pid) if inode in connected}
