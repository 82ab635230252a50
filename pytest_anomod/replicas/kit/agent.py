"""The agent of a service process: health, metrics, coverage windows, changes to code, port, log, names and pools.

GET /healthz and /metrics are open; everything else asks for `Authorization: Bearer TOKEN`.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pytest_anomod.replicas.kit.code_patches import CodePatches, Patch, PatchError
from pytest_anomod.replicas.kit.coverage_meter import CoverageMeter
from pytest_anomod.replicas.kit.http import Request, Response, json_response, text_response
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.metrics import CONTENT_TYPE, Metrics
from pytest_anomod.replicas.kit.net import NameTable
from pytest_anomod.replicas.kit.pools import PoolLoans, Pools
from pytest_anomod.replicas.kit.telemetry import LineFile, NoFile


def authorized(request: Request, token: str) -> bool:
    """Whether a request carries the token; with an empty token nothing is let in."""
    given = request.header("authorization")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


class Agent:
    """Answers the agent's HTTP interface for one service process."""

    def __init__(
        self,
        *,
        token: str,
        metrics: Metrics,
        patches: CodePatches,
        meter: CoverageMeter | None,
        listener: HttpServer,
        port: int,
        names: NameTable,
        pools: Pools,
        files: Sequence[LineFile | NoFile],
    ) -> None:
        self._token = token
        self._metrics = metrics
        self._patches = patches
        self._meter = meter
        self._listener = listener
        self._port = port
        self._names = names
        self._files = [file for file in files if isinstance(file, LineFile)]
        self._loans = PoolLoans(pools)
        self._actions: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "/coverage/snapshot": self._snapshot,
            "/code/locate": self._locate,
            "/code/patch": self._patch,
            "/code/restore": self._restore,
            "/listener/move": self._move,
            "/log/durable": self._durable,
            "/names/look": self._look,
            "/names/refresh": self._refresh,
            "/pools/borrow": self._borrow,
            "/pools/return": self._give_back,
        }

    async def __call__(self, request: Request) -> Response:
        """Answer one request of the agent's port."""
        asked = (request.method, request.path)
        if asked == ("GET", "/healthz"):
            return json_response({"status": "ok"})
        if asked == ("GET", "/metrics"):
            return Response(200, self._metrics.page(), (("Content-Type", CONTENT_TYPE),))
        if not authorized(request, self._token):
            return json_response({"error": "a valid bearer token is needed"}, 401)
        if asked == ("GET", "/code/patched"):
            return json_response(self._patches.patched())
        return await self._act(request)

    async def _act(self, request: Request) -> Response:
        action = self._actions.get(request.path)
        if request.method != "POST" or action is None:
            return text_response("404 Not Found\n", 404)
        try:
            body = request.json() if request.body else {}
            if not isinstance(body, dict):
                raise PatchError("the body must be a JSON object")
            return json_response(await action(body))
        except (PatchError, ValueError, TypeError) as error:
            return json_response({"error": str(error)}, 400)
        except OSError as error:
            return json_response({"error": f"cannot listen there: {error.strerror or error}"}, 409)

    async def _snapshot(self, body: dict[str, Any]) -> Any:
        if self._meter is None:
            raise PatchError("coverage is off in this deployment")
        return self._meter.snapshot(reset=bool(body.get("reset", False)))

    async def _locate(self, body: dict[str, Any]) -> Any:
        return self._patches.locate(_text(body, "function"))

    async def _patch(self, body: dict[str, Any]) -> Any:
        name = _text(body, "function")
        return self._patches.patch(name, Patch(**{key: value for key, value in body.items() if key != "function"}))

    async def _restore(self, body: dict[str, Any]) -> Any:
        self._patches.restore(body.get("function"))
        return self._patches.patched()

    async def _move(self, body: dict[str, Any]) -> Any:
        port = body.get("port")
        if port is not None and not (isinstance(port, int) and 0 < port < 65536):
            raise PatchError(f"port {port!r} is neither null nor a port number")
        await self._listener.move(port or self._port)
        return {"port": self._listener.port}

    async def _durable(self, body: dict[str, Any]) -> Any:
        files, on = self._files, body.get("on")
        if not files:
            raise PatchError("telemetry is off in this deployment")
        if on is not None:
            if not isinstance(on, bool):
                raise PatchError(f"on {on!r} must be true or false")
            for file in files:
                file.durable = on
        return {
            "on": all(file.durable for file in files),
            "writes": sum(file.writes for file in files),
            "waited_s": sum(file.waited_s for file in files),
        }

    async def _look(self, body: dict[str, Any]) -> Any:
        names = body.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise PatchError(f"names {names!r} must be a list of texts")
        return self._names.look(names)

    async def _refresh(self, body: dict[str, Any]) -> Any:
        self._names.refresh()
        return {}

    async def _borrow(self, body: dict[str, Any]) -> Any:
        leave, seconds = body.get("leave", 0), body.get("seconds")
        if not isinstance(leave, int) or leave < 0:
            raise PatchError(f"leave {leave!r} must be a number of connections")
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise PatchError(f"seconds {seconds!r} must be a positive number")
        return await self._loans.borrow(leave, seconds)

    async def _give_back(self, body: dict[str, Any]) -> Any:
        await self._loans.give_back()
        return {}


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise PatchError(f"{key!r} must be a text")
    return value
