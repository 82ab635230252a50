"""Guesses the engine of a container by its image, its command, its port and the URLs that its callers have. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from pytest_anomod.model.system import ServiceKind

PORTS = {
    "redis": 6379, "postgresql": 5432, "mysql": 3306, "mongodb": 27017, "rabbitmq": 5672, "kafka": 9092,
    "memcached": 11211, "nats": 4222, "elasticsearch": 9200, "cassandra": 9042,
}  # fmt: skip
"""The usual port of each engine that is not HTTP."""
KINDS = {
    "redis": ServiceKind.CACHE, "memcached": ServiceKind.CACHE, "postgresql": ServiceKind.DOCSTORE,
    "mysql": ServiceKind.DOCSTORE, "mongodb": ServiceKind.DOCSTORE, "elasticsearch": ServiceKind.DOCSTORE,
    "cassandra": ServiceKind.DOCSTORE, "rabbitmq": ServiceKind.QUEUE, "kafka": ServiceKind.QUEUE,
    "nats": ServiceKind.QUEUE,
}  # fmt: skip
_IMAGES = {
    "redis": ("redis", "valkey", "keydb", "dragonfly"),
    "postgresql": ("postgres", "postgresql", "postgis", "timescaledb", "pgvector"),
    "mysql": ("mysql", "mariadb", "percona"),
    "mongodb": ("mongo", "mongodb"),
    "memcached": ("memcached",),
    "rabbitmq": ("rabbitmq",),
    "kafka": ("kafka", "cp-kafka", "redpanda"),
    "nats": ("nats",),
    "elasticsearch": ("elasticsearch", "opensearch"),
    "cassandra": ("cassandra", "scylla"),
}
_PROGRAMS = {
    "redis-server": "redis", "valkey-server": "redis", "postgres": "postgresql", "mysqld": "mysql",
    "mariadbd": "mysql", "mongod": "mongodb", "memcached": "memcached", "rabbitmq-server": "rabbitmq",
    "nats-server": "nats",
}  # fmt: skip
_CHECKS = {
    "redis-cli": "redis", "valkey-cli": "redis", "pg_isready": "postgresql", "psql": "postgresql",
    "mysqladmin": "mysql", "mariadb-admin": "mysql", "mongosh": "mongodb", "mongo": "mongodb",
    "rabbitmq-diagnostics": "rabbitmq", "rabbitmqctl": "rabbitmq", "cqlsh": "cassandra",
}  # fmt: skip
_SCHEMES = {
    "postgres": "postgresql", "postgresql": "postgresql", "redis": "redis", "rediss": "redis", "valkey": "redis",
    "mysql": "mysql", "mariadb": "mysql", "mongodb": "mongodb", "amqp": "rabbitmq", "amqps": "rabbitmq",
    "nats": "nats", "kafka": "kafka", "memcached": "memcached", "http": "http", "https": "http",
}  # fmt: skip
_GATEWAYS = ("nginx", "openresty", "traefik", "envoy", "haproxy", "kong", "caddy", "apisix")
_TOOLS = re.compile(
    r"jaeger|zipkin|grafana|prometheus|pgadmin|adminer|phpmyadmin|mailhog|mailpit|opentelemetry|otel|kibana|portainer"
    r"|cadvisor|exporter|redis-commander|redisinsight|mongo-express|loki|tempo|swagger-ui"
)
_NO_SERVER = ("exporter", "express", "commander", "admin", "insight", "client", "backup", "proxy", "ui")


class _Mention(Protocol):
    @property
    def caller(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def where(self) -> str: ...


def engine_of(
    image: str, words: Sequence[str], check: Sequence[str], mentions: Sequence[_Mention], port: int
) -> tuple[str, str]:
    """The engine and where that came from: "http" for what has a port and speaks nothing else, "" for what has none."""
    base = base_name(image)
    for engine, names in _IMAGES.items():
        if any(base == name or (base.startswith(f"{name}-") and not base.endswith(_NO_SERVER)) for name in names):
            return engine, f"image {image}"
    for place, known, texts in (("command", _PROGRAMS, words), ("health check", _CHECKS, check)):
        programs = re.findall(r"[\w.+-]+(?=\s|$|[\"';|&)])", " ".join(texts))
        for program in programs:
            if program in known:
                return known[program], f"{program} in its {place}"
    for mention in mentions:
        engine = _SCHEMES.get(mention.scheme.partition("+")[0], "")
        if engine:
            return engine, f"{mention.where} of {mention.caller}"
    for engine, usual in PORTS.items():
        if port == usual:
            return engine, f"port {port}"
    return ("http", f"port {port}") if port else ("", "it listens nowhere that is told")


def kind_of(engine: str, image: str, *, published: bool, tool: bool) -> ServiceKind:
    """What it is for: a store by its engine, a gateway if users reach it, else an application."""
    if engine in KINDS:
        return KINDS[engine]
    if base_name(image) in _GATEWAYS or (published and not tool):
        return ServiceKind.GATEWAY
    return ServiceKind.APP


def is_tool(image: str) -> bool:
    """Whether an image is one of those that look at others: a tracing UI, a database's admin page."""
    return _TOOLS.search(image) is not None


def base_name(image: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
