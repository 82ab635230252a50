"""The host program of the replicas as tests start it: on ports that no other test has, ended with its block."""

import fcntl
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BOOT_WITHIN_S = 60.0
BLOCK = 100
FIRST, LAST = 11_000, 19_999  # below the blocks of the process runtime and the ephemeral range


def claim_ports() -> tuple[int, int]:
    """The first port of a free block, and the descriptor whose lock keeps other tests off it until it is closed."""
    locks = Path(tempfile.gettempdir()) / f"replica-test-ports-{os.getuid()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    bases = list(range(FIRST, LAST, BLOCK))
    random.SystemRandom().shuffle(bases)
    for base in bases:
        lock = os.open(locks / str(base), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if all(_is_free(port) for port in range(base, base + BLOCK)):
            return base, lock
        os.close(lock)
    raise RuntimeError(f"no free block of {BLOCK} ports between {FIRST} and {LAST}")


def wait_for(condition: Callable[[], Any], what: str, within_s: float = 20.0) -> Any:
    """Look at a condition until it holds and return its value."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {within_s} s in vain for {what}"
        time.sleep(0.01)
    return value


@contextmanager
def hosted(system: str, directory: Path, *options: str) -> Iterator[tuple[Path, subprocess.Popen, str]]:
    """A system of its own below a directory: where it is, its host process and its token; gone when the block ends."""
    token = secrets.token_hex(16)
    token_file = directory / "token"
    token_file.write_text(token)
    token_file.chmod(0o600)
    base, lock = claim_ports()
    try:
        target = directory / "system"
        process = _launch(system, target, ["--base-port", str(base), "--token-file", str(token_file), *options])
        try:
            yield target, process, token
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    finally:
        os.close(lock)


def _launch(system: str, target: Path, options: list[str]) -> subprocess.Popen:
    output = target.with_name("host.out")
    command = [sys.executable, "-m", "pytest_anomod.replicas.kit.host", system, "--dir", str(target), *options]
    with output.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream)

    def up() -> bool:
        assert process.poll() is None, f"the host ended: {output.read_text()}"
        return (target / "deployment.json").exists()

    try:
        wait_for(up, f"{system} to be healthy", BOOT_WITHIN_S)
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return process


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
