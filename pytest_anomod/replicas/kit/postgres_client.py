"""A PostgreSQL client for services: a small pool over asyncpg without its reset query, reconnects by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from pytest_anomod.replicas.kit.errors import StoreError, TransportError
from pytest_anomod.replicas.kit.net import Login, NameTable, NoNameError


class PostgresClient:
    """Statements to a named PostgreSQL store, on at most `size` connections.

    Errors are StoreError: kind "reply" with PostgreSQL's own text and `sqlstate`, kinds resolve/refused/timeout when
    there is no connection to be had, closed when it was lost under a statement, pool when `wait_s` seconds (None: no
    limit) did not give one of the pool. `owner` is whose pool it is: the server is told as the application's name.
    """

    def __init__(
        self,
        names: NameTable,
        name: str,
        login: Login,
        *,
        size: int = 4,
        timeout_s: float = 10.0,
        wait_s: float | None = None,
        owner: str = "",
    ) -> None:
        self.name = name
        self.size = size
        self.in_use = self.waiting = self.timeouts = 0
        self._names = names
        self._login = login
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._owner = owner
        self._free: list[asyncpg.Connection] = []
        self._slots = asyncio.Semaphore(size)
        self._closed = 0  # how often the kept connections were dropped
        names.add(self)

    @property
    def kept(self) -> int:
        """Connections that are open and wait for their next use."""
        return len(self._free)

    async def fetch(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows of a query."""
        async with self.connection() as connection:
            return await connection.fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row of a query, or None."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        """The first value of the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetchval(statement, *arguments)

    async def execute(self, statement: str, *arguments: Any) -> str:
        """Run a statement (or, without arguments, several) and return its status, such as "UPDATE 1"."""
        async with self.connection() as connection:
            return await connection.execute(statement, *arguments)

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row of arguments, in one transaction."""
        async with self.connection() as connection:
            await connection.executemany(statement, rows)

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Load rows by COPY: the fast way to seed."""
        async with self.connection() as connection:
            await connection.copy_records_to_table(table, records=rows, columns=columns)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection inside a transaction, rolled back when an exception leaves the block."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool; errors of asyncpg inside the block become StoreError."""
        await self._wait()
        self.in_use += 1
        try:
            async with self._taken() as connection:
                yield connection
        finally:
            self.in_use -= 1
            self._slots.release()

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[asyncpg.Connection]:
        closed = self._closed
        connection = await self._take()
        try:
            yield connection
        except TimeoutError:
            connection.terminate()  # its state is unknown
            raise StoreError("timeout", "canceling statement due to client timeout") from None
        except asyncpg.PostgresError as error:
            raise StoreError("reply", str(error), error.sqlstate or "") from error
        except (asyncpg.InterfaceError, OSError) as error:
            connection.terminate()
            raise StoreError("closed", f"connection to server was lost: {error}") from error
        finally:
            if not connection.is_closed() and not connection.is_in_transaction() and closed == self._closed:
                self._free.append(connection)
            elif not connection.is_closed():
                connection.terminate()

    async def _wait(self) -> None:
        """Wait for the right to use a connection."""
        if not self._slots.locked():
            await self._slots.acquire()  # at once, and without a timer
            return
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._slots.acquire()
        except TimeoutError:
            self.timeouts += 1
            text = f"pool of {self._owner} - Connection is not available, request timed out after {self._wait_s:g} s."
            raise StoreError("pool", text) from None
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Drop the kept connections, and those at work as soon as they are free."""
        self._closed += 1
        while self._free:
            self._free.pop().terminate()

    async def _take(self) -> asyncpg.Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        login = self._login
        try:
            return await asyncpg.connect(
                host=self._names.host(self.name),
                port=self._names.resolve(self.name),
                user=login.user,
                password=login.password,
                database=login.database,
                ssl=False,
                timeout=self._timeout_s,
                command_timeout=self._timeout_s,
                server_settings={"application_name": self._owner} if self._owner else None,
            )
        except (TransportError, NoNameError):
            raise StoreError("resolve", f'could not translate host name "{self.name}" to address') from None
        except TimeoutError:
            raise StoreError("timeout", "connection to server timed out") from None
        except asyncpg.PostgresError as error:
            raise StoreError("refused", str(error), error.sqlstate or "") from error
        except (OSError, asyncpg.InterfaceError) as error:
            text = "Connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
            raise StoreError("refused", f"connection to server failed: {text}") from error
