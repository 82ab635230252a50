"""Looks from inside a container, by what images have: a shell, and of python3, bash and nc any one.

`run` takes a line of shell and gives the exit code and what it printed. InjectionError where an image lacks it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Mapping

from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError

Run = Callable[[str], tuple[int, str]]
WRITES = 10
"""How many small writes are timed together: a program that is started in a container takes longer than one of them."""
_NONE = 127
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5).close()
except OSError:
    sys.exit(1)
"""


def cpu(run: Run) -> dict[str, int]:
    """Counters of the container's control group, of either version: nr_periods, nr_throttled."""
    text = _told(run, "cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.stat")
    found = {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE)}
    return {"nr_periods": found.get("nr_periods", 0), "nr_throttled": found.get("nr_throttled", 0)}


def memory(run: Run) -> tuple[int, int]:
    """(used, limit) of the container's control group in bytes, of either version."""
    v2 = "cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory.max 2>/dev/null"
    v1 = "cat /sys/fs/cgroup/memory/memory.usage_in_bytes /sys/fs/cgroup/memory/memory.limit_in_bytes"
    words = _told(run, f"{v2} || {v1}").split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        msg = f"the container's memory can't be read: its control group says {' '.join(words) or 'nothing'!r}"
        raise InjectionError(msg)
    return int(words[0]), int(words[1])


def writes_s(run: Run, directory: str) -> float:
    """Seconds that some small writes to a directory take, each waiting for the disk; the shell's start with them."""
    file = shlex.quote(f"{directory.rstrip('/')}/.anomod-probe")
    once = f"dd if=/dev/zero of={file} bs=64 count=1 conv=fsync 2>/dev/null"
    begin_s = clock.monotonic_s()
    _told(run, f"for turn in $(seq {WRITES}); do {once} || exit 1; done; rm -f {file}")
    return clock.monotonic_s() - begin_s


def resolved(run: Run, names: Collection[str]) -> frozenset[str]:
    """Those of the names that resolve there."""
    words = " ".join(shlex.quote(name) for name in names)
    asks = "if command -v getent >/dev/null; then getent hosts $n; else nslookup $n; fi"
    text = _told(run, f"for n in {words}; do ({asks}) >/dev/null 2>&1 && echo resolved $n; done; true")
    return frozenset(re.findall(r"^resolved (\S+)$", text, re.MULTILINE)) & frozenset(names)


def reached(run: Run, addresses: Mapping[str, tuple[str, int]]) -> frozenset[str]:
    """Those whose address takes a connection from there."""
    ways = [
        f"if command -v python3 >/dev/null; then python3 -c {shlex.quote(_CONNECT)} $1 $2;",
        "elif command -v bash >/dev/null; then timeout 1 bash -c 'exec 3<>/dev/tcp/$0/$1' $1 $2;",
        f"elif command -v nc >/dev/null; then nc -z -w 1 $1 $2; else exit {_NONE}; fi",
    ]
    script = f"try() {{ {' '.join(ways)} }}; "
    for name, (host, port) in addresses.items():
        script += f"try {shlex.quote(host)} {port} >/dev/null 2>&1 && echo reached {shlex.quote(name)}; "
    text = _told(run, script + "true")
    return frozenset(re.findall(r"^reached (\S+)$", text, re.MULTILINE)) & frozenset(addresses)


def _told(run: Run, script: str) -> str:
    code, text = run(script)
    if code:
        what = "it has nothing to look with (python3, bash or nc)" if code == _NONE else text.strip()[-200:]
        msg = f"a look from inside the container failed with exit code {code}: {what or 'nothing was said'}"
        raise InjectionError(msg)
    return text
