"""Layout and units of the RCAEval export; tests/readback reads it with RCAEval itself."""

import pandas as pd
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.exporters.command import export
from pytest_anomod.model.timeline import Phase


@pytest.fixture(scope="module")
def out(dataset, tmp_path_factory):
    place = tmp_path_factory.mktemp("rcaeval") / "out"
    export(load_dataset(dataset), "rcaeval", place)
    return place


@pytest.fixture(scope="module")
def case(out):
    return out / "RE2" / "RE2-SN" / "text-service_cpu" / "1"


def test_the_label_is_in_the_path_and_in_cases_parquet(out, case):
    index = pd.read_parquet(out / "cases.parquet").set_index("case_id")
    assert index.loc["20261122T0525Z-bbbb", "path"] == "RE3/RE3-TT/text-service_code-exception/1"
    assert index.loc["20261122T0425Z-aaaa", ["service", "fault", "indicator"]].tolist() == [
        "text-service",
        "cpu",
        "cpu",
    ]
    assert int((case / "inject_time.txt").read_text()) == index.loc["20261122T0425Z-aaaa", "inject_time"]


def test_metrics_are_rates_by_second_that_the_moment_of_the_fault_splits(dataset, case):
    ours = load_dataset(dataset).case("20261122T0425Z-aaaa")
    inject = int((case / "inject_time.txt").read_text())
    simple = pd.read_csv(case / "simple_metrics.csv")
    assert simple["time"].diff().dropna().eq(1).all()
    assert (simple["time"] < inject).sum() == 5
    assert simple["text-service_cpu"].mean() == pytest.approx(0.1, rel=0.15)
    traces = ours.traces[ours.traces.phase.isin(["baseline", "onset", "anomaly"])]
    assert simple.filter(like="_workload").sum().sum() == len(traces)
    after = simple[simple["time"] >= inject + 2]["text-service_latency-90"]
    assert after.tolist() == pytest.approx([0.08] * len(after))
    assert set(pd.read_parquet(case / "metrics.parquet").filter(like="text-service")) == {
        "text-service_container_cpu_usage_seconds_total",
        "text-service_container_memory_working_set_bytes",
    }


def test_logs_and_traces_keep_every_row_of_the_stretch(dataset, case):
    ours = load_dataset(dataset).case("20261122T0425Z-aaaa")
    start, end = ours.timeline.window(Phase.BASELINE).start_ns, ours.timeline.window(Phase.ANOMALY).end_ns
    logs = ours.logs[ours.logs.time_unix_nano.between(start, end - 1)]
    traces = ours.traces[ours.traces.time_unix_nano.between(start, end - 1)]
    theirs = pd.read_parquet(case / "logs.parquet")
    assert theirs["timestamp"].tolist() == logs["time_unix_nano"].tolist()
    assert theirs["log_template"].nunique() == 2
    assert pd.read_csv(case / "logts.csv").drop(columns="time").to_numpy().sum() == len(logs)
    spans = pd.read_parquet(case / "traces.parquet")
    assert (spans["duration"] * 1000).tolist() == traces["duration_ns"].tolist()
    assert set(spans) >= {
        "traceID",
        "spanID",
        "parentSpanID",
        "serviceName",
        "methodName",
        "operationName",
        "startTime",
    }
    latency, errors = pd.read_csv(case / "tracets_lat.csv"), pd.read_csv(case / "tracets_err.csv")
    assert latency["time"].tolist() == errors["time"].tolist()
    assert latency["text-service_/wrk2-api/post/compose"].iloc[0] == pytest.approx(5.0)
