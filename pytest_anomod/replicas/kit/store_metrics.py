"""The Prometheus page of a store, asked of the store itself when someone asks for it."""

from collections.abc import Iterable

from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient

_REDIS = (  # metric, field of INFO, type
    ("redis_memory_used_bytes", "used_memory", "gauge"),
    ("redis_maxmemory_bytes", "maxmemory", "gauge"),
    ("redis_commands_processed_total", "total_commands_processed", "counter"),
    ("redis_keyspace_hits_total", "keyspace_hits", "counter"),
    ("redis_keyspace_misses_total", "keyspace_misses", "counter"),
    ("redis_evicted_keys_total", "evicted_keys", "counter"),
    ("redis_error_replies_total", "total_error_replies", "counter"),
    ("redis_connected_clients", "connected_clients", "gauge"),
)

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
    ("pg_wal_sync_total", "counter"),
    ("pg_wal_sync_seconds_total", "counter"),
)

_POSTGRES_QUERY = """
SELECT d.xact_commit, d.xact_rollback, d.numbackends, d.tup_returned, d.tup_fetched, d.tup_inserted, d.tup_updated,
       d.blks_read, d.blks_hit, d.deadlocks, w.wal_bytes::float8, w.wal_sync, w.wal_sync_time / 1000.0
FROM pg_stat_database d, pg_stat_wal w WHERE d.datname = current_database()
"""


async def redis_page(client: RedisClient) -> str:
    """The metrics of a Redis store; StoreError when it does not answer."""
    information, keys = await client.pipeline((("INFO",), ("DBSIZE",)), timeout_s=2.0)
    fields = dict(line.split(":", 1) for line in information.splitlines() if ":" in line)
    samples = [(name, kind, fields[field]) for name, field, kind in _REDIS if field in fields]
    return _page([*samples, ("redis_keys", "gauge", keys)])


async def postgres_page(client: PostgresClient) -> str:
    """The metrics of a PostgreSQL store; StoreError when it does not answer."""
    row = await client.fetchrow(_POSTGRES_QUERY)
    return _page([(name, kind, value) for (name, kind), value in zip(_POSTGRES, row or (), strict=False)])


def _page(samples: Iterable[tuple[str, str, object]]) -> str:
    return "".join(f"# TYPE {name} {kind}\n{name} {value}\n" for name, kind, value in samples)
