"""A PostgreSQL server of its own for the tests of faults in databases, and a deployment that has nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from programs import free_port, until

from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.testing import FakeDeployment, fake_deployment

TARGET = "app"
SERVER = """
import sys
import types
from pathlib import Path
from pytest_anomod.replicas.kit.postgres_server import PostgresServer, cluster_template
PostgresServer(Path(sys.argv[1]), int(sys.argv[2]), {}, cluster_template()[0]).exec()
"""


class Database:
    """The server: statements as its administrator, and new sessions."""

    def __init__(self, pid: int, dsn: str) -> None:
        self.pid = pid
        self.dsn = dsn

    def ask(self, *statements: str, user: str = "postgres", password: str = "") -> object:
        """Run statements in a new session; the first value of the last one."""

        async def play() -> object:
            async with self.session(user, password) as session:
                return [await session.fetchval(statement) for statement in statements][-1]

        return asyncio.run(play())

    @contextlib.asynccontextmanager
    async def session(self, user: str = "postgres", password: str = ""):
        """A new session."""
        import asyncpg

        given = {"user": user, "password": password} if password else {}
        session = await asyncpg.connect(self.dsn, timeout=10, **given)
        try:
            yield session
        finally:
            session.terminate()

    def deployment(self, directory: Path) -> FakeDeployment:
        """A fake deployment whose TARGET is this server."""

        class Deployment(FakeDeployment):
            def instances(self, service: str = ""):
                return tuple(
                    dataclasses.replace(one, pid=pid, engine="postgresql") for one in super().instances(service)
                )

        pid = self.pid
        deployment = Deployment(fake_deployment(directory).ref)
        deployment.offers[StoreLogin] = lambda _: types.SimpleNamespace(dsn=lambda: self.dsn)
        return deployment


@contextlib.contextmanager
def running_database(directory: Path, log: int = subprocess.DEVNULL) -> Iterator[Database]:
    """A new server with the tables orders and prices, which logs to a descriptor; gone afterwards."""
    from pytest_anomod.replicas.kit.postgres_server import cluster_template

    port = free_port()
    child = subprocess.Popen([sys.executable, "-c", SERVER, str(directory), str(port)], stderr=log)
    try:
        database = Database(child.pid, f"postgresql://postgres:{cluster_template()[1]}@127.0.0.1:{port}/app")
        until(lambda: child.poll() is not None or answers(database), seconds=60)
        database.ask("CREATE TABLE orders (id int)", "CREATE TABLE prices (id int)", "INSERT INTO orders VALUES (1)")
        yield database
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(20)
        finally:
            child.kill()
            child.wait()


def answers(database: Database) -> bool:
    """Whether it takes sessions by now."""
    import asyncpg

    with contextlib.suppress(OSError, asyncpg.PostgresError):
        return database.ask("SELECT 1") == 1
    return False
