"""The stores: one PostgreSQL server for the original's MySQL, one Redis server whose streams are RabbitMQ's queues."""

from pytest_anomod.replicas.kit.system import StoreSpec

from . import entities

# in the server's file and not set by the services: what is changed in a running server reaches them at once
DATABASE_SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "32MB",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "deadlock_timeout": "200ms",
    "default_toast_compression": "pglz",
}

STORES = (
    StoreSpec(
        name="tsdb-mysql",
        engine="postgres",
        kind="docstore",
        settings=DATABASE_SETTINGS,
        schema=" ".join(table.ddl for table in entities.TABLES),
    ),
    StoreSpec(name="rabbitmq", engine="redis", kind="queue"),
)
