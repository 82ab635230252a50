"""The host of a deployment in containers: makes passwords and the plan, fills the stores, answers for their metrics."""

import argparse
import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from pytest_anomod.replicas.kit.deployment import Options, describe
from pytest_anomod.replicas.kit.dns_names import ANYWHERE, DnsNames
from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.http import Request, Response, json_response, text_response
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.layout import Layout
from pytest_anomod.replicas.kit.metrics import CONTENT_TYPE
from pytest_anomod.replicas.kit.name_server import deny_all
from pytest_anomod.replicas.kit.net import write_atomically
from pytest_anomod.replicas.kit.parts import PartError
from pytest_anomod.replicas.kit.processes import fork, last_lines
from pytest_anomod.replicas.kit.seeding import run_seed
from pytest_anomod.replicas.kit.stores import Stores
from pytest_anomod.replicas.kit.system import ReplicaSystem

STORES_WITHIN_S = 60.0


def run_host(system: ReplicaSystem, layout: Layout, options: argparse.Namespace) -> int:
    """Plan, fill, then serve the stores' metrics until SIGTERM; PartError when stores don't come up or don't fill."""
    stores = Stores(system, layout, options.dir)
    names = DnsNames(layout.listen)
    asyncio.run(_run(system, stores, names, layout, options))
    return 0


def _write_plan(system: ReplicaSystem, layout: Layout, options: argparse.Namespace, stores: Stores) -> None:
    """What each store runs with, then what the deployment will be; the latter is what is waited for."""
    wanted = Options(
        directory=options.dir,
        token="",
        seed=options.seed,
        coverage=options.coverage,
        telemetry=options.telemetry,
        owner_pipe=False,
    )
    specs = {
        spec.name: {"engine": spec.engine, "port": layout.listen[spec.name], "settings": dict(spec.settings)}
        for spec in system.stores
    }
    write_atomically(options.dir / "run" / "stores.json", orjson.dumps(specs))
    value = describe(system, layout, wanted)
    value["stop_signals"] = {part.name: signal.Signals(part.stop_signal).name for part in stores.parts}
    write_atomically(options.dir / "run" / "plan.json", orjson.dumps(value))


async def _run(
    system: ReplicaSystem, stores: Stores, names: DnsNames, layout: Layout, options: argparse.Namespace
) -> None:
    await deny_all(ANYWHERE)
    _write_plan(system, layout, options, stores)
    stores.connect(names)
    await _wait_for(stores)
    if system.seed is not None:
        output = options.dir / "run" / "seed.out"
        pid = fork(lambda: run_seed(system, options.seed, names, stores.logins), output)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        if status != 0:
            raise PartError(f"the seed function failed; its last lines:\n{last_lines(output)}")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = HttpServer(_Pages(stores.pages))
    await server.start(layout.control, ANYWHERE)
    write_atomically(options.dir / "run" / "filled", b"")
    await ended.wait()
    await server.close()


async def _wait_for(stores: Stores) -> None:
    waiting = {part.name: asyncio.ensure_future(part.wait_healthy()) for part in stores.parts}
    if not waiting:
        return
    done, late = await asyncio.wait(waiting.values(), timeout=STORES_WITHIN_S, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()  # raises what it met
    if late:
        missing = [name for name, task in waiting.items() if task in late]
        raise PartError(f"stores were not up within {STORES_WITHIN_S:.0f} s: {', '.join(missing)}")


class _Pages:
    """GET /metrics/STORE."""

    def __init__(self, pages: Mapping[str, Callable[[], Awaitable[str]]]) -> None:
        self._pages = pages

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method == "GET" and request.path == "/healthz":
            return json_response({"status": "ok"})
        page: Any = self._pages.get(request.path.removeprefix("/metrics/"))
        if request.method != "GET" or page is None:
            return text_response("404 Not Found\n", 404)
        try:
            return Response(200, (await page()).encode(), (("Content-Type", CONTENT_TYPE),))
        except StoreError as error:
            return text_response(f"{error}\n", 503)
