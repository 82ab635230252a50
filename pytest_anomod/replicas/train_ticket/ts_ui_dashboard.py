"""ts-ui-dashboard: the web page's server; /api/v1/ goes to the gateway."""

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.http import Request, Response, text_response
from pytest_anomod.replicas.kit.service import Service, route

from .calls import NO_LIMIT_S, NOT_PASSED_ON, context_of
from .catalogue import GATEWAY

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Train Ticket</title></head>
<body><h1>Train Ticket</h1><p>This replica has the API of the original below /api/v1/, not its pages.</p></body></html>
"""
HTML = "text/html; charset=utf-8"


class Dashboard(Service):
    """One page and a proxy."""

    @route("GET", "/")
    @route("GET", "/index.html")
    async def index(self, request: Request) -> Response:
        """The page."""
        return text_response(PAGE, content_type=HTML)

    @route("*", "/api/v1/{rest:path}", span="/api/v1/")
    async def proxy(self, request: Request) -> Response:
        """Pass a request on to the gateway and its answer back."""
        headers = [each for each in request.headers if each[0] not in NOT_PASSED_ON or each[0] == "content-type"]
        method = "GET" if request.method == "HEAD" else request.method
        try:
            with context_of(request).client_span(f"{method} {GATEWAY}", GATEWAY) as span:
                headers.append(("traceparent", span.traceparent()))
                answer = await self.http(GATEWAY).request(
                    method, request.target, headers=headers, body=request.body, timeout_s=NO_LIMIT_S
                )
        except TransportError as error:
            context_of(request).log.error(f"{error} while connecting to upstream")
            return text_response("<html><body><h1>502 Bad Gateway</h1></body></html>\n", 502, HTML)
        kept = [each for each in answer.headers if each[0] not in NOT_PASSED_ON or each[0] == "content-type"]
        return Response(answer.status, answer.body, kept)


SERVICE = Dashboard
