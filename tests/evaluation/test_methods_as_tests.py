"""A method as a test: passes at its figure, fails below it, is skipped without cases, and says what is wrong."""

from __future__ import annotations

import pytest

from pytest_anomod.evaluation import evaluation
from pytest_anomod.model.errors import EvaluationError

FILE = """
from pytest_anomod.evaluation import evaluation

@evaluation(min={"AC@1": 0.9, "MRR": 0.9})
def test_good(evidence):
    return ["text-service"]

@evaluation(min={"AC@1": 0.3}, modalities=("traces",))
def test_bad(evidence):
    return ["nginx-thrift"]

@evaluation(min={"AP": 0.9})
def test_detector(evidence):
    step = round(evidence.bin_s * 1e9)
    longest = evidence.traces.groupby((evidence.traces.time_unix_nano - evidence.start_ns) // step).duration_ns.max()
    return [longest.get(number, 0) for number in range(len(evidence.bins))]

@evaluation(min={"AC@1": 0.3}, modalities=("traces",))
def test_wrong(evidence):
    return {name: len(evidence.logs) for name in evidence.services}
"""


def test_replaying_recorded_cases(pytester, small_dataset):
    """Figures with their cases in the message and in JUnit's properties."""
    pytester.makepyfile(FILE)
    result = pytester.runpytest("--anomod-replay", str(small_dataset), "--junitxml=j.xml", "-p", "no:xdist")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*AC@1 is 0.00 [[]0.00, 0.00[]] over 4 cases, not 0.3; worst: slow_*",
            "*method 'test_wrong', case *: asks for 'logs', which it was not granted; it was granted traces",
        ]
    )
    assert 'name="evaluation AC@1" value="1.00 [1.00, 1.00]"' in (pytester.path / "j.xml").read_text()


def test_without_cases_it_is_skipped(pytester):
    """A suite of methods runs anywhere."""
    pytester.makepyfile(FILE)
    pytester.runpytest("-p", "no:xdist").assert_outcomes(skipped=4)


def test_what_is_no_dataset_is_told_in_one_line(pytester):
    """The path as it was given, below where pytest was called."""
    pytester.makepyfile(FILE)
    result = pytester.runpytest("--anomod-replay", "nowhere", "-k", "good", "-p", "no:xdist")
    result.stdout.fnmatch_lines(["*nowhere does not exist; name the directory that holds dataset.json*"])


@pytest.mark.parametrize(
    ("least", "message"),
    [
        ({}, "min names no figure"),
        ({"AC@2": 0.3}, "'AC@2' is no figure; there are AC@1"),
        ({"AC@1": 0.3, "AP": 0.3}, "figures of ranking and of detection"),
    ],
)
def test_figures_that_there_are_not(least, message):
    """Said while the file is read."""
    with pytest.raises(EvaluationError, match=message):
        evaluation(min=least)


def test_the_function_itself_stays_at_hand():
    """For a test of one's own."""

    @evaluation(min={"AC@1": 0.3})
    def test_mine(evidence):
        return evidence + 1

    assert test_mine.method(1) == 2
