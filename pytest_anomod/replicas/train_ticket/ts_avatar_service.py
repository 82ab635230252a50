"""ts-avatar-service: would cut the face out of a picture; the gateway never finds it, as it is not registered.

The original looks for faces with a trained model. None is part of this replica, so no picture has a face here.
"""

import base64

import orjson

from pytest_anomod.replicas.kit.http import Response, json_response

from .access import OPEN
from .backend import Backend, endpoint
from .calls import Call


class AvatarService(Backend):
    """One operation."""

    base = "/api/v1"
    rules = OPEN
    checks_tokens = False

    @endpoint("POST", "/avatar")
    async def receive(self, call: Call) -> Response:
        """The face of a picture given as base64 text."""
        try:
            body = orjson.loads(call.request.body)
            image = body.get("img")
            if not image:
                return json_response({"msg": "need img in request body"}, 400)
            base64.b64decode(image, validate=True)
        except (ValueError, AttributeError, TypeError) as error:
            return json_response({"msg": f"exception:{error}"}, 500)
        return json_response({"msg": "no human face found"}, 400)


SERVICE = AvatarService
