"""RCAEval reads the export and its own BARO, N-sigma, MicroRank run on it; our BARO rule ranks as theirs."""

import numpy as np
import pandas as pd
import pytest
from baro.root_cause_analysis import robust_scorer
from RCAEval.benchmark.evaluation import Evaluator
from RCAEval.classes.graph import Node
from RCAEval.e2e import nsigma
from RCAEval.e2e.baro import baro, mmbaro
from RCAEval.e2e.microrank import microrank
from RCAEval.utility import read_logs, read_metrics, read_traces

from pytest_anomod.dataset.evidence import alarm_evidence
from pytest_anomod.evaluation.methods._series import series_of
from pytest_anomod.evaluation.methods.baro import Baro


@pytest.fixture(scope="module")
def cases(exported):
    """Directory and label of each case, from cases.parquet."""
    root = exported("rcaeval")
    places = [(root / row.path, row) for row in pd.read_parquet(root / "cases.parquet").itertuples()]
    # a system may have no source of logs or spans; such cases are for methods on metrics only
    return [(place, row) for place, row in places if (place / "logs.csv").exists() and (place / "traces.csv").exists()]


def simple(place):
    """As RCAEval's main.py reads it."""
    table = pd.read_csv(place / "simple_metrics.csv")
    table = table.loc[:, ~table.columns.str.endswith("_latency-50")]
    table.columns = [name.replace("_latency-90", "_latency") for name in table.columns]
    return table.ffill().fillna(0)


def scored(cases, rank):
    """AC@1, AC@3 and AC@5 by service of a function from a directory to ranked `<service>_<figure>`."""
    evaluator, count = Evaluator(), 0
    for place, label in cases:
        services = list(dict.fromkeys(str(name).split("_")[0] for name in rank(place, label)))
        assert services
        evaluator.add_case([Node(name, "unknown") for name in services], Node(label.service, "unknown"))
        count += 1
    return f"AC@1 {evaluator.accuracy_service(1):.2f}, AC@3 {evaluator.accuracy_service(3):.2f}, {count} cases"


def test_all_rows_are_read(cases, figure):
    for place, _ in cases:
        assert len(read_logs(place)) == len(pd.read_csv(place / "logs.csv"))
        assert len(read_traces(place)) == len(pd.read_csv(place / "traces.csv"))
        assert read_metrics(place)["time"].is_monotonic_increasing
    figure("RCAEval", f"read_metrics, read_logs and read_traces: {len(cases)} cases")


@pytest.mark.parametrize("method", [baro, nsigma])
def test_its_metric_methods_rank(cases, figure, method):
    said = scored(cases, lambda place, label: method(simple(place), label.inject_time, dataset="re2-tt")["ranks"])
    figure("RCAEval", f"{method.__name__} on simple_metrics.csv: {said}")


def test_its_multi_source_method_ranks(cases, figure):
    def rank(place, label):
        names = {"logts": "logts", "tracets_err": "tracets_err", "tracets_lat": "tracets_lat"}
        tables = {key: pd.read_csv(place / f"{name}.csv") for key, name in names.items()}
        # it takes every 15th row of the metrics: windows of ten seconds would be left with one
        metrics = simple(place).loc[lambda table: table.index.repeat(15)]
        return mmbaro({"metric": metrics, **tables}, label.inject_time, dataset="re2-tt")["ranks"]

    figure("RCAEval", f"mmbaro: {scored(cases, rank)}")


def test_its_trace_method_ranks(cases, figure):
    def rank(place, label):
        traces = read_traces(place)
        at = label.inject_time * 1_000_000
        before = traces[traces["startTime"] + traces["duration"] < at]
        known = set(before["serviceName"] + before["methodName"])
        # operations that the baseline lacks raise KeyError in it
        traces = traces[(traces["serviceName"] + traces["methodName"]).isin(known)].reset_index(drop=True)
        return microrank(traces, at)["ranks"]

    figure("RCAEval", f"microrank, operations of the baseline only: {scored(cases, rank)}")


def services_in_order(ranks, services):
    return list(dict.fromkeys(service for service in ranks if service in services))


@pytest.mark.parametrize("package", ["RCAEval", "fse-baro"])
def test_our_baro_rule_ranks_as_the_published_one(data, figure, package):
    """On the same frames; two services count as in the same order when our scores of them are equal."""
    agreed, count = 0, 0
    for case in data:
        if case.label.root_cause_service is None:
            continue
        evidence = alarm_evidence(case)
        series = series_of(evidence)
        names = [f"{service}_{number}" for number, service in enumerate(series.services)]
        frame = pd.DataFrame(series.values, columns=names)
        frame.insert(0, "time", series.times)
        judge = baro if package == "RCAEval" else robust_scorer
        ranks = judge(frame, inject_time=evidence.normal_until_ns, dataset="re2-tt")["ranks"]
        theirs = services_in_order([name.rsplit("_", 1)[0] for name in ranks], evidence.services)
        ours = Baro().rank(evidence)
        scores = np.array([ours.get(name, -np.inf) for name in theirs])
        agreed += set(theirs) == set(ours) and bool((np.diff(scores) <= 1e-9 * np.abs(scores[:-1])).all())
        count += 1
    figure(package, f"our BARO rule ranks all services as it does in {agreed} of {count} cases")
    assert count
    assert agreed >= 0.95 * count
