"""The Prometheus page of a store, read from the store when the page is requested.

It counts the services' use of the store: commands of administrators, such as this page and probes of faults, are left
out, so that looking at a store does not show in its figures.
"""

import re
from collections.abc import Iterable

from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient

_REDIS = (  # metric, field of INFO, type
    ("redis_memory_used_bytes", "used_memory", "gauge"),
    ("redis_maxmemory_bytes", "maxmemory", "gauge"),
    ("redis_keyspace_hits_total", "keyspace_hits", "counter"),
    ("redis_keyspace_misses_total", "keyspace_misses", "counter"),
    ("redis_evicted_keys_total", "evicted_keys", "counter"),
)
_ADMINISTRATION = frozenset(
    [
        "auth",
        "client",
        "command",
        "config",
        "dbsize",
        "debug",
        "exec",
        "hello",
        "info",
        "latency",
        "lpushx",
        "memory",
        "multi",
        "ping",
        "select",
        "slowlog",
    ]
)
"""Commands that no service of a replica sends; LPUSHX to a key that nobody has asks whether writes are refused."""
_COMMAND = re.compile(r"^cmdstat_([^|:\n]+)[^:\n]*:calls=(\d+)(?:.*rejected_calls=(\d+),failed_calls=(\d+))?", re.M)
_CLIENT = re.compile(r" cmd=([^| ]+)")

_POSTGRES = (  # metric, type; in the order of the columns of the query
    ("pg_xact_commit_total", "counter"),
    ("pg_xact_rollback_total", "counter"),
    ("pg_backends", "gauge"),
    ("pg_tup_returned_total", "counter"),
    ("pg_tup_fetched_total", "counter"),
    ("pg_tup_inserted_total", "counter"),
    ("pg_tup_updated_total", "counter"),
    ("pg_blks_read_total", "counter"),
    ("pg_blks_hit_total", "counter"),
    ("pg_deadlocks_total", "counter"),
    ("pg_wal_bytes_total", "counter"),
    ("pg_wal_write_total", "counter"),
    ("pg_wal_write_seconds_total", "counter"),
)

_POSTGRES_QUERY = """
SELECT d.xact_commit, d.xact_rollback,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = d.datname AND a.usename = $2),
       d.tup_returned, d.tup_fetched, d.tup_inserted, d.tup_updated, d.blks_read, d.blks_hit, d.deadlocks,
       w.wal_bytes::float8, w.wal_write, w.wal_write_time / 1000.0
FROM pg_stat_database d, pg_stat_wal w WHERE d.datname = $1
"""


async def redis_page(client: RedisClient) -> str:
    """The metrics of a Redis store; StoreError when it does not answer."""
    asked = (("INFO",), ("INFO", "commandstats"), ("CLIENT", "LIST"), ("DBSIZE",))
    information, commands, clients, keys = await client.pipeline(asked, timeout_s=2.0)
    fields = dict(line.split(":", 1) for line in information.splitlines() if ":" in line)
    samples = [(name, kind, fields[field]) for name, field, kind in _REDIS if field in fields]
    used = [[int(count or 0) for count in counts] for name, *counts in _COMMAND.findall(commands) if _is_use(name)]
    return _page(
        [
            *samples,
            ("redis_commands_processed_total", "counter", sum(calls for calls, _, _ in used)),
            ("redis_error_replies_total", "counter", sum(rejected + failed for _, rejected, failed in used)),
            ("redis_connected_clients", "gauge", sum(map(_is_use, _CLIENT.findall(clients)))),
            ("redis_keys", "gauge", keys),
        ]
    )


def _is_use(command: str) -> bool:
    """Whether a command is of a service; NULL is the last one of a client that has sent none yet."""
    return command not in _ADMINISTRATION and command != "NULL"


async def postgres_page(client: PostgresClient, database: str, user: str) -> str:
    """The metrics of a database and of a user's sessions with it; StoreError when the store does not answer.

    `client` uses another database of the server, so that its queries do not count in this one.
    """
    row = await client.fetchrow(_POSTGRES_QUERY, database, user)
    return _page([(name, kind, value) for (name, kind), value in zip(_POSTGRES, row or (), strict=False)])


def _page(samples: Iterable[tuple[str, str, object]]) -> str:
    return "".join(f"# TYPE {name} {kind}\n{name} {value}\n" for name, kind, value in samples)
