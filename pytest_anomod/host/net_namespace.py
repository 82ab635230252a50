"""Rules over the packets of one container: iptables, tc and ss of this machine, run in its network namespace."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence

from pytest_anomod.host import netem, processes
from pytest_anomod.model.errors import DeploymentError

TOOLS = ("nsenter", "iptables-restore", "iptables-save", "ip", "ss")
LIMIT_S = 15.0
MARK = "anomod"
"""Begins the names of our chains and the comments of our rules; the rest of each is the tag."""
_PLACES = (("INPUT", "! -i lo"), ("OUTPUT", "! -o lo"))
_COUNTERS = re.compile(r"\[(\d+):\d+\] -A (\S+) ")
_CONNECT = (
    "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).close()"
)


@functools.cache
def why_not() -> str:
    """Why rules can't be set in network namespaces of containers, or ""; determined once in a process."""
    if sys.platform != "linux":
        return "only Linux has network namespaces"
    if os.geteuid() != 0:
        return "only root may enter the network namespace of a container"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(missing)} not found (Debian: util-linux, iptables, iproute2)" if missing else ""


class ContainerNetwork:
    """The network namespace of a process that is not ours; model.capability.NetNamespace says what its methods do.

    Each set of rules is a chain of its own in the filter table, which INPUT and OUTPUT hand packets to, but for those
    of the loopback device (the container's own resolver among them). DeploymentError when the process is gone, its
    namespace is this process's own, or a tool refuses.
    """

    def __init__(self, pid: int, start_time: float, *, who: str, spared: Collection[int] = ()) -> None:
        self._pid = pid
        self._start_time = start_time
        self._who = who
        self._spared = tuple(spared)

    def put(self, tag: str, rules: Sequence[Sequence[str]]) -> None:
        chain = _chain(tag)
        comment = f'-m comment --comment "{MARK} {tag}"'
        lines = [f":{chain} - [0:0]"]
        lines += [f"-A {chain} -p tcp -m multiport --ports {port} -j RETURN" for port in self._spared]
        lines += [f"-A {chain} {comment} {' '.join(words)}" for words in rules]
        lines += [f"-A {place} {device} {comment} -j {chain}" for place, device in _PLACES]
        self.clear(tag)
        self._restore(lines)

    def lose(self, tag: str, share: float) -> str:
        self.clear(tag)
        netem.load()
        try:
            self._run(["ip", "-batch", "-"], netem.side_door(f"{MARK} {tag}"))
            devices = netem.devices(self._run(["ip", "-j", "link", "show", "up"]))
            lines = netem.losing(devices, share, self._spared)
            self._run(["tc", "-batch", "-"], lines)
        except DeploymentError:  # this kernel has no netem, or lacks what it takes to have it judge what comes in
            self._clear_netem(tag)
            words = ("-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", f"{share:.4f}", "-j", "DROP")
            self.put(tag, [words])
            return "iptables statistic"
        return "netem"

    def counted(self, tag: str) -> tuple[int, ...]:
        by_rules = tuple(
            int(found[1])
            for line in self._saved()
            if (found := _COUNTERS.match(line)) and found[2] == _chain(tag) and f'"{MARK} {tag}"' in line
        )
        by_netem = (netem.lost(self._run(["tc", "-s", "-j", "qdisc", "show"])),) if self._has_netem(tag) else ()
        return by_rules + by_netem

    def clear(self, tag: str) -> None:
        self._clear_netem(tag)
        self._clear_rules(tag)

    def _has_netem(self, tag: str) -> bool:
        return netem.there(self._run(["ip", "-j", "link", "show"]), f"{MARK} {tag}")

    def _clear_netem(self, tag: str) -> None:
        if not self._has_netem(tag):
            return
        for line in netem.removal(self._run(["tc", "-j", "qdisc", "show"])):
            self._run(["tc", *line.split()])
        self._run(["ip", "link", "delete", netem.DEVICE])  # the last, as the others are found by it

    def _clear_rules(self, tag: str) -> None:
        chain = _chain(tag)
        ours = [line for line in self._saved() if line.endswith(f"-j {chain}") or line.startswith(f":{chain} ")]
        jumps = [f"-D {line.partition(' -A ')[2]}" for line in ours if not line.startswith(":")]
        if any(line.startswith(":") for line in ours):
            self._restore([*jumps, f"-F {chain}", f"-X {chain}"])
        if any(f" -A {chain} " in line or line.startswith(f":{chain} ") for line in self._saved()):
            msg = f"the rules {chain!r} in the network of {self._who} could not be taken away"
            raise DeploymentError(msg)

    def reset_connections(self, addresses: Collection[str] = ()) -> None:
        wanted = ["not dst 127.0.0.0/8"]
        wanted += [f"not {side} = :{port}" for port in self._spared for side in ("sport", "dport")]
        if addresses:
            wanted.append("( " + " or ".join(f"dst {address}" for address in addresses) + " )")
        self._run(["ss", "-K", "-t", "-n", "-H", " and ".join(wanted)])

    def reaches(self, address: tuple[str, int], timeout_s: float) -> bool:
        words = [sys.executable, "-I", "-S", "-c", _CONNECT, address[0], str(address[1]), str(timeout_s)]
        with self._entered() as (prefix, descriptor):
            done = subprocess.run(
                [*prefix, *words],
                pass_fds=(descriptor,),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S + timeout_s,
            )
        return done.returncode == 0

    def _saved(self) -> list[str]:
        """The filter table with its counters, one rule or chain a line."""
        return self._run(["iptables-save", "-c", "-t", "filter"]).splitlines()

    def _restore(self, lines: Sequence[str]) -> None:
        """Change the filter table in one step: all of the lines or none."""
        self._run(["iptables-restore", "--noflush", "--wait", "5"], "\n".join(["*filter", *lines, "COMMIT", ""]))

    def _run(self, argv: Sequence[str], told: str = "") -> str:
        with self._entered() as (prefix, descriptor):
            words, inherited = [*prefix, *argv], (descriptor,)
            try:
                done = subprocess.run(
                    words, pass_fds=inherited, input=told, capture_output=True, text=True, timeout=LIMIT_S
                )
            except subprocess.TimeoutExpired as error:
                msg = f"{argv[0]} in the network of {self._who} did not end within {LIMIT_S:g} s"
                raise DeploymentError(msg) from error
        if done.returncode:
            msg = f"{argv[0]} in the network of {self._who} failed ({done.returncode}): {done.stderr.strip()}"
            raise DeploymentError(msg)
        return done.stdout

    @contextlib.contextmanager
    def _entered(self) -> Iterator[tuple[list[str], int]]:
        """The words that run a command inside, and the descriptor that it must inherit: the namespace is held open."""
        try:
            descriptor = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY)
        except OSError as error:
            msg = f"{self._who} has no network to be ruled: its process {self._pid} is gone"
            raise DeploymentError(msg) from error
        try:
            if not processes.is_same(self._pid, self._start_time):
                msg = f"{self._who} has no network to be ruled: its process {self._pid} is gone"
                raise DeploymentError(msg)
            # inodes are the identity of namespaces: never a rule into the one that we and the machine live in
            if os.path.sameopenfile(descriptor, _own_namespace()):
                msg = f"the network of {self._who} is that of this machine: no rule is set there"
                raise DeploymentError(msg)
            yield ["nsenter", f"--net=/proc/self/fd/{descriptor}", "--"], descriptor
        finally:
            os.close(descriptor)


@functools.cache
def _own_namespace() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _chain(tag: str) -> str:
    return f"{MARK}-{tag}"
