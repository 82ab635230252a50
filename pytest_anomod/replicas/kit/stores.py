"""The stores of a deployment as the host sees them: their parts, how they are probed, their passwords and metrics.

The programs are started before the host has imported any client library, so that both take place at the same time.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from pytest_anomod.replicas.kit.layout import Layout
from pytest_anomod.replicas.kit.net import HOST, Login, NameTable, write_atomically
from pytest_anomod.replicas.kit.parts import StorePart
from pytest_anomod.replicas.kit.postgres_server import APP_DATABASE, PostgresServer, cluster_template
from pytest_anomod.replicas.kit.redis_server import RedisServer
from pytest_anomod.replicas.kit.system import ReplicaSystem, StoreSpec


@dataclass(frozen=True, slots=True)
class PostgresLogins:
    """Who may log in to a PostgreSQL store: at first the template's superuser, later those of the deployment."""

    template: Login
    superuser: Login
    app: Login


class Stores:
    """Makes the parts of all stores and starts their programs; `logins` are for the services, by store."""

    def __init__(self, system: ReplicaSystem, layout: Layout, directory: Path) -> None:
        self._system = system
        self._layout = layout
        self._directory = directory
        self._postgres_logins: dict[str, PostgresLogins] = {}
        self.parts: list[StorePart] = []
        self.pages: dict[str, Callable[[], Awaitable[str]]] = {}
        for spec in system.stores:
            make = self._redis if spec.engine == "redis" else self._postgres
            output = directory / "logs" / f"{spec.name}.log"
            self.parts.append(StorePart(spec.name, layout.listen[spec.name], output, make(spec)))

    @property
    def logins(self) -> dict[str, Login]:
        """What services log in with."""
        return {name: logins.app for name, logins in self._postgres_logins.items()}

    def launch_ahead(self) -> None:
        """Start all programs, to be taken over by the supervisor."""
        for part in self.parts:
            part.launch_ahead()

    def kill_ahead(self) -> None:
        """End the programs that no supervisor took over."""
        for part in self.parts:
            part.kill_ahead()

    def connect(self, names: NameTable) -> None:
        """Give every part its probe and every store its page of metrics; `names` tells where they are."""
        from pytest_anomod.replicas.kit.store_probes import postgres_probe, redis_probe

        for spec, part in zip(self._system.stores, self.parts, strict=True):
            if spec.engine == "redis":
                part.probe, self.pages[spec.name] = redis_probe(names, spec)
            else:
                part.probe, self.pages[spec.name] = postgres_probe(names, spec, self._postgres_logins[spec.name])

    def _redis(self, spec: StoreSpec) -> RedisServer:
        self._write_secret(spec, {})
        return RedisServer(self._directory / "stores" / spec.name, self._layout.listen[spec.name], spec.settings)

    def _postgres(self, spec: StoreSpec) -> PostgresServer:
        template, template_password = cluster_template()
        logins = PostgresLogins(
            Login("postgres", template_password),
            Login("postgres", secrets.token_hex(16)),
            Login("app", secrets.token_hex(16), APP_DATABASE),
        )
        self._postgres_logins[spec.name] = logins
        self._write_secret(
            spec,
            {
                "user": logins.app.user,
                "password": logins.app.password,
                "database": logins.app.database,
                "superuser": logins.superuser.user,
                "superuser_password": logins.superuser.password,
            },
        )
        port = self._layout.listen[spec.name]
        return PostgresServer(self._directory / "stores" / spec.name, port, spec.settings, template)

    def _write_secret(self, spec: StoreSpec, login: dict[str, str]) -> None:
        value = {"engine": spec.engine, "host": HOST, "port": self._layout.listen[spec.name], **login}
        write_atomically(self._directory / "secret" / f"{spec.name}.json", orjson.dumps(value), 0o600)
