"""One container as the engine describes it, and its processes and sockets as this machine sees them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import processes

LISTENS, ESTABLISHED = "0A", "01"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the engine says of a container; `pid` is that of its first process here, 0 while there is none."""

    id: str
    name: str
    labels: Mapping[str, str]
    status: str  # created | running | paused | restarting | removing | exited | dead
    pid: int
    started_at: str
    restart_count: int
    exit_code: int
    oom_killed: bool
    health: str  # starting | healthy | unhealthy | "" for no check
    check: tuple[str, ...]
    """The words of its health check, as the engine runs them; () for none."""
    restarts_itself: bool
    has_init: bool
    environment: Mapping[str, str] = dataclasses.field(repr=False)
    words: tuple[str, ...] = dataclasses.field(repr=False)
    """What it runs: entry point and arguments."""
    address: str
    """On the first of its networks; "" while it is on none."""
    aliases: tuple[str, ...]
    """Names by which others find it in its networks, beside that of its service."""
    networks: frozenset[str]
    """Ids of the networks that it is in."""
    published: Mapping[int, int]
    """Ports in it that are published, and where on this machine."""
    exposed: tuple[int, ...]
    host_network: bool
    mounts: tuple[Mapping[str, Any], ...]
    upper: str
    """Where the engine keeps what it writes to its own file system; "" where that is not told."""


def read(found: Mapping[str, Any]) -> Seen:
    """From the engine's answer to an inspection."""
    state, config, host = found["State"], found["Config"], found["HostConfig"]
    networks = found["NetworkSettings"].get("Networks") or {}
    bindings = found["NetworkSettings"].get("Ports") or {}
    policy = (host.get("RestartPolicy") or {}).get("Name") or "no"
    return Seen(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        labels=config.get("Labels") or {},
        status=state["Status"],
        pid=int(state.get("Pid") or 0),
        started_at=state.get("StartedAt") or "",
        restart_count=int(found.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        health=_health(state.get("Health") or {}),
        check=_check((config.get("Healthcheck") or {}).get("Test") or ()),
        restarts_itself=policy in ("always", "unless-stopped", "on-failure"),
        has_init=bool(host.get("Init")),
        environment=dict(text.split("=", 1) for text in config.get("Env") or () if "=" in text),
        words=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        address=next((entry["IPAddress"] for entry in networks.values() if entry.get("IPAddress")), ""),
        aliases=tuple(dict.fromkeys(name for entry in networks.values() for name in entry.get("Aliases") or ())),
        networks=frozenset(entry.get("NetworkID") or name for name, entry in networks.items()),
        published=dict(_published(bindings)),
        exposed=tuple(sorted(int(key.partition("/")[0]) for key in bindings if key.endswith("/tcp"))),
        host_network=host.get("NetworkMode") == "host",
        mounts=tuple(found.get("Mounts") or ()),
        upper=((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "",
    )


def _health(health: Mapping[str, Any]) -> str:
    status = str(health.get("Status") or "")
    return "" if status == "none" else status


def _check(test: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    if not test or test[0] == "NONE":
        return ()
    return ("/bin/sh", "-c", test[1]) if test[0] == "CMD-SHELL" else tuple(test[1:])


def _published(bindings: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for key, places in bindings.items():
        port, _, protocol = key.partition("/")
        if protocol == "tcp" and places:
            yield int(port), int(places[0]["HostPort"])


def program_of(seen: Seen, port: int) -> int | None:
    """Pid here of the program of a container: its first process, unless that only starts what listens on the port.

    A shell, npm, a supervisor or an init has the program as its child. None when it is gone, or not to be seen here.
    """
    if not seen.pid or not os.path.exists(f"/proc/{seen.pid}"):
        return None
    inodes = {row.inode for row in sockets(seen.pid) if row.state == LISTENS and row.port == port} if port else set()
    children = _children(seen.pid)
    for pid in (seen.pid, *_below(seen.pid)) if inodes else ():
        if inodes & _inodes_of(pid):
            return pid
    return children[0] if seen.has_init and children else seen.pid


@dataclasses.dataclass(frozen=True, slots=True)
class Socket:
    """A TCP socket of a network namespace; addresses as the kernel writes them, in hexadecimal."""

    local: str
    port: int
    remote: str
    state: str
    inode: str


def sockets(pid: int) -> list[Socket]:
    """TCP sockets in the network of a process, of both versions of IP; none when it is gone."""
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
                words = line.split()
                local, _, port = words[1].partition(":")
                found.append(Socket(local, int(port, 16), words[2].partition(":")[0], words[3], words[9]))
    return found


def is_listening(pid: int, port: int) -> bool:
    """Whether something listens on a port in the network of a process."""
    return any(row.state == LISTENS and row.port == port for row in sockets(pid))


def listening_ports(pid: int) -> tuple[int, ...]:
    """Ports that others can reach in the network of a process: what listens on the loopback address is left out."""
    rows = (row for row in sockets(pid) if row.state == LISTENS and not _is_loopback(row.local))
    return tuple(sorted({row.port for row in rows}))


def listening_host(pid: int, port: int) -> str:
    """The IPv4 address by which a program in that network is reached from within: loopback, if it listens there."""
    rows = [row.local for row in sockets(pid) if row.state == LISTENS and row.port == port]
    fixed = [row for row in rows if len(row) == 8 and int(row, 16) and not _is_loopback(row)]
    return as_text(fixed[0]) if fixed and len(fixed) == len(rows) else "127.0.0.1"


def as_text(address: str) -> str:
    """An address of /proc/net/tcp, or one of /proc/net/tcp6 that stands for IPv4, in dots."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(address[-8:])))


def _is_loopback(address: str) -> bool:
    return address[-8:].endswith("7F") if len(address) == 8 else address == "00000000000000000000000001000000"


def _below(pid: int) -> Iterator[int]:
    """Processes below one, the nearest first."""
    level = _children(pid)
    while level:
        yield from level
        level = [child for parent in level for child in _children(parent)]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def _inodes_of(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def start_time(pid: int | None) -> float | None:
    """When a process started; None for none."""
    return processes.start_time(pid) if pid else None
