"""The gateway of the demo system."""

import orjson

from pytest_anomod.replicas.kit.errors import ServiceException, TransportError
from pytest_anomod.replicas.kit.http import Request, Response, text_response
from pytest_anomod.replicas.kit.service import Service, route


class Gate(Service):
    """Reads and writes notes over HTTP."""

    @route("GET", "/notes/{name}")
    async def read(self, request: Request) -> Response:
        """Answer a note as JSON, in chunks."""
        try:
            note = await self.rpc("front").call(
                request.ctx, "Read", span="read_client", name=request.params["name"], timeout_s=2.0
            )
        except TransportError as error:
            return text_response(f"{error.kind}: {error}\n", 502)
        except ServiceException as error:
            return text_response(f"declared {error.code}: {error}\n", 404)
        return Response(200, orjson.dumps(note), (("Content-Type", "application/json"),), chunked=True)

    @route("PUT", "/notes/{name}")
    async def write(self, request: Request) -> Response:
        """Store a note."""
        await self.rpc("front").call(
            request.ctx, "Write", span="write_client", name=request.params["name"], body=request.body.decode()
        )
        return text_response("stored\n")


SERVICE = Gate
