"""Layouts of the smaller exports; tests/readback reads them with other people's own packages where these install."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
import scipy.io

from pytest_anomod import load_dataset
from pytest_anomod.exporters.command import export, select
from pytest_anomod.sources.otlp import json_rows
from pytest_anomod.sources.otlp.rows import Tally


def written(dataset, name, out, *conditions):
    losses = export(select(load_dataset(dataset), conditions), name, out)
    return losses, out


def test_openrca_has_telemetry_by_day_and_a_query_a_fault(dataset, tmp_path):
    losses, out = written(dataset, "openrca", tmp_path / "out", "system=social_network")
    home = out / "social_network"
    assert losses.written == 2
    (record,) = csv.DictReader((home / "record.csv").read_text().splitlines(keepends=True))
    assert (record["component"], record["reason"]) == ("text-service", "cpu contention")
    (query,) = csv.DictReader((home / "query.csv").read_text().splitlines(keepends=True))
    pattern = r"within 1 minutes \(i\.e\., <=1min\) of ([^\n]+)"  # as its evaluate.py looks for it
    assert re.findall(pattern, query["scoring_points"]) == [record["datetime"]]
    assert record["datetime"].startswith("2026-11-22 12:25:")  # UTC+8
    spans = pd.read_csv(home / "telemetry/2026_11_22/trace/trace_span.csv")
    assert spans["timestamp"].is_monotonic_increasing
    assert set(spans["duration"]) == {5_000, 80_000}
    assert (home / "telemetry/2026_11_22/metric/metric_container.csv").exists()
    assert (home / "telemetry/2026_11_22/log/log_service.csv").exists()


def test_cases_that_overlap_are_told_apart_by_nothing_so_one_is_left_out(tmp_path):
    import dataset_builder as build

    from pytest_anomod.dataset.index import write_index

    for number in range(2):
        build.build_case(
            tmp_path / "two", "kill", case_id=f"20261122T0425Z-aaa{number}", start_ns=build.START_NS + number, per_s=2
        )
    write_index(tmp_path / "two")
    losses, _ = written(tmp_path / "two", "openrca", tmp_path / "out")
    assert losses.written == 1
    assert "ran at the same time" in next(losses.lines())


def test_loglead_gets_a_line_a_record_and_no_label_but_anomaly(dataset, tmp_path):
    _, out = written(dataset, "loglead", tmp_path / "out", "system=social_network")
    lines = [json.loads(line) for line in (out / "logs.ndjson").read_text().splitlines()]
    ours = [case.logs for case in load_dataset(dataset, systems="social_network")]
    assert sum(line["anomaly"] for line in lines) == sum(int((logs.phase == "anomaly").sum()) for logs in ours)
    assert len(lines) == sum(int(logs.phase.isin(["baseline", "control", "anomaly"]).sum()) for logs in ours)
    assert len({line["seq_id"] for line in lines}) == 9  # three services in three windows
    texts = [path.read_text().count("\n") for path in (out / "runs").rglob("*.log")]
    assert sum(texts) == len(lines)


def test_otlp_is_read_as_the_rows_that_were_written(dataset, tmp_path):
    _, out = written(dataset, "otlp", tmp_path / "out", "level=performance")
    (case,) = load_dataset(dataset, scenarios="perf_cpu_contention")
    place = out / f"{case.label.scenario}-{case.case_id}"
    tally = Tally()
    readers = {"traces": (json_rows.spans, (tally,), "span_id", 4), "logs": (json_rows.logs, (0, tally), "body", 5)}
    for name, (read, arguments, column, place_of_it) in readers.items():
        requests = [json_rows.parse(name, line) for line in (place / f"{name}.jsonl").read_bytes().splitlines()]
        rows = sorted((row for request in requests for row in read(request, *arguments)), key=lambda row: row[0])
        ours = case.table(name)
        assert [row[1] for row in rows] == ours["service_name"].tolist()
        assert [row[place_of_it] for row in rows] == ours[column].tolist()
    points = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    metrics = [m for p in points for r in p["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"]]
    assert sum(len((metric.get("sum") or metric.get("gauge"))["dataPoints"]) for metric in metrics) == len(case.metrics)
    assert not tally.dropped
    assert json.loads((place / "label.json").read_text())["root_cause_service"] == "text-service"


def test_nezha_divides_normal_from_faulty_minutes(dataset, tmp_path):
    _, out = written(dataset, "nezha", tmp_path / "out", "system=social_network")
    home = out / "social_network"
    (faults,) = json.loads((home / "rca_data/2026-11-22/2026-11-22-fault_list.json").read_text())["04"]
    assert (faults["inject_pod"], faults["inject_type"]) == ("text-service-1", "cpu_contention")
    faulty = pd.concat(map(pd.read_csv, (home / "rca_data").rglob("*_log.csv")))
    normal = pd.concat(map(pd.read_csv, (home / "construct_data").rglob("*_log.csv")))
    moment = int(faults["inject_timestamp"]) * 10**9
    assert (faulty["TimeUnixNano"] >= moment).all()
    assert all(row.SpanID in json.loads(row.Log)["log"] for row in normal.itertuples())
    spans = pd.concat(map(pd.read_csv, home.rglob("*_trace.csv")))
    assert (spans["ParentID"] == "root").sum() == spans["TraceID"].count() / 3
    metric = pd.read_csv(home / "construct_data/2026-11-22/metric/text-service-1_metric.csv")
    assert metric["CpuUsage(m)"].mean() == pytest.approx(100, rel=0.2)
    assert metric.shape[1] == 22


def test_graphs_have_a_node_a_service_and_one_label_in_three_files(dataset, tmp_path):
    _, out = written(dataset, "graph", tmp_path / "out", "level=performance")
    (path,) = (out / "social_network").glob("*.npz")
    graphs = dict(np.load(path))
    windows, nodes, features = graphs["x"].shape
    assert (windows, nodes, features) == (8, 3, 9)
    assert graphs["y_window"].tolist() == [0] * 4 + [1] * 4
    assert graphs["services"][graphs["y_root"].sum(axis=0).argmax()] == "text-service"
    assert (graphs["x"][:, :, 0] == 10).all()  # requests a second
    assert graphs["x"][7, :, 2] == pytest.approx([0.08] * 3)
    mat = scipy.io.loadmat(path.with_suffix(".mat"))
    assert mat["Network"].shape == (24, 24)
    assert mat["Label"].ravel().tolist() == graphs["y_root"].ravel().tolist()
    raw = out / "tu" / "social_network" / "raw"
    indicator = np.loadtxt(raw / "social_network_graph_indicator.txt", dtype=int)
    assert np.bincount(indicator)[1:].tolist() == [3] * 8
    assert np.loadtxt(raw / "social_network_node_attributes.txt", delimiter=",").shape == (24, 9)
