"""RCABench: a datapack a case, as rcabench-platform 0.4 validates it, and converted as its loader and methods read it.

https://github.com/OperationsPAI/rcabench-platform. Its service graph always has TrainTicket's own edges in it besides.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import Stretch, stretch_with_cause, without_slot
from pytest_anomod.model.clock import NS_PER_S, ns_to_iso
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.fault import Json
from pytest_anomod.model.workload import is_replayed

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

DATASET = "rcabench_anomod"
"""Methods of the platform take a data set for theirs by how its name begins."""
ONE_FAULT = "several faults, of which injection.json has kind and parameters of the first; ground_truth has all"
NO_PATH = "the label has no path of propagation, so causal_graph.json has the root cause alone"


class RcaBench:
    """RCABench datapacks: normal_ and abnormal_ Parquet, injection.json, env.json, causal_graph.json, converted/."""

    name = "rcabench"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write data/rcabench_anomod/<datapack>/ a case, and meta/rcabench_anomod/ with index and labels."""
        import pandas as pd

        index = []
        for case in data:
            stretch = stretch_with_cause(case, losses)
            if stretch is None:
                continue
            name = re.sub(r"[^A-Za-z0-9_-]", "-", f"{case.label.scenario}-{case.case_id}")
            place = out / "data" / DATASET / name
            (place / "converted").mkdir(parents=True)
            _write_tables(case, stretch, place, losses)
            _write_documents(case, stretch, place, losses)
            root = str(case.label.root_cause_service)
            index.append({"dataset": DATASET, "datapack": name, "gt.level": "service", "gt.name": root})
            losses.written += 1
        meta = out / "meta" / DATASET
        meta.mkdir(parents=True)
        labels = pd.DataFrame(index, columns=["dataset", "datapack", "gt.level", "gt.name"])
        labels.to_parquet(meta / "labels.parquet", index=False)
        labels[["dataset", "datapack"]].to_parquet(meta / "index.parquet", index=False)


def _write_tables(case: DatasetCase, stretch: Stretch, place: Path, losses: Losses) -> None:
    from pytest_anomod.exporters import _rcabench_tables as tables

    without_slot(case, ("logs", "metrics", "traces", "api_responses"), losses)
    cut = {name: stretch.cut(case, name, losses) for name in ("logs", "metrics", "traces", "api_responses")}
    losses.columns("logs", cut["logs"], set(cut["logs"].columns) - {"attributes"})
    losses.columns("traces", cut["traces"], set(cut["traces"].columns) - {"peer"})
    losses.columns("metrics", cut["metrics"], set(cut["metrics"].columns) - {"unit"})
    taken = (
        "case_id",
        "phase",
        "phase_end",
        "time_unix_nano",
        "service_name",
        "trace_id",
        "span_id",
        "method",
        "route",
    )
    losses.columns("api_responses", cut["api_responses"], (*taken, "status_code", "error_kind", "duration_ns"))
    whole = case.table("api_responses")  # what a request of a suite usually gets is seen in all of the baseline
    failed = failed_rows(whole, replayed=is_replayed(case.label.workload))
    cut["api_responses"]["failed"] = failed[stretch.has(whole)]
    buckets = cut["metrics"]["metric_name"].str.endswith("_bucket")
    losses.rows("metrics", int(buckets.sum()), "buckets of histograms; count and sum are taken")
    spans = {}
    for side in ("normal", "abnormal"):
        mine = {name: _side(frame, stretch, side) for name, frame in cut.items()}
        spans[side] = tables.traces(mine["traces"], mine["api_responses"])
        gauges, counters, histograms = tables.metrics(mine["metrics"], stretch)
        made = {
            "traces": (spans[side], tables.TRACES),
            "logs": (tables.logs(mine["logs"]), tables.LOGS),
            "metrics": (gauges, tables.METRICS),
            "metrics_sum": (counters, tables.METRICS),
            "metrics_histogram": (histograms, tables.HISTOGRAMS),
        }
        for name, (raw, names) in made.items():
            if raw.empty:
                losses.note(
                    f"no row in {side}_{name}.parquet, which the platform's valid() takes only with allow_empty"
                )
            raw.to_parquet(place / f"{side}_{name}.parquet", index=False)
            tables.converted(raw, names).to_parquet(place / "converted" / f"{side}_{name}.parquet", index=False)
        tables.trace_times(spans[side]).to_parquet(place / f"{side}_trace_id_ts.parquet", index=False)
    concluded = tables.conclusion(spans["normal"], spans["abnormal"])
    concluded.to_csv(place / "conclusion.csv", index=False)
    concluded.to_parquet(place / "converted" / "conclusion.parquet", index=False)


def _side(frame: pd.DataFrame, stretch: Stretch, side: str) -> pd.DataFrame:
    before = frame["time_unix_nano"] < stretch.alarm_ns
    return frame[before if side == "normal" else ~before]


def _write_documents(case: DatasetCase, stretch: Stretch, place: Path, losses: Losses) -> None:
    label = case.label
    truths = [
        {
            "service": [cause.root_cause_service],
            "pod": list(cause.root_cause_instances),
            "function": [cause.root_cause_code_function] if cause.root_cause_code_function else [],
        }
        for cause in label.causes
    ]
    if len(truths) > 1:
        losses.note(ONE_FAULT)
    injection = {
        "injection_name": place.name,
        "fault_type": label.fault,
        "start_time": ns_to_iso(stretch.alarm_ns),
        "end_time": ns_to_iso(stretch.end_ns),
        "display_config": dict(label.parameters),
        "ground_truth": truths,
    }
    edges = {
        "NORMAL_START": stretch.start_ns,
        "NORMAL_END": stretch.alarm_ns,
        "ABNORMAL_START": stretch.alarm_ns,
        "ABNORMAL_END": stretch.end_ns,
    }
    env = {name: str(time // NS_PER_S) for name, time in edges.items()} | {"TIMEZONE": "UTC"}
    for folder in (place, place / "converted"):
        _write_json(folder / "injection.json", injection)
        _write_json(folder / "env.json", env)
    _write_json(place / "k8s.json", {"kind": label.runtime, "pods": [pod for truth in truths for pod in truth["pod"]]})
    _write_json(place / "causal_graph.json", causal_graph(case, place.name, stretch, losses))


def causal_graph(case: DatasetCase, name: str, stretch: Stretch, losses: Losses) -> dict[str, Json]:
    """The platform's CausalGraph: the steps of the label's propagation, or the root cause alone."""
    label = case.label
    roots: list[dict[str, Json]] = [
        {
            "component": cause.root_cause_service,
            "timestamp": stretch.alarm_ns if not number else (cause.inject_start_unix_nano or stretch.alarm_ns),
            "state": [cause.fault],
        }
        for number, cause in enumerate(label.causes)
    ]
    known = {cause.root_cause_service for cause in label.causes}
    steps = [str(edge).split("->") for edge in getattr(label, "propagation_edges", None) or ()]
    path = [str(service) for service in getattr(label, "propagation_path", None) or ()]
    if not steps:
        losses.note(NO_PATH)
    others = dict.fromkeys(service for step in steps for service in step if service not in known)
    nodes: list[dict[str, Json]] = [*roots, *({"component": service, "state": []} for service in others)]
    alarms = [{"component": path[-1], "state": []}] if len(path) > 1 else []
    return {
        "case_name": name,
        "fault_type": label.fault,
        "nodes": nodes,
        "edges": [{"source": cause, "target": effect} for cause, effect in steps],
        "root_causes": roots,
        "alarm_nodes": alarms,
        "component_to_service": {str(node["component"]): str(node["component"]) for node in nodes},
    }


def _write_json(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


OFFERS = (RcaBench(),)
