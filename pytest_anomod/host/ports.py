"""Blocks of a hundred TCP ports on the loopback address, each held by a lock for as long as its deployment lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError

HOST = "127.0.0.1"
BLOCK = 100
FIRST, LAST = 20_000, 29_999
NEVER = frozenset({30_467})  # the entry of Train Ticket: people often choose it for another program


def claim_block() -> tuple[int, int]:
    """A block nobody uses: its first port and the descriptor whose lock holds it (inherit it or keep it open).

    Where to begin depends on our pid, so that parallel sessions seldom ask for the same block.
    """
    directory = make_directory(state_root() / "ports")
    bases = _bases()
    begin = os.getpid() * 7 % len(bases)
    for base in bases[begin:] + bases[:begin]:
        descriptor = _try_lock(directory / f"{base}.lock")
        if descriptor is None:
            continue
        if all(is_free(port) for port in range(base, base + BLOCK)):
            return base, descriptor
        os.close(descriptor)
    msg = f"no free block of {BLOCK} ports between {FIRST} and {LAST} on {HOST}; end what listens there"
    raise DeploymentError(msg)


def hold_fixed(ports: Iterable[int], purpose: str, *, timeout_s: float = 3_600.0) -> list[int]:
    """Take ports of other people's choice, one process of this machine at a time; descriptors whose locks hold them.

    DeploymentError when another process has them for longer than `timeout_s` seconds, or what is none of ours listens.
    """
    directory = make_directory(state_root() / "ports")
    held: list[int] = []
    try:
        for port in sorted(set(ports)):  # in one order, so that two can't wait for each other
            held.append(_hold(directory / f"fixed-{port}.lock", port, purpose, timeout_s))
            if not is_free(port):
                msg = f"port {port} on {HOST}, which {purpose} needs, is taken by {who_listens(port)}; end it"
                raise DeploymentError(msg)
    except BaseException:  # an interrupt too must not keep them
        for descriptor in held:
            os.close(descriptor)
        raise
    return held


def _hold(path: Path, port: int, purpose: str, timeout_s: float) -> int:
    """The descriptor of a lock, once nobody else has it."""
    give_up_s = clock.monotonic_s() + timeout_s
    while (descriptor := _try_lock(path)) is None:
        if clock.monotonic_s() > give_up_s:
            msg = f"{purpose} waited {timeout_s:g} s for port {port} of {HOST}, which another worker's system has"
            raise DeploymentError(msg)
        clock.sleep(0.05)
    return descriptor


def is_free(port: int) -> bool:
    """Whether a server could listen on that port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def who_listens(port: int) -> str:
    """The process that listens on a port, for messages: "pid 123 (nginx)", or "another process"."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid:
                    return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
                break
    return "another process"


def check_entry_port(port: int) -> None:
    """DeploymentError that names who has it, unless the port can be listened on."""
    if not 1 <= port <= 65_535:
        msg = f"port {port} is none: give one between 1 and 65535"
        raise DeploymentError(msg)
    if not is_free(port):
        msg = f"port {port} on {HOST} is taken by {who_listens(port)}; end it or choose another port"
        raise DeploymentError(msg)


def _bases() -> list[int]:
    """First ports of all blocks, those outside the ephemeral range before those within."""
    bases = [base for base in range(FIRST, LAST, BLOCK) if not NEVER.intersection(range(base, base + BLOCK))]
    low, high = _ephemeral_range()
    outside = [base for base in bases if base + BLOCK <= low or base > high]
    return outside or bases


def _ephemeral_range() -> tuple[int, int]:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 49_152, 65_535


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
