"""Layout of the RCABench export; tests/readback validates and loads it with rcabench-platform itself."""

import json

import dataset_builder as build
import pandas as pd
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset.write import write_index
from pytest_anomod.exporters import Losses, rcabench
from pytest_anomod.exporters._stretch import stretch_of
from pytest_anomod.exporters.command import export, select

FILES = ("logs", "metrics", "metrics_sum", "metrics_histogram", "traces")


@pytest.fixture(scope="module")
def pack(dataset, tmp_path_factory):
    place = tmp_path_factory.mktemp("rcabench") / "out"
    export(select(load_dataset(dataset), ["system=social_network"]), "rcabench", place)
    return next((place / "data" / "rcabench_anomod").iterdir())


def test_a_datapack_has_the_files_that_are_looked_for(pack):
    raw = {path.name for path in pack.iterdir()}
    assert raw >= {f"{side}_{name}.parquet" for side in ("normal", "abnormal") for name in (*FILES, "trace_id_ts")}
    assert raw >= {"injection.json", "env.json", "k8s.json", "causal_graph.json", "converted"}
    labels = pd.read_parquet(pack.parents[2] / "meta" / "rcabench_anomod" / "labels.parquet")
    assert labels.to_dict("records") == [
        {"dataset": "rcabench_anomod", "datapack": pack.name, "gt.level": "service", "gt.name": "text-service"}
    ]
    assert json.loads((pack / "injection.json").read_text())["ground_truth"][0]["service"] == ["text-service"]


def test_the_moment_of_the_fault_splits_all_rows(dataset, pack):
    case = load_dataset(dataset).case("20261122T0425Z-aaaa")
    stretch = stretch_of(case)
    alarm = pd.to_datetime(stretch.alarm_ns, unit="ns", utc=True)
    for name in FILES:
        before, after = (
            pd.read_parquet(pack / "converted" / f"{side}_{name}.parquet") for side in ("normal", "abnormal")
        )
        assert (before["time"] < alarm).all()
        assert (after["time"] >= alarm).all()
    spans = pd.read_parquet(pack / "normal_traces.parquet")
    roots = spans[spans["ServiceName"] == "loadgenerator"]
    assert len(roots) == 41
    assert len(spans) == 164
    assert roots["SpanName"].unique().tolist() == ["HTTP POST http://nginx-thrift/wrk2-api/post/compose"]
    converted = pd.read_parquet(pack / "converted" / "normal_traces.parquet")
    assert converted["attr.http.response.status_code"].dropna().unique().tolist() == [200]
    conclusion = pd.read_parquet(pack / "converted" / "conclusion.parquet").iloc[0]
    assert conclusion["NormalSuccRate"] == 1
    assert conclusion["AbnormalSuccRate"] < 0.9
    gauges = pd.read_parquet(pack / "converted" / "normal_metrics.parquet")
    assert set(gauges["metric"]) == {"container.memory.working_set", "container.cpu.usage"}


def test_steps_of_the_label_are_the_causal_graph(dataset):
    from types import SimpleNamespace

    path = {"propagation_edges": ("text->compose", "compose->nginx"), "propagation_path": ("text", "compose", "nginx")}
    cause = SimpleNamespace(root_cause_service="text", fault="cpu_contention")
    case = SimpleNamespace(label=SimpleNamespace(causes=(cause,), fault="cpu_contention", **path))
    graph = rcabench.causal_graph(case, "name", stretch_of(next(iter(load_dataset(dataset)))), Losses())
    assert [node["component"] for node in graph["nodes"]] == ["text", "compose", "nginx"]
    assert graph["edges"] == [{"source": "text", "target": "compose"}, {"source": "compose", "target": "nginx"}]
    assert [node["component"] for node in graph["alarm_nodes"]] == ["nginx"]


@pytest.mark.parametrize(("workload", "success"), [("open_loop", 0.5), ("suite:shop.py", 1.0)])
def test_an_error_is_a_failure_unless_a_suite_means_it(tmp_path, workload, success):
    """As everywhere: a 404 that a user gets is one, and one that a step of a suite always gets is none."""

    def edit(name, columns):
        if name == "api_responses":
            columns["step"] = [1 + place % 2 for place in range(len(columns["step"]))]
            columns["status_code"] = [404 if step == 2 else 200 for step in columns["step"]]

    build.build_case(tmp_path / "in", edit=edit, workload=workload)
    write_index(tmp_path / "in")
    export(select(load_dataset(tmp_path / "in"), []), "rcabench", tmp_path / "out")
    concluded = pd.read_parquet(next(tmp_path.glob("out/data/*/*/converted/conclusion.parquet"))).iloc[0]
    assert concluded[["NormalSuccRate", "AbnormalSuccRate"]].tolist() == pytest.approx([success] * 2, abs=0.02)
