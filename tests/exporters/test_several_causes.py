"""Cases with two root causes in other people's formats, and in the truth that methods are scored by."""

from __future__ import annotations

import csv
import dataclasses
import json

import dataset_builder as build
import numpy as np
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset.write import write_index
from pytest_anomod.evaluation.trials import truths
from pytest_anomod.exporters import _stretch, command
from pytest_anomod.exporters._graph_arrays import graphs_of
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.label import RootCause

FIRST, SECOND = "nginx-thrift", "text-service"


@pytest.fixture(scope="module")
def compound(tmp_path_factory):
    """A dataset of one case with two faults at once."""
    out = tmp_path_factory.mktemp("compound") / "dataset"
    truth = build.label("20261122T0425Z-aaaa", "two", build.case_timeline())
    known = {field.name for field in dataclasses.fields(RootCause)}
    mine = {key: value for key, value in vars_of(truth).items() if key in known}
    mine |= {"root_cause_kind": "service", "fault_edges": (), "propagation_path": ()}
    causes = tuple(
        RootCause(**{**mine, "fault": fault, "root_cause_service": service})
        for fault, service in (("http_delay", FIRST), ("kill_service", SECOND))
    )
    build.build_case(
        out, "two", case_id="20261122T0425Z-aaaa", fault="http_delay", root_cause_service=FIRST,
        root_causes=causes, root_cause_services=(FIRST, SECOND), in_turn=False,
    )  # fmt: skip
    write_index(out)
    return out


def vars_of(label):
    return {field.name: getattr(label, field.name) for field in dataclasses.fields(label)}


def exported(dataset, name, out):
    return [*command.export(load_dataset(dataset), name, out).lines()]


def test_methods_are_scored_by_both(compound):
    (case,) = load_dataset(compound)
    assert truths(case) == ([FIRST, SECOND], [])
    assert "http_delay at nginx-thrift and kill_service at text-service" in repr(case)


def test_rcaeval_says_that_it_holds_one(compound, tmp_path):
    with pytest.raises(DatasetError, match=_stretch.SEVERAL.split(" (")[0]):
        exported(compound, "rcaeval", tmp_path / "out")


def test_openrca_has_a_record_of_each_and_numbers_them_in_the_query(compound, tmp_path):
    exported(compound, "openrca", tmp_path / "out")
    place = tmp_path / "out" / "social_network"
    records = list(csv.DictReader((place / "record.csv").open()))
    assert [(row["component"], row["reason"]) for row in records] == [(FIRST, "http delay"), (SECOND, "kill service")]
    (query,) = csv.DictReader((place / "query.csv").open())
    assert f"The 2-th predicted root cause component is {SECOND}" in query["scoring_points"]
    assert "2 failures were observed" in query["instruction"]


def test_nezha_lists_both_faults(compound, tmp_path):
    exported(compound, "nezha", tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*-fault_list.json")
    entries = [entry for found in json.loads(file.read_text()).values() for entry in found]
    assert [entry["inject_type"] for entry in entries] == ["http_delay", "kill_service"]


def test_rcabench_has_both_as_truth_and_says_what_it_lacks(compound, tmp_path):
    lines = exported(compound, "rcabench", tmp_path / "out")
    assert any("several faults, of which injection.json has kind and parameters of the first" in line for line in lines)
    (file,) = [path for path in (tmp_path / "out").rglob("injection.json") if path.parent.name != "converted"]
    assert [truth["service"] for truth in json.loads(file.read_text())["ground_truth"]] == [[FIRST], [SECOND]]
    graph = json.loads(file.with_name("causal_graph.json").read_text())
    assert [root["component"] for root in graph["root_causes"]] == [FIRST, SECOND]


def test_graphs_have_both_nodes_as_roots(compound):
    (case,) = load_dataset(compound)
    graphs = graphs_of(case)
    roots = {graphs.services[node] for node in np.flatnonzero(graphs.y_root.any(axis=0))}
    assert roots == {FIRST, SECOND} & set(graphs.services)
    assert FIRST in roots
