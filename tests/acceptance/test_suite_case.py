"""One real case with a test suite as its workload, from the command line to the dataset."""

from __future__ import annotations

import json

import pytest
from outside import ROOT, Run, case_directories, pytest_words

import pytest_anomod
from pytest_anomod.dataset.validate import validate

SUITE = ROOT / "experiments" / "suites" / "social_network_suite.py"
SCENARIO = "code_exception_userservice"


def play(directory):
    """A scenario at half its length; what its verdict rests on is no matter here."""
    run = Run(
        directory,
        *pytest_words("--anomod-scale=0.5", "-k", f"test_{SCENARIO}", f"--anomod-suite={SUITE}"),
        "--anomod-out=dataset", ROOT / "experiments/social_network",
        state=directory / "state",
    )  # fmt: skip
    try:
        run.wait()
        (directory / "told.txt").write_text(run.output)
    finally:
        run.kill()


@pytest.fixture(scope="session")
def played(once):
    """The directory of the case."""
    directory = once("suite_case", play)
    found = case_directories(directory / "dataset")
    assert len(found) == 1, (directory / "told.txt").read_text()
    return found[0]


@pytest.fixture(scope="session")
def data(once):
    return pytest_anomod.load_dataset(once("suite_case", play) / "dataset")


def test_the_label_names_the_suite(data):
    assert list(data.cases["workload"]) == [f"suite:{SUITE.name}"]
    assert data.cases["seen_unix_nano"].notna().all(), "the fault was put in"


def test_the_label_says_what_the_reference_round_chose(data):
    [case] = data
    chosen = case.label.suite
    assert chosen["tests"] == 10
    assert 1 <= chosen["tests_that_reach_the_target"] < 10
    assert chosen["share_that_reaches_the_target"] >= 0.333
    assert "tests reach user-service" in chosen["why"]


def test_every_exchange_of_the_suite_joins_a_trace(played, data):
    rows = data.api_responses
    assert set(rows["phase"]) >= {"warmup", "baseline", "anomaly", "recovery"}
    assert rows["journey"].str.startswith("test_").all()
    answered = rows[(rows["status_code"] > 0) & (rows["phase"] != "recovery")]
    assert answered["trace_id"].isin(set(data.traces["trace_id"])).mean() > 0.99


def test_the_case_counts_its_tests(played):
    journal = json.loads((played / "journal.json").read_text())
    summary = next(each["output"]["summary"] for each in journal["rollbacks"] if "summary" in (each["output"] or {}))
    assert summary["end_reason"] == "stopped"
    assert summary["tests"] == 10
    assert summary["rounds"] >= 1
    assert summary["outcomes"]["passed"] > 0
    assert summary["outcomes_by_test"].keys() >= {"test_0", "test_2_compose"}


def test_the_dataset_is_valid(played):
    assert not [str(problem) for problem in validate(played.parents[2])]
