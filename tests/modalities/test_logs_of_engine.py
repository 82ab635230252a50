"""Logs that a container engine keeps: its lines with its timestamps, read once at the end."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.host import engine as host_engine
from pytest_anomod.modalities.logs import Logs
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.source import EngineOutput

MS = 1_000_000


class Engine:
    """What an engine took from each service, and when; `asked` are the times since when it was wanted."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.took: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[int] = []
        self.lost = False

    def add(self, service, log_format="json"):
        """Add a service in a container."""
        self.deployment.add(service, log_format=log_format)
        self.deployment.offered = [
            EngineOutput(service=service, engine="tcp://nowhere:1", container=service, format=log_format)
        ]

    def take(self, service, line, when):
        self.took.setdefault(service, []).append((when, line))

    def output(self, url, container, since_ns, *, stderr):
        assert url == "tcp://nowhere:1"
        self.asked.append(since_ns)
        if self.lost:
            raise DeploymentError("the engine is gone")
        return [taken for taken in self.took.get(container, []) if taken[0] >= since_ns]


@pytest.fixture
def engine(deployment, monkeypatch):
    engine = Engine(deployment)
    monkeypatch.setattr(host_engine, "output", lambda *args, **more: engine.output(*args, **more))
    return engine


def line(time_unix_nano, body):
    record = {"time_unix_nano": time_unix_nano, "severity_number": 9, "severity_text": "INFO", "body": body}
    return json.dumps(record).encode()


def test_a_line_has_its_own_time_and_the_one_when_the_engine_took_it(deployment, engine):
    """Rows are placed by the former, as on processes: the engine takes several lines at once, a moment later."""
    engine.add("text-service")
    collector = Logs().collector(deployment, deployment.sources())
    engine.take("text-service", line(1, "before the case"), clock.now_ns() - 1)
    collector.start()
    now = clock.now_ns()
    engine.take("text-service", line(now, "one"), now + 20 * MS)
    engine.take("text-service", line(now + 5 * MS, "two"), now + 20 * MS)
    collector.edge("onset")
    collector.stop()
    asked = len(engine.asked)
    collector.stop()
    columns = collector.columns(0, now * 2)
    assert columns["body"] == ["one", "two"]
    assert columns["time_unix_nano"] == [now, now + 5 * MS]
    assert columns["observed_unix_nano"] == [now + 20 * MS] * 2
    assert columns["service_instance_id"] == ["text-service-1"] * 2
    assert set(columns) == {"time_unix_nano", "service_name", "service_instance_id"} | {c.name for c in Logs.columns}
    assert len(engine.asked) == asked  # stopping twice reads once


def test_entries_of_stores_were_observed_when_their_first_line_was(deployment, engine):
    """Lines that follow it belong to it."""
    engine.add("user-mongodb", "postgres")
    collector = Logs().collector(deployment, deployment.sources())
    collector.start()
    second = clock.now_ns() // 10**9
    said = [b"%d.000 [5] ERROR:  no such table", b"%d.001 [5] STATEMENT:  select", b"%d.002 [5] LOG:  ready"]
    times = [clock.now_ns() + number for number in range(len(said))]
    for text, when in zip(said, times, strict=True):
        engine.take("user-mongodb", text % second, when)
    columns = collector.columns(0, second * 2 * 10**9)
    assert columns["body"] == ["no such table", "ready"]
    assert columns["observed_unix_nano"] == [times[0], times[2]]


def test_what_is_no_record_is_counted(deployment, engine):
    """Nothing is lost uncounted."""
    engine.add("text-service")
    collector = Logs().collector(deployment, deployment.sources())
    collector.start()
    engine.take("text-service", b"Traceback", clock.now_ns())
    assert collector.columns(0, 10)["body"] == []
    assert collector.dropped == 1


def test_lines_that_still_come_are_waited_for(deployment, engine):
    """Until none is younger than a moment."""
    engine.add("text-service")
    collector = Logs().collector(deployment, deployment.sources())
    collector.start()
    left = [b"a", b"b", b"c"]
    plain = engine.output

    def output(*args, **more):
        if left:
            engine.take("text-service", line(1, left.pop(0).decode()), clock.now_ns() + 1)
        return plain(*args, **more)

    engine.output = output
    collector.settle(clock.monotonic_s())
    assert collector.columns(0, 10)["body"] == ["a", "b", "c"]


def test_an_engine_that_is_gone_is_told(deployment, engine):
    """And not taken for silence."""
    engine.add("text-service")
    collector = Logs().collector(deployment, deployment.sources())
    collector.start()
    engine.lost = True
    with pytest.raises(CaptureError, match="the engine is gone"):
        collector.stop()


def test_lines_of_files_were_observed_by_nobody(deployment):
    """On processes the column is null."""
    deployment.add("text-service")
    path = deployment.log("text-service")
    collector = Logs().collector(deployment, deployment.sources())
    collector.start()
    path.write_bytes(line(5, "hello") + b"\n")
    assert collector.columns(0, 10)["observed_unix_nano"] == [None]
