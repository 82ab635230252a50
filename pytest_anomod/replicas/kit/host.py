"""The host of a replica: `python -m pytest_anomod.replicas.kit.host SYSTEM --dir DIR --base-port P`.

It starts the stores, warms itself up, forks one process a service, fills the stores, writes DIR/deployment.json when
everything is healthy, and from then on supervises. docs/replicas.md has the stack, the files and the figures.
Exit codes: 0 orderly end, 1 something did not come up (DIR/error.txt says what), 2 usage, 3 a port is in use.
"""

import argparse
import asyncio
import importlib
import os
import secrets
import signal
import sys
import time
from pathlib import Path

import orjson
import psutil

from pytest_anomod.replicas.kit.layout import Layout, PortInUseError, lay_out, make_directories
from pytest_anomod.replicas.kit.net import HOST, write_atomically
from pytest_anomod.replicas.kit.parts import PartError, ServicePart
from pytest_anomod.replicas.kit.processes import fork, last_lines
from pytest_anomod.replicas.kit.redis_server import MissingBinaryError
from pytest_anomod.replicas.kit.stores import Stores
from pytest_anomod.replicas.kit.supervisor import Supervisor
from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec
from pytest_anomod.replicas.kit.telemetry import REPLICAS_ROOT

SYSTEMS = "pytest_anomod.replicas"
SEED_WITHIN_S = 120.0


class Host:
    """One deployment, from the empty directory to its end."""

    def __init__(self, system: ReplicaSystem, options: argparse.Namespace) -> None:
        self._system = system
        self._options = options
        self._directory: Path = options.dir
        self._token = _token(options)
        self._layout: Layout = lay_out(system, options.base_port, options.entry_port)
        self._boot = _Phases()
        self._stores: Stores = None  # type: ignore[assignment] - set by prepare
        self._supervisor: Supervisor = None  # type: ignore[assignment] - set by prepare

    def prepare(self) -> None:
        """Everything before the event loop: ports, store programs, and all the imports services will need."""
        self._layout.check_free()
        self._stores = Stores(self._system, self._layout, self._directory)
        self._stores.launch_ahead()
        self._boot.done("launch_stores")
        services = [self._service_part(spec) for spec in self._system.services]
        if self._options.coverage:
            from pytest_anomod.replicas.kit.coverage_meter import warm_up

            warm_up()
        self._boot.done("warm_up")
        self._supervisor = Supervisor(self._directory, [*self._stores.parts, *services])

    async def run(self) -> None:
        """Bring everything up, announce it, supervise until told to end."""
        shutdown = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, shutdown.set)
        if self._options.owner_pipe:
            self._watch_owner(loop)
        self._supervisor.watch()
        try:
            up = asyncio.ensure_future(self._bring_up(shutdown))
            told = asyncio.ensure_future(shutdown.wait())
            await asyncio.wait((up, told), return_when=asyncio.FIRST_COMPLETED)
            if not up.done():
                up.cancel()
            else:
                await up
                await told
        finally:
            # whatever happened, nothing may be left; names and announcement go first
            (self._directory / "deployment.json").unlink(missing_ok=True)
            await self._supervisor.shutdown()
            self.kill_all()

    def kill_all(self) -> None:
        """End all processes at once."""
        if self._supervisor is not None:
            self._supervisor.kill_all()
        if self._stores is not None:
            self._stores.kill_ahead()

    async def _bring_up(self, shutdown: asyncio.Event) -> None:
        from pytest_anomod.replicas.kit.control import Control
        from pytest_anomod.replicas.kit.http_server import HttpServer

        control = Control(token=self._token, supervisor=self._supervisor, pages=self._stores.pages, shutdown=shutdown)
        await HttpServer(control).start(self._layout.control)
        services = [self._supervisor.start(spec.name) for spec in self._system.services]
        await asyncio.gather(self._fill(), *services)
        self._boot.done("bring_up")
        self._announce()

    async def _fill(self) -> None:
        """Wait for the stores, then run the seed function in a child."""
        from pytest_anomod.replicas.kit.seeding import run_seed

        started = time.monotonic()
        await asyncio.gather(*(self._supervisor.start(part.name) for part in self._stores.parts))
        self._boot.figures["stores"] = round(time.monotonic() - started, 3)
        if self._system.seed is None:
            return
        output = self._directory / "run" / "seed.out"
        ports, logins = self._layout.listen, self._stores.logins
        pid = fork(lambda: run_seed(self._system, self._options.seed, ports, logins), output)
        async with asyncio.timeout(SEED_WITHIN_S):
            status = await self._supervisor.wait_for_exit(pid)
        if status != 0:
            raise PartError(f"the seed function failed ({status}); its last lines:\n{last_lines(output)}")
        self._boot.figures["stores_and_seed"] = round(time.monotonic() - started, 3)

    def _service_part(self, spec: ServiceSpec) -> ServicePart:
        from pytest_anomod.replicas.kit.service import Environment
        from pytest_anomod.replicas.kit.service_process import ServicePlan, compile_module

        options = self._options
        environment = Environment(
            name=spec.name,
            directory=self._directory,
            seed=options.seed,
            telemetry=options.telemetry,
            options=spec.options,
            logins=self._stores.logins,
        )
        plan = ServicePlan(
            package=self._system.package,
            module=spec.module,
            code=compile_module(self._system.package, spec.module),
            environment=environment,
            port=self._layout.listen[spec.name],
            agent_port=self._layout.agents[spec.name],
            token=self._token,
            coverage=options.coverage,
        )
        return ServicePart(plan, self._directory / "run" / f"{spec.name}.out")

    def _watch_owner(self, loop: asyncio.AbstractEventLoop) -> None:
        def look() -> None:
            if not os.read(0, 4096):
                self.kill_all()
                os._exit(1)

        try:
            loop.add_reader(0, look)
        except PermissionError:
            raise PartError("--owner-pipe: standard input is no pipe") from None

    def _announce(self) -> None:
        figures = self._boot.figures | {"total": round(time.time() - psutil.Process().create_time(), 3)}
        value = describe(self._system, self._layout, self._directory, telemetry=self._options.telemetry)
        value["boot_s"] = figures
        write_atomically(self._directory / "deployment.json", orjson.dumps(value, option=orjson.OPT_INDENT_2))


class _Phases:
    """Seconds each phase of the start took, the interpreter's own first."""

    def __init__(self) -> None:
        self._last = time.time()
        self.figures = {"interpreter": round(self._last - psutil.Process().create_time(), 3)}

    def done(self, name: str) -> None:
        now = time.time()
        self.figures[name] = round(now - self._last, 3)
        self._last = now


def describe(system: ReplicaSystem, layout: Layout, directory: Path, *, telemetry: bool) -> dict:
    """What deployment.json says: where to reach everything of a deployment that is healthy."""
    control = _url(layout.control)
    gateways = {spec.name: _url(layout.listen[spec.name]) for spec in system.services if spec.kind == "gateway"}
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
            "span_file": f"spans/{spec.name}.jsonl" if telemetry else None,
            "calls": list(spec.calls),
            "source_root": str(REPLICAS_ROOT),
        }
    for store in system.stores:
        services[store.name] = {
            "kind": store.kind,
            "port": layout.listen[store.name],
            "agent_url": None,
            "metrics_url": f"{control}/metrics/{store.name}",
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
        "urls": gateways,
        "control_url": control,
        "host": {"pid": os.getpid(), "start_time": psutil.Process().create_time()},
        "directory": str(directory),
        "services": services,
    }


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _token(options: argparse.Namespace) -> str:
    if options.token_file is not None:
        token = options.token_file.read_text().strip()
        if not token:
            raise PartError(f"the token file {options.token_file} is empty")
        return token
    token = secrets.token_hex(16)
    write_atomically(options.dir / "secret" / "token", token.encode(), 0o600)
    return token


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pytest_anomod.replicas.kit.host", description=__doc__)
    parser.add_argument("system", help="name of a package of replicas, or a dotted path; it has SYSTEM")
    parser.add_argument("--dir", type=Path, required=True, help="directory of the deployment")
    parser.add_argument("--base-port", type=int, required=True, help="first port of a free block of 100")
    parser.add_argument("--entry-port", type=int, help="port of the entry gateway, if not of the block")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--token-file", type=Path, help="file with the bearer token of control and agents")
    parser.add_argument("--no-coverage", dest="coverage", action="store_false")
    parser.add_argument("--no-telemetry", dest="telemetry", action="store_false")
    parser.add_argument("--owner-pipe", action="store_true", help="end at once when standard input ends")
    options = parser.parse_args(arguments)
    options.dir = options.dir.resolve()
    return options


def _system(name: str) -> ReplicaSystem:
    module = importlib.import_module(name if "." in name else f"{SYSTEMS}.{name}")
    return module.SYSTEM


def main(arguments: list[str] | None = None) -> int:
    """Run a deployment to its end and return the exit code."""
    options = _arguments(arguments)
    make_directories(options.dir)
    for name in ("deployment.json", "error.txt"):
        (options.dir / name).unlink(missing_ok=True)
    host = None
    try:
        host = Host(_system(options.system), options)
        host.prepare()
        asyncio.run(host.run())
    except PortInUseError as error:
        return _failed(options.dir, host, str(error), 3)
    except (PartError, MissingBinaryError, ImportError, OSError, TimeoutError, RuntimeError) as error:
        return _failed(options.dir, host, f"{error}" or type(error).__name__, 1)
    return 0


def _failed(directory: Path, host: Host | None, message: str, code: int) -> int:
    if host is not None:
        host.kill_all()
    write_atomically(directory / "error.txt", f"{message}\n".encode())
    sys.stderr.write(f"{message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
