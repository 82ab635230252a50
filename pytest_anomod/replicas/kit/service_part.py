"""A service as the supervisor sees it: a fork of the warmed host."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

from pytest_anomod.replicas.kit.parts import PartError
from pytest_anomod.replicas.kit.processes import fork
from pytest_anomod.replicas.kit.service_process import READY, ServicePlan, run_service


class ServicePart:
    """A service: forked from the warmed host; it reports through a pipe when it listens."""

    stop_signal: int = signal.SIGTERM

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
        """Wait for the child's message, or for the end of the pipe, which means that it died."""
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
