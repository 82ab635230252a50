"""The database as a service sees it: a pool with a limit, and a repository a table in the manner of the original.

One PostgreSQL server named tsdb-mysql stands in for the original's MySQL; spans therefore say "mysql". Statement and
lock time-outs are settings of the server (see `stores.py`), so that they can be changed while it runs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg

from pytest_anomod.replicas.kit.net import Login, NameTable
from pytest_anomod.replicas.kit.postgres_client import PostgresClient

from .tables import Table

if TYPE_CHECKING:
    from .calls import Call

DATABASE = "tsdb-mysql"
POOL_SIZE = 10  # connections of one service at most
POOL_WAIT_S = 3.0  # for a connection of the pool
STATEMENT_S = 60.0  # the client's own limit, far above the server's

UNIQUE_VIOLATION = "23505"


class Pool(PostgresClient):
    """At most `size` connections; who waits longer than POOL_WAIT_S for one gets StoreError of kind "pool"."""

    def __init__(self, names: NameTable, login: Login, owner: str, size: int = POOL_SIZE) -> None:
        super().__init__(names, DATABASE, login, size=size, timeout_s=STATEMENT_S, wait_s=POOL_WAIT_S, owner=owner)


class Repository:
    """The rows of one table as dicts by JSON names.

    Conditions are JSON names: `find(call, accountId=x)`; None matches null. Every statement is a CLIENT span.
    """

    def __init__(self, pool: PostgresClient, table: Table) -> None:
        self.table = table
        self._pool = pool

    async def find(self, call: "Call", **equals: Any) -> list[dict[str, Any]]:
        """The rows that match, in the order they are kept in."""
        return await self.select(call, *self.table.condition(equals))

    async def one(self, call: "Call", **equals: Any) -> dict[str, Any] | None:
        """The first row that matches."""
        rows = await self.find(call, **equals)
        return rows[0] if rows else None

    async def get(self, call: "Call", key: str | None) -> dict[str, Any] | None:
        """The row with this key; ValueError (so 500) for None, as the original's repositories do."""
        if key is None:
            raise ValueError("The given id must not be null!")
        return await self.one(call, **{self.table.key: key})

    async def select(self, call: "Call", where: str, *arguments: Any) -> list[dict[str, Any]]:
        """The rows under an SQL condition with $1, $2 ...; "" is all."""
        statement = f"{self.table.select}{f' WHERE {where}' if where else ''} ORDER BY {self.table.order}"
        with self._span(call, "SELECT"):
            rows = await self._pool.fetch(statement, *arguments)
        return [self.table.row(record) for record in rows]

    async def fetch(self, call: "Call", statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of another query on this table."""
        with self._span(call, "SELECT"):
            return await self._pool.fetch(statement, *arguments)

    async def insert(self, call: "Call", row: dict[str, Any]) -> dict[str, Any]:
        """Store a new row and return it as stored; a key that is made on insert replaces the given one."""
        stored = self._keyed(row)
        with self._span(call, "INSERT"):
            await self._pool.execute(self.table.insert, *self.table.values(stored))
        return stored

    async def insert_all(self, call: "Call", rows: Sequence[dict[str, Any]]) -> None:
        """Store new rows in one transaction."""
        values = [self.table.values(self._keyed(row)) for row in rows]
        with self._span(call, "INSERT"):
            await self._pool.executemany(self.table.insert, values)

    async def save(self, call: "Call", row: dict[str, Any]) -> dict[str, Any]:
        """Store a row: over the one with its key if there is one, else as a new one. Returns it as stored."""
        key = row[self.table.key]
        if key is None:
            return await self.insert(call, row)
        async with self._pool.transaction() as connection:
            with self._span(call, "SELECT"):
                known = await connection.fetchval(self.table.exists, key)
            stored = row if known else self._keyed(row)
            with self._span(call, "UPDATE" if known else "INSERT"):
                statement = self.table.update if known else self.table.insert
                await connection.execute(statement, *self.table.values(stored))
        return stored

    async def update(self, call: "Call", row: dict[str, Any]) -> bool:
        """Write a row over the one with its key; false when there is none."""
        with self._span(call, "UPDATE"):
            status = await self._pool.execute(self.table.update, *self.table.values(row))
        return status != "UPDATE 0"

    async def delete(self, call: "Call", **equals: Any) -> int:
        """Delete the rows that match and return how many there were."""
        where, *arguments = self.table.condition(equals)
        with self._span(call, "DELETE"):
            status = await self._pool.execute(f"DELETE FROM {self.table.name} WHERE {where}", *arguments)
        return int(status.split()[1])

    def _keyed(self, row: dict[str, Any]) -> dict[str, Any]:
        key = self.table.key
        return {**row, key: str(uuid4())} if self.table.fresh_key or row[key] is None else row

    def _span(self, call: "Call", operation: str) -> Any:
        return call.ctx.client_span(f"{operation} ts.{self.table.name}", DATABASE, system="mysql", operation=operation)
