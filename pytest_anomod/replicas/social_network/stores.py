"""The three kinds of store as the services know them: documents, memcached and Redis, each with its own way to fail.

Documents stand for MongoDB and live in PostgreSQL; memcached is a Redis-compatible server with a memory limit. A
failure carries the text that the client library of the original would give. Redis failures are the kit's StoreError.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.metrics import Metrics
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.spans import Context

SELECTION_S = 0.3  # how long a MongoDB client looks for a server
RETRY_S = 0.05
PATIENCE_S = 3600.0  # Redis and peers are waited for without a limit of their own

UNIQUE_VIOLATION = "23505"
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

_MEMCACHED_TEXTS = {
    "resolve": "getaddrinfo() or getnameinfo() HOSTNAME LOOKUP FAILED",
    "refused": "CONNECTION FAILURE",
    "closed": "CONNECTION FAILURE",
    "timeout": "A TIMEOUT OCCURRED",
}


class MongoError(Exception):
    """A document store that refused or was not there; the text is what its driver would say."""


class MemcachedError(Exception):
    """memcached refused or was not there; the text is what its client library would say."""


@contextmanager
def _store_call(ctx: Context, metrics: Metrics, span: str, store: str, system: str, operation: str) -> Iterator[None]:
    """Time one operation, with a CLIENT span of that name around it if there is a name."""
    started = time.perf_counter()
    status = "undeclared"
    try:
        if span:
            with ctx.client_span(span, store, system=system, operation=operation):
                yield
        else:
            yield
        status = "ok"
    finally:
        if ctx.sampled:
            metrics.client_call(store, status, time.perf_counter() - started)


class Documents:
    """One document store. `collection` is its full name in MongoDB, which error texts mention."""

    def __init__(
        self, client: PostgresClient, metrics: Metrics, collection: str, index: str, selection_s: float = SELECTION_S
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._collection = collection
        self._index = index
        self._selection_s = selection_s

    async def find(self, ctx: Context, span: str, statement: str, *arguments: Any) -> list[Any]:
        """All rows of a query; `MongoError` when there is no answer."""
        with _store_call(ctx, self._metrics, span, self._client.name, "mongodb", "find"):
            return await self._selected(self._client.fetch, statement, *arguments)

    async def find_one(self, ctx: Context, span: str, statement: str, *arguments: Any) -> Any | None:
        """The first row of a query, or None."""
        rows = await self.find(ctx, span, statement, *arguments)
        return rows[0] if rows else None

    async def insert(self, ctx: Context, span: str, statement: str, *arguments: Any) -> None:
        """Insert documents; a violated unique index is a `MongoError`, too."""
        with _store_call(ctx, self._metrics, span, self._client.name, "mongodb", "insert"):
            await self._selected(self._client.execute, statement, *arguments)

    async def update(self, ctx: Context, span: str, statement: str, *arguments: Any) -> None:
        """Find and modify; a document that does not match is no error."""
        with _store_call(ctx, self._metrics, span, self._client.name, "mongodb", "update"):
            await self._selected(self._client.execute, statement, *arguments)

    async def _selected(self, work: Any, statement: str, *arguments: Any) -> Any:
        """Run a statement; without a server look for one until the time for its selection is over."""
        deadline = time.monotonic() + self._selection_s
        storable = [_storable(argument) for argument in arguments]
        while True:
            try:
                return await work(statement, *storable)
            except StoreError as error:
                if error.kind not in ("resolve", "refused") or time.monotonic() >= deadline:
                    raise MongoError(self._text(error)) from error
            await asyncio.sleep(RETRY_S)

    def _text(self, error: StoreError) -> str:
        store = self._client.name
        if error.sqlstate == UNIQUE_VIOLATION:
            return f"E11000 duplicate key error collection: {self._collection} index: {self._index}"
        if error.kind == "resolve":
            return f"No suitable servers found: `serverSelectionTimeoutMS` expired: [Failed to resolve '{store}']"
        if error.kind == "refused":
            reason = error.message if error.sqlstate else "connection refused"
            return f"No suitable servers found: `serverSelectionTimeoutMS` expired: [{reason} calling '{store}:27017']"
        if error.kind in ("closed", "timeout"):
            return f"Failed to read 4 bytes from '{store}:27017': socket error or timeout"
        return error.message


def storable_json(document: str) -> str:
    """A JSON text without NUL characters, for the same reason as single texts."""
    return _NUL_IN_JSON.sub(lambda match: f"{match[1]}\N{SYMBOL FOR NULL}", document)


def _storable(value: Any) -> Any:
    """A text without NUL characters, which MongoDB keeps and PostgreSQL refuses: their symbol stands for them."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) and "\0" in value else value


class Memcached:
    """One memcached: texts by key, no expiry."""

    def __init__(self, client: RedisClient, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    async def get(self, ctx: Context, span: str, key: str) -> str | None:
        """The value of a key, or None."""
        return (await self._run(ctx, span, "get", [("GET", key)]))[0]

    async def get_many(self, ctx: Context, span: str, keys: Sequence[str]) -> list[str | None]:
        """The values of the keys in their order, None where there is none."""
        return (await self._run(ctx, span, "mget", [("MGET", *keys)]))[0]

    async def set(self, ctx: Context, span: str, key: str, value: str) -> None:
        """Keep one value."""
        await self._run(ctx, span, "set", [("SET", key, value)])

    async def set_many(self, ctx: Context, span: str, values: dict[str, str]) -> None:
        """Keep several values."""
        await self._run(ctx, span, "set", [("SET", key, value) for key, value in values.items()])

    async def _run(self, ctx: Context, span: str, operation: str, commands: Sequence[Sequence[str]]) -> list[Any]:
        with _store_call(ctx, self._metrics, span, self._client.name, "memcached", operation):
            try:
                return await self._client.pipeline(commands)
            except StoreError as error:
                text = _MEMCACHED_TEXTS.get(error.kind) or f"SERVER ERROR {error.message}"
                raise MemcachedError(text) from error


class SortedSets:
    """The sorted sets of one Redis: members and scores by key, members with the highest scores first when reversed."""

    def __init__(self, client: RedisClient, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    async def range(self, ctx: Context, span: str, key: str, first: int, last: int) -> list[str]:
        """Members at positions first to last, lowest score first; -1 is the last position."""
        return (await self._run(ctx, span, "zrange", [("ZRANGE", key, first, last)]))[0]

    async def reverse_range(self, ctx: Context, span: str, key: str, first: int, last: int) -> list[str]:
        """Members at positions first to last, highest score first, equal scores by member text, descending."""
        return (await self._run(ctx, span, "zrevrange", [("ZREVRANGE", key, first, last)]))[0]

    async def add_all(self, ctx: Context, span: str, key: str, scores: dict[str, int]) -> None:
        """Add members with their scores, overwriting the scores of those that are there."""
        with _store_call(ctx, self._metrics, span, self._client.name, "redis", "zadd"):
            if not scores:
                # the client library of the original refuses to send such a command
                raise StoreError("reply", "ZADD: no key specified")
            pairs = [piece for member, score in scores.items() for piece in (score, member)]
            await self._client.execute("ZADD", key, *pairs, timeout_s=PATIENCE_S)

    async def add_new(self, ctx: Context, span: str, entries: Sequence[tuple[str, str, int]]) -> None:
        """In one pipeline add (key, member, score) where the member is not there yet."""
        commands = [("ZADD", key, "NX", score, member) for key, member, score in entries]
        await self._run(ctx, span, "zadd", commands)

    async def remove(self, ctx: Context, span: str, entries: Sequence[tuple[str, str]]) -> None:
        """In one pipeline remove (key, member)."""
        await self._run(ctx, span, "zrem", [("ZREM", key, member) for key, member in entries])

    async def _run(self, ctx: Context, span: str, operation: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        with _store_call(ctx, self._metrics, span, self._client.name, "redis", operation):
            return await self._client.pipeline(commands, timeout_s=PATIENCE_S)
