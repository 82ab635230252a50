"""Capabilities of a container that keeps data: its administrator's login, and a directory on its disk."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pytest_anomod.runtimes.containers.seen import Seen

if TYPE_CHECKING:
    from pytest_anomod.runtimes.containers.deployment import ContainersDeployment

_POSTGRES = {
    "user": ("POSTGRES_USER", "POSTGRESQL_USERNAME", "PGUSER"),
    "password": ("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "PGPASSWORD"),
    "database": ("POSTGRES_DB", "POSTGRESQL_DATABASE", "PGDATABASE"),
}
_REDIS_PASSWORD = ("REDIS_PASSWORD", "VALKEY_PASSWORD")
_MYSQL = {
    "password": ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"),
    "database": ("MYSQL_DATABASE", "MARIADB_DATABASE"),
}
_SCHEMES = {"postgresql": ("postgres", "postgresql"), "redis": ("redis",), "mysql": ("mysql", "mariadb")}
_OWN = "anomod"
"""Directory of ours beside what a container writes, on the same disk: the container does not see it."""


class ContainerLogin:
    """A login that the environment of the store, or that of a service that calls it, tells."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def dsn(self) -> str:
        return self._dsn


def login_of(deployment: ContainersDeployment, service: str) -> ContainerLogin | None:
    """Of a Redis, PostgreSQL or MySQL that runs and whose login can be found out; None else.

    Settings of a MySQL are its root's, whose password only the store itself is told.
    """
    engine, instance = deployment.described[service]["engine"], deployment.first(service)
    if engine not in _SCHEMES or not instance.address[1] or instance.state != "running":
        return None
    seen = deployment.seen(service)
    where = f"{instance.address[0]}:{instance.address[1]}"
    if engine == "redis":
        password = _first(seen, _REDIS_PASSWORD) or _required(seen)
        return ContainerLogin(f"redis://{_login('', password)}{where}/0")
    if engine == "mysql":
        named = [database for _, _, database in _told_to_callers(deployment, service, _SCHEMES[engine])]
        database = _first(seen, _MYSQL["database"]) or "".join(named[:1])
        login = _login("root", _first(seen, _MYSQL["password"]))
        return ContainerLogin(f"mysql://{login}{where}/{quote(database, safe='')}")
    if _first(seen, _POSTGRES["password"]) or _first(seen, _POSTGRES["user"]):
        user = _first(seen, _POSTGRES["user"]) or "postgres"
        password, database = _first(seen, _POSTGRES["password"]), _first(seen, _POSTGRES["database"]) or user
    else:
        told = next(iter(_told_to_callers(deployment, service, _SCHEMES[engine])), None)
        if told is None:
            return None
        user, password, database = told
    return ContainerLogin(f"postgresql://{_login(user, password)}{where}/{quote(database, safe='')}")


def volume_of(deployment: ContainersDeployment, service: str) -> ContainerVolume | None:
    """Of a container whose disk is one of this machine's; None else."""
    seen = deployment.seen(service)
    volumes = [Path(mount["Source"]) for mount in seen.mounts if mount["Type"] == "volume" and mount.get("RW")]
    written = [*volumes, *([Path(seen.upper)] if seen.upper else [])]
    place = next((path.parent for path in written if path.parent.is_dir()), None)
    return None if place is None else ContainerVolume(place / _OWN)


class ContainerVolume:
    """A directory beside the volume of a container, else beside its writable layer; the engine removes it with them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def directory(self) -> Path:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        return self._directory


def _first(seen: Seen, names: tuple[str, ...]) -> str:
    """The value of the first of these names, or of the file that NAME_FILE names in the container."""
    for name in names:
        if seen.environment.get(name):
            return seen.environment[name]
        path = seen.environment.get(f"{name}_FILE", "")
        with contextlib.suppress(OSError):
            if path.startswith("/") and seen.pid:
                return Path(f"/proc/{seen.pid}/root{path}").read_text().strip()
    return ""


def _required(seen: Seen) -> str:
    """The password that a Redis is started with; "" for none."""
    found = re.search(r"--requirepass[ =](\S+)", " ".join(seen.words))
    return found[1].strip("'\"") if found else ""


def _login(user: str, password: str) -> str:
    return f"{quote(user, safe='')}{':' + quote(password, safe='') if password else ''}@" if user or password else ""


def _told_to_callers(
    deployment: ContainersDeployment, service: str, schemes: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """User, password and database in URLs of the store in the environments of other services."""
    from urllib.parse import unquote

    for other in deployment.described:
        if other == service:
            continue
        environment: Mapping[str, str] = deployment.seen(other).environment if deployment.find().get(other) else {}
        for value in environment.values():
            parts = urlsplit(value) if "://" in value else None
            if parts is None or parts.hostname != service or parts.scheme.partition("+")[0] not in schemes:
                continue
            if parts.username:
                yield unquote(parts.username), unquote(parts.password or ""), parts.path.strip("/") or parts.username
