"""A deployment from started stores to its end: warm up, fork the services, fill the stores, announce, supervise.

The host imports this module once the programs of the stores are starting: its imports are the warming up.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from pytest_anomod.replicas.kit.cache import cache_directory
from pytest_anomod.replicas.kit.control import Control
from pytest_anomod.replicas.kit.coverage_meter import warmed_coverage
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.layout import Layout
from pytest_anomod.replicas.kit.net import HOST, FixedNames, write_atomically
from pytest_anomod.replicas.kit.parts import Part, PartError
from pytest_anomod.replicas.kit.processes import fork, last_lines
from pytest_anomod.replicas.kit.seeding import run_seed
from pytest_anomod.replicas.kit.service import Environment
from pytest_anomod.replicas.kit.service_part import ServicePart
from pytest_anomod.replicas.kit.service_process import ServicePlan, compile_module
from pytest_anomod.replicas.kit.stores import Stores
from pytest_anomod.replicas.kit.supervisor import Supervisor
from pytest_anomod.replicas.kit.system import ReplicaSystem
from pytest_anomod.replicas.kit.telemetry import REPLICAS_ROOT

SEED_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a deployment is wanted (see the host's command line)."""

    directory: Path
    token: str
    seed: int
    coverage: bool
    telemetry: bool
    owner_pipe: bool


class Phases:
    """Seconds each phase of the start took, the interpreter's own first."""

    def __init__(self) -> None:
        self._started = psutil.Process().create_time()
        self._last = time.time()
        self.figures = {"interpreter": round(self._last - self._started, 3)}

    def done(self, name: str) -> None:
        """A phase ended now."""
        now = time.time()
        self.figures[name] = round(now - self._last, 3)
        self.figures["total"] = round(now - self._started, 3)
        self._last = now


class Deployment:
    """All processes of one deployment."""

    def __init__(self, system: ReplicaSystem, options: Options, layout: Layout, stores: Stores, boot: Phases) -> None:
        self._system = system
        self._options = options
        self._layout = layout
        self._stores = stores
        self._boot = boot
        stores.connect(FixedNames(layout.listen))
        parts: list[Part] = [*stores.parts, *self._service_parts()]
        self._supervisor = Supervisor(options.directory, parts)
        boot.done("warm_up")

    async def run(self) -> None:
        """Bring everything up, announce it, supervise until told to end; PartError when something does not come up."""
        shutdown = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, shutdown.set)
        if self._options.owner_pipe:
            self._watch_owner(loop)
        self._supervisor.watch()
        up = asyncio.ensure_future(self._bring_up(shutdown))
        told = asyncio.ensure_future(shutdown.wait())
        try:
            await asyncio.wait((up, told), return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                await up
                await told
        finally:
            up.cancel()
            # whatever happened, nothing may be left; the announcement goes first
            (self._options.directory / "deployment.json").unlink(missing_ok=True)
            await self._supervisor.shutdown()
            self.kill_all()

    def kill_all(self) -> None:
        """End all processes at once."""
        self._supervisor.kill_all()
        self._stores.kill_ahead()

    async def _bring_up(self, shutdown: asyncio.Event) -> None:
        token, pages = self._options.token, self._stores.pages
        control = Control(token=token, supervisor=self._supervisor, pages=pages, shutdown=shutdown)
        await HttpServer(control).start(self._layout.control)
        services = [self._supervisor.start(spec.name) for spec in self._system.services]
        await asyncio.gather(self._fill(), *services)
        self._boot.done("bring_up")
        value = describe(self._system, self._layout, self._options)
        value["boot_s"] = self._boot.figures
        value["notes"] = [note for note in (cache_directory()[1],) if note]
        write_atomically(self._options.directory / "deployment.json", orjson.dumps(value, option=orjson.OPT_INDENT_2))

    async def _fill(self) -> None:
        """Wait for the stores, then run the seed function in a child."""
        started = time.monotonic()
        await asyncio.gather(*(self._supervisor.start(part.name) for part in self._stores.parts))
        self._boot.figures["stores"] = round(time.monotonic() - started, 3)
        if self._system.seed is None:
            return
        output = self._options.directory / "run" / "seed.out"
        names, logins = FixedNames(self._layout.listen), self._stores.logins
        pid = fork(lambda: run_seed(self._system, self._options.seed, names, logins), output)
        try:
            async with asyncio.timeout(SEED_WITHIN_S):
                status = await self._supervisor.wait_for_exit(pid)
        except TimeoutError:
            raise PartError(f"the seed function was not done in {SEED_WITHIN_S:.0f} s") from None
        if status != 0:
            raise PartError(f"the seed function failed ({status}); its last lines:\n{last_lines(output)}")
        self._boot.figures["stores_and_seed"] = round(time.monotonic() - started, 3)

    def _service_parts(self) -> list[ServicePart]:
        package, options = self._system.package, self._options
        modules = [f"{package}.{spec.module}" for spec in self._system.services]
        coverage = warmed_coverage(modules) if options.coverage else None
        parts = []
        for spec in self._system.services:
            environment = Environment(
                name=spec.name,
                directory=options.directory,
                seed=options.seed,
                telemetry=options.telemetry,
                options=spec.options,
                logins=self._stores.logins,
            )
            plan = ServicePlan(
                package=package,
                module=spec.module,
                code=compile_module(package, spec.module),
                environment=environment,
                port=self._layout.listen[spec.name],
                agent_port=self._layout.agents[spec.name],
                token=options.token,
                coverage=coverage,
            )
            parts.append(ServicePart(plan, options.directory / "run" / f"{spec.name}.out"))
        return parts

    def _watch_owner(self, loop: asyncio.AbstractEventLoop) -> None:
        def look() -> None:
            if not os.read(0, 4096):
                self.kill_all()
                os._exit(1)

        try:
            loop.add_reader(0, look)
        except PermissionError:
            raise PartError("--owner-pipe: standard input is no pipe") from None


def describe(system: ReplicaSystem, layout: Layout, options: Options) -> dict[str, Any]:
    """What deployment.json says: where to reach everything of a deployment that is healthy."""
    services = {}
    for spec in system.services:
        agent = _url(layout.agents[spec.name])
        services[spec.name] = {
            "kind": spec.kind,
            "port": layout.listen[spec.name],
            "agent_url": agent,
            "metrics_url": f"{agent}/metrics",
            "log_file": f"logs/{spec.name}.log",
            "log_format": "json",
            "span_file": f"spans/{spec.name}.jsonl" if options.telemetry else None,
            "calls": list(spec.calls),
            "source_root": str(REPLICAS_ROOT),
        }
    for store in system.stores:
        services[store.name] = {
            "kind": store.kind,
            "port": layout.listen[store.name],
            "agent_url": None,
            "metrics_url": f"{_url(layout.control)}/metrics/{store.name}",
            "log_file": f"logs/{store.name}.log",
            "log_format": store.engine,
            "span_file": None,
            "calls": [],
            "source_root": None,
            "secret_file": f"secret/{store.name}.json",
        }
    return {
        "system": system.name,
        "entry_url": _url(layout.listen[system.entry]),
        "urls": {spec.name: _url(layout.listen[spec.name]) for spec in system.services if spec.kind == "gateway"},
        "control_url": _url(layout.control),
        "host": {"pid": os.getpid(), "start_time": psutil.Process().create_time()},
        "directory": str(options.directory),
        "services": services,
    }


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
