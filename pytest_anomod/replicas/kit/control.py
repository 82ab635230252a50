"""The host's own HTTP interface: what runs, stop and start of any part, the metrics of stores, the end of it all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from pytest_anomod.replicas.kit.agent import authorized
from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.http import Request, Response, Route, Router, json_response, text_response
from pytest_anomod.replicas.kit.metrics import CONTENT_TYPE
from pytest_anomod.replicas.kit.parts import PartError
from pytest_anomod.replicas.kit.supervisor import Supervisor


class Control:
    """Answers GET /services, POST /services/NAME/stop and /start, POST /shutdown and GET /metrics/STORE.

    All but the metrics ask for `Authorization: Bearer TOKEN`.
    """

    def __init__(
        self,
        *,
        token: str,
        supervisor: Supervisor,
        pages: Mapping[str, Callable[[], Awaitable[str]]],
        shutdown: asyncio.Event,
    ) -> None:
        self._token = token
        self._supervisor = supervisor
        self._pages = pages
        self._shutdown = shutdown
        self._router = Router()
        for verb, path, handler in (
            ("GET", "/services", self._services),
            ("POST", "/services/{name}/stop", self._stop),
            ("POST", "/services/{name}/start", self._start),
            ("POST", "/shutdown", self._end),
            ("GET", "/metrics/{name}", self._metrics),
        ):
            self._router.add(Route(verb, path, handler))

    async def __call__(self, request: Request) -> Response:
        """Answer one request of the control port."""
        if not request.path.startswith("/metrics/") and not authorized(request, self._token):
            return json_response({"error": "a valid bearer token is needed"}, 401)
        found, _ = self._router.find(request)
        name = request.params.get("name")
        if found is None or (name is not None and name not in self._supervisor):
            return json_response({"error": f"no such thing: {request.method} {request.path}"}, 404)
        try:
            return await found.handler(request)
        except PartError as error:
            return json_response({"error": str(error)}, 500)
        except StoreError as error:
            return text_response(f"{error}\n", 503)

    async def _services(self, request: Request) -> Response:
        return json_response(self._supervisor.states())

    async def _stop(self, request: Request) -> Response:
        await self._supervisor.stop(request.params["name"])
        return json_response(self._supervisor.states()[request.params["name"]])

    async def _start(self, request: Request) -> Response:
        await self._supervisor.start(request.params["name"])
        return json_response(self._supervisor.states()[request.params["name"]])

    async def _end(self, request: Request) -> Response:
        self._shutdown.set()
        return json_response({"status": "shutting down"})

    async def _metrics(self, request: Request) -> Response:
        page = self._pages.get(request.params["name"])
        if page is None:
            return text_response("a service has its metrics on its agent's port\n", 404)
        return Response(200, (await page()).encode(), (("Content-Type", CONTENT_TYPE),))
