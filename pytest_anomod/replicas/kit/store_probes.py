"""How the host asks a store whether it is up, and for its metrics; a new PostgreSQL store gets schema and passwords."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.net import Login, NameTable
from pytest_anomod.replicas.kit.parts import PartError
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.postgres_server import scram_verifier
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.store_metrics import postgres_page, redis_page
from pytest_anomod.replicas.kit.system import StoreSpec

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.stores import PostgresLogins

Probe = Callable[[], Awaitable[None]]  # returns when the store answers, StoreError while it does not
Page = Callable[[], Awaitable[str]]


def redis_probe(names: NameTable, spec: StoreSpec) -> tuple[Probe, Page]:
    """Probe and metrics of a Redis store, over one connection."""
    client = RedisClient(names, spec.name, timeout_s=2.0)

    async def probe() -> None:
        await client.execute("PING")

    return probe, lambda: redis_page(client)


def postgres_probe(names: NameTable, spec: StoreSpec, logins: "PostgresLogins") -> tuple[Probe, Page]:
    """Probe and metrics of a PostgreSQL store, over one connection of the superuser; sets it up the first time.

    The connection is to the server's own database, which no service uses.
    """
    client = PostgresClient(names, spec.name, logins.superuser, size=1, timeout_s=2.0)
    configured = False

    async def probe() -> None:
        nonlocal configured
        if not configured:
            template = Login(logins.template.user, logins.template.password, logins.app.database)
            await _configure(PostgresClient(names, spec.name, template, size=1), spec, logins)
            configured = True
        await client.fetchval("SELECT 1")

    return probe, lambda: postgres_page(client, logins.app.database, logins.app.user)


async def _configure(client: PostgresClient, spec: StoreSpec, logins: "PostgresLogins") -> None:
    statements = (
        f"SET ROLE app; {spec.schema or 'SELECT 1'}; RESET ROLE; "
        f"ALTER ROLE app PASSWORD '{scram_verifier(logins.app.password)}'; "
        f"ALTER ROLE postgres PASSWORD '{scram_verifier(logins.superuser.password)}'"
    )
    try:
        await client.execute(statements)
    except StoreError as error:
        if error.kind == "reply":  # it is up and refuses: trying again would not help
            raise PartError(f"store {spec.name} refused its schema: {error}") from error
        raise
    finally:
        client.close()
