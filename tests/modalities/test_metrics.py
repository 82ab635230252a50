"""Metrics come once a second for every service, and a service that does not answer is a row, not a gap."""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest

from pytest_anomod.host.pressure import meter
from pytest_anomod.modalities.metrics import Metrics
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.modality import HOST
from pytest_anomod.model.source import MetricsPage
from pytest_anomod.sources import grid

PAGE = '# TYPE rpc_server_requests_total counter\nrpc_server_requests_total{method="A"} 5\n'


@pytest.fixture
def collect(deployment, monkeypatch):
    """Run a collector on a quick grid until a condition holds; it is stopped whatever happens."""
    monkeypatch.setattr(grid, "INTERVAL_S", 0.1)
    monkeypatch.setattr(grid, "TIMEOUT_S", 0.08)
    collectors = []

    def collect(until=None):
        collector = Metrics().collector(deployment, deployment.sources())
        collectors.append(collector)
        collector.start()
        clock.wait_until(until or (lambda: len(collector.readers[0]._scrapes) >= 3), timeout_s=5, what="scrapes")
        collector.stop()
        return collector

    yield collect
    for collector in collectors:
        collector.readers[0]._ending.set()


def rows(collector):
    columns = collector.columns(0, 2**62)
    every = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row for row in every if row["service_name"] != HOST]


def test_the_machine_itself_is_a_service(deployment, collect):
    """Twice a second, with what the kernel tells, in time order among the others."""
    deployment.add("text-service")
    columns = collect(lambda: len(meter().readings(0)) >= 3).columns(0, 2**62)
    assert list(columns["time_unix_nano"]) == sorted(columns["time_unix_nano"])
    every = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    found = [row for row in every if row["service_name"] == HOST]
    assert {row["service_instance_id"] for row in found} == {HOST}
    lags = [row["value"] for row in found if row["metric_name"] == "host_lag_seconds"]
    assert len(lags) >= 2
    assert all(value >= 0 for value in lags)


def values(collector, service, name):
    return [row["value"] for row in rows(collector) if (row["service_name"], row["metric_name"]) == (service, name)]


def test_every_tick_has_the_services_own_figures_and_what_its_processes_use(deployment, pages, collect):
    pages.pages["/metrics"] = PAGE
    deployment.add("text-service", metrics_url=pages.url + "/metrics")
    collector = collect()
    found = rows(collector)
    times = sorted({row["time_unix_nano"] for row in found})
    assert len(times) >= 3
    first = {row["metric_name"]: row for row in found if row["time_unix_nano"] == times[0]}
    assert {name: (row["value"], row["unit"], row["kind"]) for name, row in first.items()} == {
        "up": (1.0, "1", "gauge"),
        "service_restarts_total": (0.0, "1", "counter"),
        "container_cpu_usage_seconds_total": (1.5, "s", "counter"),
        "container_memory_working_set_bytes": (1000.0, "By", "gauge"),
        "container_fs_reads_bytes_total": (10.0, "By", "counter"),
        "container_fs_writes_bytes_total": (20.0, "By", "counter"),
        "container_threads": (3.0, "1", "gauge"),
        "rpc_server_requests_total": (5.0, "1", "counter"),
    }
    assert first["rpc_server_requests_total"]["attributes"] == {"method": "A"}
    assert first["up"]["service_instance_id"] == "text-service-1"
    assert pages.connections == 1, "a new connection for every scrape"
    assert collector.readers[0].unanswered == 0


def test_figures_that_nobody_knows_are_not_there(deployment, collect):
    """A cluster tells CPU and memory of a pod; of its disk and threads it says nothing, which is not 0."""
    deployment.add("text-service")
    known = deployment.stats("text-service")
    deployment.figures["text-service"] = dataclasses.replace(known, is_partial=True)
    collector = collect()
    assert values(collector, "text-service", "container_cpu_usage_seconds_total")
    assert values(collector, "text-service", "container_threads") == []
    assert values(collector, "text-service", "container_fs_reads_bytes_total") == []


def test_a_service_that_refuses_is_down_at_every_tick(deployment, pages, collect):
    pages.pages["/metrics"] = PAGE
    deployment.add("text-service", metrics_url=pages.url + "/metrics")
    deployment.add("user-service", metrics_url="http://127.0.0.1:9/metrics")
    deployment.figures["user-service"] = None
    collector = collect(lambda: pages.asked.get("/metrics", 0) >= 4)
    assert set(values(collector, "text-service", "up")) == {1.0}
    assert set(values(collector, "user-service", "up")) == {0.0}
    assert len(values(collector, "user-service", "up")) >= 4
    assert values(collector, "user-service", "container_threads") == []
    reasons = [
        r["attributes"] for r in rows(collector) if (r["service_name"], r["metric_name"]) == ("user-service", "up")
    ]
    assert reasons[0] == {"reason": "refused"}
    assert collector.readers[0].unanswered >= 4


def test_a_service_that_hangs_is_asked_once_and_holds_no_other_up(deployment, pages, collect):
    pages.pages |= {"/a": PAGE, "/b": PAGE}
    pages.held["/b"] = threading.Event()
    deployment.add("a-service", metrics_url=pages.url + "/a")
    deployment.add("b-service", metrics_url=pages.url + "/b")
    collector = collect(lambda: pages.asked.get("/a", 0) >= 4)
    assert pages.asked["/b"] == 1
    assert set(values(collector, "a-service", "up")) == {1.0}
    assert set(values(collector, "b-service", "up")) == {0.0}
    assert len(values(collector, "b-service", "up")) >= 4


def test_a_service_that_answers_again_is_up_again(deployment, pages, collect):
    pages.pages["/b"] = PAGE
    pages.held["/b"] = threading.Event()
    deployment.add("b-service", metrics_url=pages.url + "/b")

    def until():
        if pages.asked.get("/b") and not pages.held["/b"].is_set():
            time.sleep(0.3)
            pages.held["/b"].set()
        return pages.asked.get("/b", 0) >= 4

    ups = values(collect(until), "b-service", "up")
    assert ups[0] == 0.0
    assert ups[-1] == 1.0


def test_an_answer_that_is_no_page_counts_as_down(deployment, pages, collect):
    deployment.add("user-mongodb", log_format="postgres", metrics_url=pages.url + "/missing")
    collector = collect()
    assert set(values(collector, "user-mongodb", "up")) == {0.0}
    assert values(collector, "user-mongodb", "container_threads"), "its processes are there all the same"


def test_a_restart_shows_as_another_instance_and_a_count(deployment, pages, collect):
    pages.pages["/metrics"] = PAGE
    deployment.add("text-service", metrics_url=pages.url + "/metrics")

    def until():
        if pages.asked.get("/metrics", 0) == 2:
            deployment.change("text-service", restarts=1, instance_id="text-service-2")
        return pages.asked.get("/metrics", 0) >= 5

    collector = collect(until)
    assert {row["service_instance_id"] for row in rows(collector)} == {"text-service-1", "text-service-2"}
    assert set(values(collector, "text-service", "service_restarts_total")) == {0.0, 1.0}


def test_a_lost_host_does_not_silence_what_was_known(deployment, pages, collect):
    pages.pages["/metrics"] = PAGE
    deployment.add("text-service", metrics_url=pages.url + "/metrics")

    def until():
        deployment.lost = pages.asked.get("/metrics", 0) >= 2
        return pages.asked.get("/metrics", 0) >= 5

    assert len(values(collect(until), "text-service", "up")) >= 5


@pytest.mark.parametrize("ask", ["stop", "edge", "columns"])
def test_a_collector_that_dies_is_an_error_and_no_empty_table(deployment, collect, ask):
    deployment.add("text-service")
    died = threading.Event()

    def stats(service):
        died.set()
        raise ZeroDivisionError("boom")

    deployment.stats = stats
    collector = Metrics().collector(deployment, deployment.sources())
    collector.start()
    assert died.wait(5)
    collector.readers[0]._thread.join(5)
    arguments = {"stop": (), "edge": ("onset",), "columns": (0, 1)}[ask]
    with pytest.raises(CaptureError, match="metrics collector died: ZeroDivisionError: boom"):
        getattr(collector, ask)(*arguments)


def test_figures_that_the_runtime_can_not_give_are_left_out(deployment, collect):
    deployment.add("text-service")

    def stats(service):
        raise DeploymentError("no figures")

    deployment.stats = stats
    found = rows(collect())
    assert {row["metric_name"] for row in found} == {"up", "service_restarts_total"}


def test_ticks_that_took_too_long_are_counted(deployment, collect):
    deployment.add("text-service")
    deployment.stats = lambda service: time.sleep(0.25)
    collector = collect()
    assert collector.dropped >= 2


def test_without_any_source_there_are_the_machine_and_who_is_up(deployment, monkeypatch):
    deployment.add("text-service")
    monkeypatch.setattr(deployment, "sources", lambda: ())
    collector = Metrics().collector(deployment, deployment.sources())
    collector.start()
    start_ns = time.time_ns()
    clock.wait_until(lambda: meter().readings(start_ns), timeout_s=10, what="a reading")
    columns = collector.columns(0, 2**62)
    names = set(zip(columns["service_name"], columns["metric_name"], strict=True))
    assert {("text-service", "up"), (HOST, "host_lag_seconds")} <= names


def test_a_collector_that_was_never_started_is_an_error(deployment):
    with pytest.raises(CaptureError, match="never started"):
        Metrics().collector(deployment, deployment.sources()).columns(0, 1)


def test_a_page_of_no_instance_that_is_known_is_a_service_without_instance(deployment, pages, collect):
    """Where the runtime has no instance for it, the page still says whether it answers."""
    pages.pages["/metrics"] = PAGE
    deployment.offered.append(MetricsPage(service="exporter", url=pages.url + "/metrics"))
    found = rows(collect())
    assert {row["service_instance_id"] for row in found if row["service_name"] == "exporter"} == {None}
    assert {row["metric_name"] for row in found} == {"up", "service_restarts_total", "rpc_server_requests_total"}


def test_pages_of_several_containers_of_a_service_are_told_apart(deployment, pages, collect):
    """By the number in the instance's name; what all of them use together is given once."""
    pages.pages |= {"/1": PAGE, "/2": PAGE.replace(" 5", " 7")}
    deployment.add("web")
    first = deployment.known.pop("web")
    for number in (1, 2):
        deployment.known[f"web {number}"] = dataclasses.replace(first, instance_id=f"web.{number}-1")
        deployment.offered.append(MetricsPage(service="web", url=f"{pages.url}/{number}", number=number))
    found = rows(collect())
    named = {(row["service_instance_id"], row["value"]) for row in found if row["metric_name"].startswith("rpc_")}
    assert named == {("web.1-1", 5.0), ("web.2-1", 7.0)}
    assert {row["service_instance_id"] for row in found if row["metric_name"] == "container_threads"} == {"web.1-1"}
