"""RabbitMQ's two queues as streams of a Redis server: publish, and a loop that consumes for as long as a service runs.

A message is JSON text with the trace context of its sender. As in the original a message counts as consumed once it
was handed out, and a queue keeps what nobody consumed yet.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.http import Request
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.spans import incoming_context

from .calls import Call

if TYPE_CHECKING:
    from .backend import Backend

BROKER = "rabbitmq"
EMAIL, FOOD_DELIVERY = "email", "food_delivery"
KEPT = 10_000  # messages of a queue at most; nothing here comes near
BLOCK_S, RETRY_S = 5.0, 0.5

Handler = Callable[[Call, str], Awaitable[None]]


async def publish(call: Call, queue: str, text: str) -> None:
    """Send a text to a queue; StoreError when the broker is not there."""
    with call.ctx.client_span(f"{queue} publish", BROKER, system="rabbitmq", operation="publish") as span:
        fields = ("body", text, "traceparent", span.traceparent())
        await call.service.redis(BROKER).execute("XADD", queue, "MAXLEN", "~", KEPT, "*", *fields)


async def consume(service: "Backend", queue: str, handler: Handler) -> None:
    """Hand every message of a queue to `handler`, one after the other, for ever; what it raises is logged."""
    redis = service.redis(BROKER).dedicated()
    while True:
        try:
            await _declare(redis, queue)
            while True:
                await _next(service, redis, queue, handler)
        except StoreError as error:
            service.log.warning(f"Consumer raised exception, processing can restart if the connection factory: {error}")
            redis.close()
            await asyncio.sleep(RETRY_S)


async def _declare(redis: RedisClient, queue: str) -> None:
    try:
        await redis.execute("XGROUP", "CREATE", queue, "consumers", "0", "MKSTREAM")
    except StoreError as error:
        if "BUSYGROUP" not in error.message:
            raise


async def _next(service: "Backend", redis: RedisClient, queue: str, handler: Handler) -> None:
    command = ("XREADGROUP", "GROUP", "consumers", service.name, "COUNT", 10, "BLOCK", int(BLOCK_S * 1000), "NOACK")
    answer = await redis.execute(*command, "STREAMS", queue, ">", timeout_s=BLOCK_S * 2)
    for _, entries in answer or ():
        for _, fields in entries:
            message = dict(zip(fields[::2], fields[1::2], strict=True))
            await _handle(service, queue, handler, message)


async def _handle(service: "Backend", queue: str, handler: Handler, message: dict[str, str]) -> None:
    context = incoming_context(service.telemetry, message.get("traceparent", ""))
    with context.span(f"{queue} process", "SERVER") as span:
        span.attributes |= {"messaging.system": "rabbitmq", "messaging.source": BROKER, "messaging.destination": queue}
        call = Call(service, span, Request("", "", "", "", []), None)
        try:
            await handler(call, message["body"])
        except Exception as error:
            # a consumer outlives whatever one message does to it
            span.fail(str(error) or type(error).__name__)
            call.log.error(f"Execution of Rabbit message listener failed: {type(error).__name__}: {error}")
