"""What the eleven app services share: how they call each other, reach their stores and say that they start."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from pytest_anomod.replicas.kit.errors import RemoteError, ServiceException, TransportError
from pytest_anomod.replicas.kit.service import Service
from pytest_anomod.replicas.kit.spans import Context

from .stores import PATIENCE_S, Documents, Memcached, SortedSets

# the codes of declared failures; they travel between services, never to HTTP clients
CONNECTION_POOL_TIMEOUT = 0
THRIFT_CONNECTION_ERROR = 1
UNAUTHORIZED = 2
MEMCACHED_ERROR = 3
MONGODB_ERROR = 4
REDIS_ERROR = 5
HANDLER_ERROR = 6

PEER_ERRORS = (ServiceException, RemoteError, TransportError)

MOST_CONNECTIONS = 512
POOL_WAIT_S = 10.0

_SOCKET_LINES = {
    "resolve": "TSocket::open() getaddrinfo() <Host: {peer} Port: 9090>Name or service not known",
    "refused": "TSocket::open() connect() <Host: {peer} Port: 9090>Connection refused",
}


class Backend(Service):
    """An app service. Calls to peers wait as long as they take; only the gateway has a time limit."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._slots: dict[str, asyncio.Semaphore] = {}

    async def start(self) -> None:
        """Write the one line every service starts its log with."""
        self.log.info(f"Starting the {self.name} server...")

    async def ask(self, ctx: Context, peer: str, method: str, /, *, span: str = "", **arguments: Any) -> Any:
        """Call a method of a peer; raises one of PEER_ERRORS. With `span` a CLIENT span is made around the call."""
        slot = await self._connection_slot(peer)
        try:
            return await self.rpc(peer).call(ctx, method, span=span, timeout_s=PATIENCE_S, **arguments)
        except TransportError as error:
            line = _SOCKET_LINES.get(error.kind)
            if line is not None:
                ctx.log.info(line.format(peer=peer))
            raise
        finally:
            slot.release()

    async def _connection_slot(self, peer: str) -> asyncio.Semaphore:
        """One of the connections a pool may have; a pool that stays exhausted is a declared failure."""
        slot = self._slots.get(peer)
        if slot is None:
            slot = self._slots[peer] = asyncio.Semaphore(MOST_CONNECTIONS)
        if not slot.locked():
            await slot.acquire()  # the usual case, without a timer
            return slot
        try:
            async with asyncio.timeout(POOL_WAIT_S):
                await slot.acquire()
        except TimeoutError:
            raise ServiceException(THRIFT_CONNECTION_ERROR, f"Failed to connect to {peer}") from None
        return slot

    def documents(self, store: str, collection: str, index: str) -> Documents:
        """The one collection of a document store and the name of its unique index."""
        return Documents(self.pg(store), self.metrics, collection, index)

    def memcached(self, store: str) -> Memcached:
        """A memcached by name."""
        return Memcached(self.redis(store), self.metrics)

    def sorted_sets(self, store: str) -> SortedSets:
        """A Redis by name."""
        return SortedSets(self.redis(store), self.metrics)


async def settled(*works: Awaitable[Any]) -> list[Any]:
    """Run everything side by side to its end; results in order, an exception standing for a failed one."""
    return await asyncio.gather(*works, return_exceptions=True)


def result_of(outcome: Any) -> Any:
    """A result of `settled`, raised if it is an exception."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
