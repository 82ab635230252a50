"""The life of one service process, from the fork to its last answer."""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, ModuleType

from coverage import Coverage

from pytest_anomod.replicas.kit.agent import Agent
from pytest_anomod.replicas.kit.code_patches import CodePatches
from pytest_anomod.replicas.kit.coverage_meter import CoverageMeter
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.net import HOST
from pytest_anomod.replicas.kit.processes import set_title
from pytest_anomod.replicas.kit.service import Environment, Service, ServiceApp
from pytest_anomod.replicas.kit.telemetry import source_path

try:
    from uvloop import new_event_loop
except ImportError:  # uvloop has no wheel for every platform; plain asyncio is slower and otherwise the same
    from asyncio import new_event_loop  # type: ignore[assignment]

READY = b"ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """All a forked child needs to become a service."""

    package: str
    module: str
    code: CodeType
    environment: Environment
    port: int
    agent_port: int
    host: str = HOST  # the address it listens on
    token: str
    coverage: Coverage | None


def compile_module(package: str, module: str) -> CodeType:
    """The code of a module, compiled once in the parent and run in each child that needs it."""
    spec = importlib.util.find_spec(f"{package}.{module}")
    loader = spec.loader if spec else None
    code = loader.get_code(spec.name) if spec and loader and hasattr(loader, "get_code") else None
    if code is None:
        raise ModuleNotFoundError(f"service module {package}.{module} was not found")
    return code


def run_service(plan: ServicePlan, report: int) -> None:
    """Become the service: measure, load, listen, tell the host through the pipe `report`, serve until SIGTERM."""
    set_title(plan.environment.name)
    meter = CoverageMeter(plan.coverage) if plan.coverage is not None else None
    if meter is not None:
        meter.start()  # before the module is loaded, so that its top-level lines count
        meter.loaded(plan.code)
    module = _load(plan)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(plan, module.SERVICE, meter, report))


def _load(plan: ServicePlan) -> ModuleType:
    name = f"{plan.package}.{plan.module}"
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # compile_module found it
    sys.modules[name] = module
    exec(plan.code, module.__dict__)
    return module


async def _serve(
    plan: ServicePlan,
    make: Callable[[Environment, Callable[[], int]], Service],
    meter: CoverageMeter | None,
    report: int,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if sys.platform != "linux":
        _watch_parent(loop, os.getppid())
    listener = HttpServer(None)  # type: ignore[arg-type]  # set in the next lines, before it listens
    service = make(plan.environment, lambda: listener.in_flight)
    listener.app = ServiceApp(service)
    agent = HttpServer(
        Agent(
            token=plan.token,
            metrics=service.metrics,
            patches=CodePatches(lambda module: sys.modules.get(f"{plan.package}.{module}"), source_path),
            meter=meter,
            listener=listener,
            port=plan.port,
            names=service.names,
            pools=service.pools,
            files=(service.telemetry.logs, service.telemetry.spans),
        )
    )
    await service.start()
    await listener.start(plan.port, plan.host)
    await agent.start(plan.agent_port, plan.host)
    os.write(report, READY)
    os.close(report)
    await stopped.wait()
    await listener.close()
    await service.stop()
    service.telemetry.flush()


def _watch_parent(loop: asyncio.AbstractEventLoop, parent: int) -> None:
    """Where the kernel cannot kill us with the host: look once a second whether it is still our parent."""
    if os.getppid() != parent:
        os._exit(1)
    loop.call_later(1.0, _watch_parent, loop, parent)
