"""The processes the host runs, as its supervisor sees them; and stores, which are programs of their own."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.processes import fork, kill_group


class PartError(Exception):
    """A process that did not become healthy; the message says why."""


class Part(Protocol):
    """A process that can be launched any number of times, one at a time."""

    name: str
    port: int
    output: Path
    stop_signal: int

    def launch(self, instance: int) -> int:
        """Start it and return its pid; `instance` counts from 1."""

    async def wait_healthy(self) -> None:
        """Return when it is ready for requests; PartError when it says that it never will be."""

    def cleanup(self) -> None:
        """Remove what a killed process left."""


class Server(Protocol):
    """What a store needs of its engine (see redis_server and postgres_server)."""

    stop_signal: int

    def exec(self) -> None:
        """Become the server program."""

    def cleanup(self) -> None:
        """Remove what a killed server left."""


class StorePart:
    """A store: its program is asked again and again until it answers."""

    probe: Callable[[], Awaitable[None]]  # set once the host has a client for it

    def __init__(self, name: str, port: int, output: Path, server: Server) -> None:
        self.name = name
        self.port = port
        self.output = output
        self.stop_signal = server.stop_signal
        self._server = server
        self._ahead: int | None = None

    def launch_ahead(self) -> None:
        """Start the program now; the first `launch` then takes this process over."""
        self._ahead = fork(self._server.exec, self.output)

    def kill_ahead(self) -> None:
        """End a program started ahead that nobody took over."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            kill_group(ahead)
            os.waitpid(ahead, 0)
            self.cleanup()

    def launch(self, instance: int) -> int:
        """Start the program."""
        ahead, self._ahead = self._ahead, None
        return ahead if ahead is not None else fork(self._server.exec, self.output)

    async def wait_healthy(self) -> None:
        """Probe until it answers; the supervisor gives up when the process ends or takes too long."""
        while True:
            with contextlib.suppress(StoreError):
                return await self.probe()
            await asyncio.sleep(0.01)

    def cleanup(self) -> None:
        """Remove what a killed server left."""
        self._server.cleanup()
