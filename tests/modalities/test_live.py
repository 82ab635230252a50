"""All five modalities of a real SocialNetwork under its workload, with one service killed on the way."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from pytest_anomod.dataset import tables
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.modality import MODALITIES
from pytest_anomod.model.runtime import need
from pytest_anomod.model.source import ResponseRecord
from pytest_anomod.model.timeline import Phase, Timeline, Window
from pytest_anomod.runtimes.process.runtime import ProcessRuntime, require_replicas
from pytest_anomod.safety import sessions
from pytest_anomod.workloads import open_loop

STORES = {"cache", "docstore"}


@dataclasses.dataclass
class Watched:
    """What was collected: columns and collector by modality, the workload's report, and the edges."""

    columns: dict[str, dict[str, list[Any]]]
    collectors: dict[str, Any]
    report: dict[str, Any]
    edges: list[int]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Five seconds of the real thing; text-service is killed after two."""
    try:
        require_replicas()
    except DeploymentError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMOD_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        session = sessions.new_session(out, "run", "gw0")
        runtime = ProcessRuntime()
        try:
            deployment = runtime.up(catalog.find("systems", "social_network"), session)
            try:
                yield watch(deployment, out / "responses.jsonl")
            finally:
                runtime.down(deployment)
        finally:
            sessions.end_session(session)


def watch(deployment, records):
    collectors = {
        name: catalog.find("modalities", name).collector(
            deployment, (*deployment.sources(), ResponseRecord(path=records))
        )
        for name in MODALITIES
    }
    for collector in collectors.values():
        collector.start()
    spec = {"system": "social_network", "seed": 11, "deadline_s": 60, "timeout_s": 5}
    edges = [clock.now_ns()]
    handle = open_loop.start({**spec, "entry_url": deployment.entry_url, "urls": dict(deployment.urls)}, records)
    for name, act in (
        ("onset", lambda: need(deployment, Lifecycle, "text-service").kill()),
        ("recovery", lambda: None),
    ):
        clock.sleep(2.0)
        edges.append(clock.now_ns())
        for collector in collectors.values():
            collector.edge(name)
        act()
    clock.sleep(2.0)
    report = open_loop.stop(handle)
    edges.append(clock.now_ns())
    since_s = clock.monotonic_s()
    for collector in collectors.values():
        collector.settle(since_s)
        collector.stop()
    columns = {name: collector.columns(edges[0], edges[-1]) for name, collector in collectors.items()}
    return Watched(columns, collectors, report, edges)


@pytest.mark.parametrize("name", MODALITIES)
def test_every_modality_has_rows_in_every_window_that_fit_its_schema(watched, name):
    phases = (Phase.BASELINE, Phase.ANOMALY, Phase.RECOVERY)
    spans = zip(phases, watched.edges, watched.edges[1:], strict=False)
    timeline = Timeline(tuple(Window(phase=phase, start_ns=start, end_ns=end) for phase, start, end in spans))
    modality = catalog.find("modalities", name)
    _, written = tables.build(modality, watched.columns[name], timeline, "20261122T0425Z-7f3a")
    assert set(written.phases) == {str(phase) for phase in phases}
    assert written.outside == 0


def test_logs_traces_responses_and_coverage_lose_nothing(watched):
    """Ticks of metrics may be left out on a machine that is busy; then they are counted."""
    dropped = {name: watched.collectors[name].dropped for name in MODALITIES if name != "metrics"}
    assert set(dropped.values()) == {0}, dropped


def test_every_response_has_its_trace_and_the_entry_hangs_below_what_was_sent(watched):
    responses, traces = watched.columns["api_responses"], watched.columns["traces"]
    assert watched.report["requests"] == len(responses["trace_id"]) > 100
    missing = set(responses["trace_id"]) - set(traces["trace_id"])
    assert len(missing) <= 0.01 * len(responses["trace_id"])
    assert set(responses["span_id"]) - set(traces["parent_span_id"]) == set() or missing


def test_log_lines_carry_the_ids_of_spans(watched):
    logs, traces = watched.columns["logs"], watched.columns["traces"]
    spans = set(zip(traces["trace_id"], traces["span_id"], strict=True))
    with_ids = [ids for ids in zip(logs["trace_id"], logs["span_id"], strict=True) if ids[0]]
    assert len(with_ids) > 100
    assert sum(ids in spans for ids in with_ids) >= 0.99 * len(with_ids)


def test_every_service_and_store_has_metrics_of_its_own_and_of_its_processes(watched):
    metrics = watched.columns["metrics"]
    seen = set(zip(metrics["service_name"], metrics["metric_name"], strict=True))
    own = {"cache": "redis_keys", "docstore": "pg_xact_commit_total"}
    for service in catalog.find("systems", "social_network").services:
        assert {(service.name, "up"), (service.name, "container_cpu_usage_seconds_total")} <= seen
        assert (service.name, own.get(str(service.kind), "process_open_fds")) in seen


def test_the_killed_service_shows_as_a_new_instance_and_a_window_that_is_not_exact(watched):
    for name in ("metrics", "traces"):
        columns = watched.columns[name]
        ids = set(zip(columns["service_name"], columns["service_instance_id"], strict=True))
        assert {i for s, i in ids if s == "text-service"} == {"text-service-1", "text-service-2"}
    coverage = watched.columns["coverage"]
    blurred = {s for s, truncated in zip(coverage["service_name"], coverage["truncated"], strict=True) if truncated}
    assert "text-service" in blurred


def test_coverage_names_lines_and_functions_below_the_systems_own_sources(watched):
    coverage = watched.columns["coverage"]
    gateways_and_apps = {s.name for s in catalog.find("systems", "social_network").services if s.kind not in STORES}
    assert set(coverage["service_name"]) == gateways_and_apps
    assert all(re.fullmatch(r"social_network/\w+\.py", path) for path in set(coverage["file"]))
    ran = [f for f, covered in zip(coverage["function"], coverage["covered"], strict=True) if covered]
    assert any(function.endswith("compose_text") for function in ran)


def test_nothing_in_the_telemetry_gives_the_label_away(watched):
    for name in MODALITIES:
        text = json.dumps({column: list(values) for column, values in watched.columns[name].items()})
        found = re.findall(r"(?i).{20}(?:anomod|chaos|inject|(?<!de)fault).{20}", text)
        assert not found, (name, found[:5])
