"""The stores of a deployment as the host sees them: their parts, how they are probed, their passwords and metrics."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.layout import Layout
from pytest_anomod.replicas.kit.net import HOST, FixedNames, write_atomically
from pytest_anomod.replicas.kit.parts import PartError, StorePart
from pytest_anomod.replicas.kit.postgres_client import Login, PostgresClient
from pytest_anomod.replicas.kit.postgres_server import PostgresServer, cluster_template, scram_verifier
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.redis_server import RedisServer
from pytest_anomod.replicas.kit.store_metrics import postgres_page, redis_page
from pytest_anomod.replicas.kit.system import ReplicaSystem, StoreSpec


class Stores:
    """Makes the parts of all stores and starts their programs; `logins` are for the services, by store."""

    def __init__(self, system: ReplicaSystem, layout: Layout, directory: Path) -> None:
        self._layout = layout
        self._directory = directory
        self._names = FixedNames(layout.listen)
        self.parts: list[StorePart] = []
        self.logins: dict[str, Login] = {}
        self.pages: dict[str, Callable[[], Awaitable[str]]] = {}
        for spec in system.stores:
            make = self._redis if spec.engine == "redis" else self._postgres
            self.parts.append(make(spec, directory / "logs" / f"{spec.name}.log"))

    def launch_ahead(self) -> None:
        """Start all programs, to be taken over by the supervisor."""
        for part in self.parts:
            part.launch_ahead()

    def kill_ahead(self) -> None:
        """End the programs that no supervisor took over."""
        for part in self.parts:
            part.kill_ahead()

    def _redis(self, spec: StoreSpec, output: Path) -> StorePart:
        port = self._layout.listen[spec.name]
        server = RedisServer(self._directory / "stores" / spec.name, port, spec.settings)
        client = RedisClient(self._names, spec.name, timeout_s=2.0)
        self.pages[spec.name] = lambda: redis_page(client)
        self._write_secret(spec, {})

        async def probe() -> None:
            await client.execute("PING")

        return StorePart(spec.name, port, output, server, probe)

    def _postgres(self, spec: StoreSpec, output: Path) -> StorePart:
        template, template_password = cluster_template()
        port = self._layout.listen[spec.name]
        server = PostgresServer(self._directory / "stores" / spec.name, port, spec.settings, template)
        login = self.logins[spec.name] = Login("app", secrets.token_hex(16))
        superuser = Login("postgres", secrets.token_hex(16))
        client = PostgresClient(self._names, spec.name, superuser, size=1, timeout_s=2.0)
        self.pages[spec.name] = lambda: postgres_page(client)
        self._write_secret(spec, {"user": login.user, "password": login.password, "database": login.database,
                                  "superuser": superuser.user, "superuser_password": superuser.password})  # fmt: skip
        configured = False

        async def probe() -> None:
            nonlocal configured
            if not configured:
                first = PostgresClient(self._names, spec.name, Login("postgres", template_password), size=1)
                await _configure(first, spec, login, superuser)
                configured = True
            await client.fetchval("SELECT 1")

        return StorePart(spec.name, port, output, server, probe)

    def _write_secret(self, spec: StoreSpec, login: dict[str, str]) -> None:
        value = {"engine": spec.engine, "host": HOST, "port": self._layout.listen[spec.name], **login}
        write_atomically(self._directory / "secret" / f"{spec.name}.json", orjson.dumps(value), 0o600)


async def _configure(client: PostgresClient, spec: StoreSpec, login: Login, superuser: Login) -> None:
    statements = (
        f"SET ROLE app; {spec.schema or 'SELECT 1'}; RESET ROLE; "
        f"ALTER ROLE app PASSWORD '{scram_verifier(login.password)}'; "
        f"ALTER ROLE postgres PASSWORD '{scram_verifier(superuser.password)}'"
    )
    try:
        await client.execute(statements)
    except StoreError as error:
        if error.kind == "reply":  # it is up and refuses: trying again would not help
            raise PartError(f"store {spec.name} refused its schema: {error}") from error
        raise
    finally:
        client.close()
