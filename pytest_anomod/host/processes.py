"""Processes by identity (pid and start time), by the tag in their environment, and how to end them for sure.

A pid alone is not an identity: another process may have it by now. On Linux start times are seconds since boot,
read from /proc; elsewhere they are seconds since the epoch, from psutil. `is_same` takes either kind.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model import clock

TAG = "ANOMOD_SESSION"
"""Environment variable that every process of a deployment carries, and nothing else does."""
_LINUX = sys.platform == "linux"
_EPOCH_FROM = 1e9  # a start time above this counts from the epoch: no machine has been up for 31 years


@functools.cache
def boot_id() -> str:
    """The kernel's boot id; "" where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _boot_id_of_darwin()


def start_time(pid: int) -> float | None:
    """When a process started; None when it is gone, or dead and only waits to be reaped."""
    if not _LINUX:
        return _psutil_start_time(pid)
    fields = _stat(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float | None:
    """CPU seconds of a process's first thread, to the nanosecond; None where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / clock.NS_PER_S
    except (OSError, ValueError, IndexError):
        return None


def state(pid: int) -> str:
    """The kernel's letter for what a process does (T: it was stopped); "" when it is gone, or there is no /proc."""
    fields = _stat(pid)
    return fields[0] if fields is not None and fields[0] not in ("Z", "X") else ""


def is_same(pid: int, started: float) -> bool:
    """Whether the process of that pid is alive and the one that started then."""
    now = start_time(pid)
    if now is None:
        return False
    if _LINUX and started > _EPOCH_FROM:
        epoch = _psutil_start_time(pid)
        return epoch is not None and abs(epoch - started) < 2.0  # the boot time it rests on may be corrected by a tick
    return abs(now - started) < 0.005


def send(pid: int, started: float, number: int) -> bool:
    """Send a signal to that very process; False when it is gone."""
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        except OSError:
            descriptor = -1  # no pidfds here
        if descriptor >= 0:
            try:
                # once it is open the pid can't be given to another without the signal failing
                return is_same(pid, started) and _sent(lambda: signal.pidfd_send_signal(descriptor, number))
            finally:
                os.close(descriptor)
    return is_same(pid, started) and _sent(lambda: os.kill(pid, number))


def end(pid: int, started: float, *, grace_s: float = 1.0) -> bool:
    """End a process, its children and its session: SIGTERM, `grace_s` seconds, SIGKILL; False when it was gone.

    TimeoutError when something of it is still there 5 s after SIGKILL.
    """
    members = _family(pid, started)
    if not members:
        return False
    if grace_s > 0:
        send(pid, started, signal.SIGTERM)
        send(pid, started, signal.SIGCONT)  # a stopped one would not hear it
        with contextlib.suppress(TimeoutError):
            clock.wait_until(lambda: not _alive({pid: started}), timeout_s=grace_s, what="it to end")
    kill_all(lambda: members | _family(pid, started), what=f"process {pid}")
    return True


def kill_all(find: Callable[[], Mapping[int, float]], *, what: str, timeout_s: float = 5.0) -> int:
    """SIGKILL whatever `find` finds (pid -> start time), until it finds nothing; return how many were killed."""
    killed: set[int] = set()

    def nothing_left() -> bool:
        found = _alive(find())
        for pid, started in found.items():
            if send(pid, started, signal.SIGKILL):
                killed.add(pid)
            reap(pid)
        return not _alive(found)

    clock.wait_until(nothing_left, timeout_s=timeout_s, what=f"the end of {what}", every_s=0.01)
    return len(killed)


def descendants(pids: Iterable[int]) -> dict[int, float]:
    """Children of processes and theirs, by pid, with start times."""
    parents = {child: parent for child, (parent, _) in _table().items()}
    found: dict[int, float] = {}
    level = set(pids)
    while level:
        level = {child for child, parent in parents.items() if parent in level and child not in found}
        found.update(_identified(level))
    return found


def children_of(pid: int) -> list[int]:
    """Children of a process."""
    return [child for child, (parent, _) in _table().items() if parent == pid]


def session_of(leader: int) -> dict[int, float]:
    """Living members of the session that a process leads or led, by pid, with start times."""
    return _identified(member for member, (_, session) in _table().items() if session == leader)


def tagged(matches: Callable[[str], bool]) -> dict[int, float]:
    """Our own user's processes whose tag `matches`, by pid, with start times."""
    found = {}
    for pid in own_pids():
        tag = tag_of(pid)
        if tag and matches(tag):
            found.update(_identified([pid]))
    return found


def tag_of(pid: int) -> str:
    """The tag in a process's environment; empty when it has none, is gone or belongs to someone else."""
    return variable_of(pid, TAG)


def variable_of(pid: int, name: str) -> str:
    """A variable in a process's environment; empty when it has none, is gone or belongs to someone else."""
    try:
        if _LINUX:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            prefix = name.encode() + b"="
            return next((item[len(prefix) :].decode() for item in environment if item.startswith(prefix)), "")
        import psutil

        try:
            return str(psutil.Process(pid).environ().get(name, ""))
        except psutil.Error:
            return ""
    except (OSError, UnicodeDecodeError):
        return ""


def working_in(directory: Path, programs: Iterable[str]) -> dict[int, float]:
    """Our own processes of these programs that work in a directory: stores overwrite the environment we tagged."""
    found, names = {}, frozenset(programs)
    for pid in own_pids():
        with contextlib.suppress(OSError):
            if _LINUX and Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name in names:
                where = Path(os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)"))
                if where.is_relative_to(directory):
                    found.update(_identified([pid]))
    return found


# Who owns what: the tag says whose a process is, without any file.


def own_tag(name: str) -> str:
    """The tag of things that the calling process owns: pid, start time, boot, place, and a name of the caller's."""
    return ":".join((str(os.getpid()), f"{start_time(os.getpid()):.2f}", boot_id()[:8], place(), name))


def owner_alive(tag: str) -> bool | None:
    """Whether the owner named in a tag lives; None when that can't be told from here (another container or machine)."""
    try:
        pid, started, boot, where, _ = tag.split(":", 4)
        identity = int(pid), float(started)
    except ValueError:
        return None
    if boot != boot_id()[:8]:
        return False if where == place() else None
    return is_same(*identity) if where == place() else None


@functools.cache
def place() -> str:
    """Where pids mean what they mean here: host name and pid namespace."""
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")[5:-1]
    return f"{socket.gethostname().replace(':', '_')}/{namespace}"


# Children of ours that must be reaped once they are dead.

_CHILDREN: dict[int, Any] = {}


def adopt(process: Any) -> None:
    """Remember a subprocess.Popen of ours, so that `reap` can take it off the process table."""
    reap_ended()
    _CHILDREN[process.pid] = process


def reap(pid: int) -> int | None:
    """The exit code of a child of ours that has ended; None while it runs or when it is no child of ours."""
    process = _CHILDREN.get(pid)
    if process is None or process.poll() is None:
        return None
    _CHILDREN.pop(pid, None)  # another thread may have reaped it just now
    if process.stdin is not None:
        process.stdin.close()  # our end of the pipe by which it notices our death
    return int(process.returncode)


def reap_ended() -> None:
    """Reap all children of ours that have ended."""
    for pid in list(_CHILDREN):
        reap(pid)


def _alive(processes: Mapping[int, float]) -> dict[int, float]:
    return {pid: started for pid, started in processes.items() if is_same(pid, started)}


def _identified(pids: Iterable[int]) -> dict[int, float]:
    times = {pid: start_time(pid) for pid in pids}
    return {pid: started for pid, started in times.items() if started is not None}


def _family(pid: int, started: float) -> dict[int, float]:
    """A process, its descendants and the members of the session it leads; empty when it is gone."""
    if not is_same(pid, started):
        return {}
    return {pid: started} | descendants([pid]) | session_of(pid)


def _table() -> dict[int, tuple[int, int]]:
    """Parent and session of every process we may look at, by pid."""
    if _LINUX:
        rows = ((pid, _stat(pid)) for pid in _pids())
        return {pid: (int(fields[1]), int(fields[3])) for pid, fields in rows if fields}
    import psutil

    table = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            table[process.pid] = (process.ppid(), os.getsid(process.pid))
    return table


def own_pids() -> list[int]:
    """Processes of our user in our pid namespace, ourselves excepted."""
    if not _LINUX:
        import psutil

        uid = os.getuid()
        return [p.pid for p in psutil.process_iter(["uids"]) if p.info["uids"] and p.info["uids"].real == uid]
    own = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            same_place = os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
            if same_place and pid != os.getpid() and os.stat(f"/proc/{pid}").st_uid == os.geteuid():
                own.append(pid)
    return own


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().decode("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None


def _psutil_start_time(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _sent(act: Callable[[], None]) -> bool:
    try:
        act()
    except ProcessLookupError:
        return False
    return True


def _boot_id_of_darwin() -> str:
    if sys.platform != "darwin":
        return ""
    import ctypes

    buffer, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", buffer, ctypes.byref(size), None, 0)
    return buffer.value.decode()
