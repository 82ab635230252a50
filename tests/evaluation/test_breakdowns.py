"""What an evaluation says beyond the service: instances, edges, paths, by kind of case, and what cases lack."""

from __future__ import annotations

import dataclasses

import dataset_builder as build
import pyarrow.parquet as parquet
from cases import CULPRIT, FAULTS, culprit_first

from pytest_anomod.dataset import label_tables
from pytest_anomod.evaluation import page
from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation.external import as_method
from pytest_anomod.evaluation.method import Ranking
from pytest_anomod.evaluation.run import evaluate
from pytest_anomod.evaluation.scores import RANKING
from pytest_anomod.evaluation.table import render
from pytest_anomod.evaluation.trials import Options
from pytest_anomod.model.propagation import USER, Hop, Known, Propagation


def run(dataset, function):
    """Evaluate one function that ranks."""
    return evaluate(dataset, {"mine": as_method(function, "mine", "rank")}, Options())


def test_instances_edges_and_paths_are_scored_where_the_label_has_them(tmp_path):
    """A fault on an edge, one step proven and one unknown; the other case knows its instance alone."""
    edge = ("nginx-thrift", CULPRIT)
    one = build.build_case(tmp_path, "edge", fault="network_delay", fault_edges=("->".join(edge),))
    build.build_case(tmp_path, "other", start_ns=build.START_NS + 900 * build.SECOND)
    hops = (
        Hop(hop=0, cause=None, service=CULPRIT, propagated=Known.YES, why="", effect="state"),
        Hop(hop=1, cause=CULPRIT, service="nginx-thrift", propagated=Known.YES, why="", effect="latency"),
        Hop(hop=1, cause=CULPRIT, service="media-service", propagated=Known.UNKNOWN, why="no spans"),
        Hop(hop=2, cause="nginx-thrift", service=USER, propagated=Known.YES, why="", effect="latency"),
    )
    table = label_tables.propagation_table(one.case_id, Propagation(root=CULPRIT, hops=hops))
    parquet.write_table(table, one.directory / "propagation.parquet")
    answer = Ranking(
        services={CULPRIT: 1.0},
        instances={"user-service-1": 2.0, f"{CULPRIT}-1": 1.0},
        edges={edge: 1.0},
        path=[(CULPRIT, "nginx-thrift"), (CULPRIT, "media-service"), ("nginx-thrift", USER)],
    )
    results = run(tmp_path, lambda evidence: answer)
    first, second = sorted(results.rows, key=lambda row: row["scenario"])
    assert (first["instance MRR"], second["instance MRR"]) == (0.5, 0.5)
    assert (first["edge AC@1"], second["edge AC@1"]) == (1.0, None)
    assert (first["path precision"], first["path recall"], second["path recall"]) == (1.0, 1.0, None)
    text = render(results, [])
    assert "Root cause, instance level" in text
    assert "Root cause, edge level" in text
    assert "Path of the fault: cases with a proven step" in text
    assert "Root cause, edge level" in page.render(results, [])


def test_breakdowns_have_every_score_with_its_interval(severities_dataset):
    """And the slightest faults have a bound of their own."""
    results = run(severities_dataset, culprit_first)
    easier = [{**row, "AC@1": float((row["faults"], row["severity"]) == (FAULTS[0], "1"))} for row in results.rows]
    results = dataclasses.replace(results, rows=easier)
    text, html = render(results, ["mine"]), page.render(results, ["mine"])
    table = next(part for part in text.split("\n\n") if part.startswith("Root cause, service level, by severity"))
    heads, *lines = table.splitlines()[1:]
    assert heads.split() == ["method", "severity", *RANKING, "cases"]
    assert [line.split()[:5] for line in lines] == [
        ["mine", "1", "0.50", "[0.00,", "1.00]"],
        ["mine", "3", "0.00", "[0.00,", "0.00]"],
    ]
    easy = (
        "of 4 cases: mine 25%; any of them 25% (none above 40%); "
        "of 2 cases of severity 1: mine 50%; any of them 50% (above 25%: too easy)"
    )
    assert easy in text
    assert easy in html
    assert html.count("<td>mine</td><td>1</td><td>0.50 <small>0.00–1.00</small></td>") == 1


def test_cases_that_lack_a_modality_are_counted(tmp_path):
    """They are not in the figures of a method that reads it; one that does not is tried on all."""
    for number, absent in enumerate([{}, {"coverage": "no agent"}]):
        start_ns = build.START_NS + number * 900 * build.SECOND
        build.build_case(tmp_path, f"case{number}", start_ns=start_ns, absent=absent)
    for subsets in (False, True):
        results = evaluate(tmp_path, ["mean_rank", "deepest_error"], Options(subsets=subsets))
        assert results.lacking == {"mean_rank": 1}
        assert len(figures.by(figures.rankings(results.rows), "method")["mean_rank"]) == 1
        assert "mean_rank reads a modality that some cases lack; not in its figures" in render(results, [])
