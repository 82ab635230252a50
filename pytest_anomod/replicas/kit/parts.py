"""The two kinds of processes the host runs: services, forked from it, and stores, which are programs of their own."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.processes import fork, kill_group
from pytest_anomod.replicas.kit.service_process import READY, ServicePlan, run_service


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


class ServicePart:
    """A service: forked from the warmed host; it reports through a pipe when it listens."""

    stop_signal = signal.SIGTERM

    def __init__(self, plan: ServicePlan, output: Path) -> None:
        self.plan = plan
        self.name = plan.environment.name
        self.port = plan.port
        self.output = output
        self._report = -1

    def launch(self, instance: int) -> int:
        """Fork the service."""
        plan = replace(self.plan, environment=replace(self.plan.environment, instance=instance))
        self.cleanup()
        self._report, write = os.pipe()
        try:
            return fork(lambda: run_service(plan, write), self.output, keep=(write,))
        finally:
            os.close(write)

    async def wait_healthy(self) -> None:
        """Wait for the word of the child, or for the end of the pipe, which means that it died."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._report, readable.set)
        try:
            await readable.wait()
            word = os.read(self._report, 64)
        finally:
            loop.remove_reader(self._report)
        self.cleanup()
        if word != READY:
            raise PartError(f"service {self.name} ended while it started")

    def cleanup(self) -> None:
        """Close the pipe of the last launch."""
        if self._report >= 0:
            os.close(self._report)
            self._report = -1


class Server(Protocol):
    """What a store needs of its engine (see redis_server and postgres_server)."""

    stop_signal: int

    def exec(self) -> None:
        """Become the server program."""

    def cleanup(self) -> None:
        """Remove what a killed server left."""


class StorePart:
    """A store: its program is asked again and again until it answers."""

    def __init__(
        self, name: str, port: int, output: Path, server: Server, probe: Callable[[], Awaitable[None]]
    ) -> None:
        self.name = name
        self.port = port
        self.output = output
        self.stop_signal = server.stop_signal
        self._server = server
        self._probe = probe
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
                return await self._probe()
            await asyncio.sleep(0.01)

    def cleanup(self) -> None:
        """Remove what a killed server left."""
        self._server.cleanup()
