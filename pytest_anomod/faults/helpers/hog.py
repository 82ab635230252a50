"""Takes what memory a container's limit leaves: `hog.py --mode squeeze|overrun --deadline-s S`, run inside of it.

A stand-alone program of the standard library. It reads limit and use of its own control group, seen from inside of a
container or from this machine, and ends at once (exit code 3) where that has no limit: it would fill the machine.
`squeeze`: a child takes memory until next to nothing is free, gives some back when others want it, and reads a file of
its own again and again, so that the kernel must look for a page to free whenever anybody wants one. `overrun`: many
small children take memory until the kernel has to kill; each is smaller than the service, which is what it chooses.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time

MIB = 1 << 20
FREE = 3 * MIB
"""What `squeeze` leaves to others."""
FILE_BYTES = 48 * MIB
BLOCK = 256 << 10
SMALL = 4 * MIB
"""What one child of `overrun` takes."""
NO_LIMIT = 3
_ROOTS = {"memory": "/sys/fs/cgroup/memory", "": "/sys/fs/cgroup"}
"""Where groups are, by the controller that /proc/self/cgroup names: version 1, version 2."""
_FILES = {"memory": ("memory.usage_in_bytes", "memory.limit_in_bytes"), "": ("memory.current", "memory.max")}


def main() -> int:
    """Parse the command line, keep children at it until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=("squeeze", "overrun"), required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    arguments = parser.parse_args()
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: ending.append(number))
    if not _is_limited():
        sys.stderr.write("no memory limit holds for this program: it would fill the machine\n")
        return NO_LIMIT
    until = time.monotonic() + arguments.deadline_s
    children: list[int] = []
    while not ending and time.monotonic() < until:
        children = [pid for pid in children if not _ended(pid)]
        if arguments.mode == "overrun":
            children.append(_child(_hold))
        elif not children:
            children.append(_child(_squeeze))
        time.sleep(0.02 if arguments.mode == "overrun" else 0.2)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return 0


def _child(work: object) -> int:
    """Fork a child that does something and dies with us."""
    pid = os.fork()
    if pid:
        return pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    try:
        work()  # type: ignore[operator]
    finally:
        os._exit(1)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _hold() -> None:
    """Take a little and keep it."""
    held = bytearray(os.urandom(4096)) * (SMALL // 4096)
    while held:
        time.sleep(3600)


def _squeeze() -> None:
    """Take and give back so that little is free, while a file of our own fills and empties the cache."""
    _be_first_to_go()
    held: list[bytearray] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FILE_BYTES // MIB):
            file.write(os.urandom(4096) * (MIB // 4096))
            file.flush()
            os.fsync(file.fileno())  # what is not on disk yet can't be freed
        with contextlib.suppress(AttributeError, OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # to read ahead would keep the disk busy
        place = 0
        while True:
            used, limit = _use()
            if limit - used > FREE + MIB:
                held.append(bytearray(b"\1") * MIB)
            elif limit - used < FREE - MIB and held:
                held.pop()
            os.pread(file.fileno(), BLOCK, place)
            place = (place + BLOCK) % FILE_BYTES
            time.sleep(0.005)


def _be_first_to_go() -> None:
    """Make the kernel kill this process, and not the service, if memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _use() -> tuple[int, int]:
    """Bytes that can't be freed, and the limit; without a limit there is nothing to fill."""
    directory, (used_file, limit_file) = _group()
    used, limit = int(_read(f"{directory}/{used_file}")), _limit(f"{directory}/{limit_file}")
    with open(f"{directory}/memory.stat", encoding="ascii") as file:
        stat = dict(line.split() for line in file)
    cache = sum(int(stat.get(name, 0)) for name in ("inactive_file", "active_file"))
    return used - cache, used if limit is None else limit


def _is_limited() -> bool:
    directory, (_, limit_file) = _group()
    try:
        return _limit(f"{directory}/{limit_file}") is not None
    except OSError:  # the root of all groups has no such file
        return False


def _limit(path: str) -> int | None:
    text = _read(path)
    return None if text == "max" or int(text) >= 1 << 62 else int(text)


def _group() -> tuple[str, tuple[str, str]]:
    """Directory of our own group, and the names of its files; a container has it where others have the root."""
    with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
        paths = dict(line.rstrip("\n").split(":", 2)[1:] for line in file)
    controller = "memory" if os.path.exists(f"{_ROOTS['memory']}/{_FILES['memory'][0]}") else ""
    path = next((path for names, path in paths.items() if controller in names.split(",")), "/").rstrip("/")
    root = _ROOTS[controller]
    own = root + path
    return own if os.path.exists(f"{own}/memory.stat") else root, _FILES[controller]


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main())
