"""Other packages read our tables: datasets, mlcroissant, opentelemetry-proto-json, PyTorch Geometric."""

import itertools
import json

import datasets
import mlcroissant
import numpy as np
import pytest
from opentelemetry.proto_json.collector.logs.v1.logs_service import ExportLogsServiceRequest
from opentelemetry.proto_json.collector.metrics.v1.metrics_service import ExportMetricsServiceRequest
from opentelemetry.proto_json.collector.trace.v1.trace_service import ExportTraceServiceRequest

from conftest import DATASET
from pytest_anomod import load_dataset
from pytest_anomod.dataset.index import write_index
from pytest_anomod.publishing.publish import Terms, publish

TABLES = ("logs", "metrics", "traces", "api_responses", "coverage")


def test_hugging_face_reads_the_dataset_itself(tmp_path, figure):
    write_index(DATASET)
    whole = load_dataset(DATASET, superseded=True)
    assert len(datasets.load_dataset(DATASET, "cases", split="train", cache_dir=tmp_path)) == len(whole)
    for name in TABLES:
        table = datasets.load_dataset(DATASET, name, split="train", cache_dir=tmp_path)
        assert len(table) == sum(row[f"rows_{name}"] or 0 for row in whole.rows)
    figure("datasets", f"load_dataset(DIR, table): {len(whole)} cases, 6 tables")


def test_hugging_face_reads_the_export(data, exported, tmp_path, figure):
    out = str(exported("huggingface"))
    for name in TABLES:
        table = datasets.load_dataset(out, name, cache_dir=tmp_path)
        assert sum(map(len, table.values())) == sum(row[f"rows_{name}"] or 0 for row in data.rows)
    figure("datasets", f"export: {len(data)} cases")


def test_mlcroissant_validates_and_reads(data, exported, figure):
    described = mlcroissant.Dataset(jsonld=exported("croissant") / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    cases = list(described.records("cases"))
    assert [record["cases/case_id"].decode() for record in cases] == [row["case_id"] for row in data.rows]
    bodies = [record["logs/body"].decode() for record in itertools.islice(described.records("logs"), 100)]
    assert bodies == next(iter(data)).logs["body"][:100].tolist()
    figure("mlcroissant", f"validates and reads {len(described.metadata.record_sets)} record sets")


def test_mlcroissant_reads_what_is_published(tmp_path, figure):
    publish(DATASET, tmp_path / "out", Terms.of(title="cases", license="CC-BY-4.0"), anyway=True)
    described = mlcroissant.Dataset(jsonld=tmp_path / "out" / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    assert len(list(described.records("cases"))) == len(load_dataset(DATASET, superseded=True))
    assert next(iter(described.records("sample_traces")))["sample_traces/trace_id"]
    figure("mlcroissant", "reads what anomod publish writes")


def test_opentelemetry_reads_the_requests(data, exported, figure):
    kinds = {
        "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
        "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    }
    case = next(iter(data))
    (place,) = exported("otlp").glob(f"*{case.case_id}")
    for name, (kind, resources, scopes, records) in kinds.items():
        found = []
        for line in (place / f"{name}.jsonl").read_text().splitlines():
            for resource in getattr(kind.from_json(line), resources):
                for scope in getattr(resource, scopes):
                    found += getattr(scope, records)
        assert len(found) == len(case.table(name))
        assert {record.trace_id.hex() for record in found if record.trace_id} == set(
            case.table(name)["trace_id"].dropna()
        )
    line = (place / "metrics.jsonl").read_text().splitlines()[0]
    assert ExportMetricsServiceRequest.from_json(line).resource_metrics
    figure("opentelemetry-proto-json", f"{len(case.traces):,} spans, {len(case.logs):,} records of a case")


def test_pytorch_geometric_reads_the_graphs(data, exported, figure):
    tu = pytest.importorskip(
        "torch_geometric.datasets", reason="torch draws some gigabytes of CUDA; see docs/exports.md"
    )
    for system in sorted({row["system"] for row in data.rows}):
        graphs = tu.TUDataset(str(exported("graph") / "tu"), system, use_node_attr=True, use_edge_attr=True)
        arrays = [dict(np.load(path)) for path in (exported("graph") / system).glob("*.npz")]
        assert len(graphs) == sum(len(found["y_window"]) for found in arrays)
        assert graphs[0].x.shape[1] == 9
        figure("torch-geometric", f"TUDataset, {system}: {len(graphs)} graphs")


def test_the_label_lies_beside_the_requests(data, exported):
    for case in data:
        (place,) = exported("otlp").glob(f"*{case.case_id}")
        assert json.loads((place / "label.json").read_text())["root_cause_service"] == case.label.root_cause_service
