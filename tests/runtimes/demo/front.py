"""The gateway of the demo replica."""

from pytest_anomod.replicas.kit.http import json_response
from pytest_anomod.replicas.kit.service import Service, route


class Front(Service):
    """Passes a text on."""

    @route("GET", "/echo/{text}")
    async def echo(self, request):
        """What the back says."""
        said = await self.rpc("back").call(request.ctx, "Echo", text=request.params["text"])
        return json_response(said)


SERVICE = Front
