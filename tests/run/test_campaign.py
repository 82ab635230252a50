"""A test of several scenarios, a share of them (--anomod-shard), and what is there already (--anomod-resume)."""

from __future__ import annotations

import itertools
import json

import pytest

from pytest_anomod import anomalies, scenario
from pytest_anomod.declare import ATTRIBUTE, case_seed
from pytest_anomod.faults import HttpDelay, StopService
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.verdict import Verdict, is_expected
from pytest_anomod.run.sharding import cases_there

MATRIX = """
from pytest_anomod import anomalies, anomaly, scenario
from pytest_anomod.faults import HttpDelay, NetworkPartition, StopService

TARGETS = ("media-service", "text-service")

@anomalies(
    scenario(system="social_network", fault=HttpDelay(), target=target, severity=severity, expects="any")
    for target in TARGETS for severity in (1, 5)
)
def test_cell(case):
    case.run()

@anomaly(system="social_network", fault=StopService(), target="media-service")
def test_alone(case):
    case.run()

def test_nothing_of_ours():
    pass
"""
CELLS = ["http_delay-media-service-s1", "http_delay-media-service-s5", "http_delay-text-service-s1"]


def collected(pytester, *arguments):
    """Ids of the tests that are left to run."""
    result = pytester.runpytest("--collect-only", "-q", *arguments)
    return result, [line.partition("::")[2] for line in result.outlines if "::" in line]


def test_each_scenario_of_a_matrix_is_a_test_of_its_name(pytester):
    pytester.makepyfile(MATRIX)
    _, ids = collected(pytester)
    assert [f"test_cell[{cell}]" for cell in CELLS] == ids[:3]
    assert ids[4:] == ["test_alone", "test_nothing_of_ours"]
    _, ids = collected(pytester, "-k", "text-service and s5")
    assert ids == ["test_cell[http_delay-text-service-s5]"]


def test_shards_are_disjoint_and_whole_and_keep_ordinary_tests(pytester):
    pytester.makepyfile(MATRIX)
    _, everything = collected(pytester)
    shares = [collected(pytester, f"--anomod-shard={number}/3")[1] for number in (1, 2, 3)]
    assert all("test_nothing_of_ours" in share for share in shares)
    scenarios = [[one for one in share if one != "test_nothing_of_ours"] for share in shares]
    assert sorted(map(len, scenarios)) == [1, 2, 2]
    assert sorted(itertools.chain(*scenarios)) == sorted(set(everything) - {"test_nothing_of_ours"})


@pytest.mark.parametrize("text", ["0/3", "4/3", "2", "a/b", "1/0"])
def test_a_shard_that_is_none_is_one_usage_error(pytester, text):
    pytester.makepyfile(MATRIX)
    result = pytester.runpytest(f"--anomod-shard={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--anomod-shard={text}: must be I/N with I from 1 to N, such as 2/5*"])


def make_case(out, number, name, verdict, seed):
    """As much of a case as says which it is."""
    directory = out / "system=social_network" / f"scenario={name}" / f"case={number}"
    directory.mkdir(parents=True)
    (directory / "case.json").write_text(json.dumps({"verdict": verdict}), encoding="utf-8")
    told = {"system": "social_network", "name": name, "seed": case_seed(seed, name)}
    (directory / "scenario.json").write_text(json.dumps(told), encoding="utf-8")


def test_what_is_in_the_dataset_is_skipped_unless_it_was_spoiled_or_of_another_seed(pytester):
    pytester.makepyfile(MATRIX.replace("    case.run()", "    raise AssertionError('played')"))
    out = pytester.path / "data"
    make_case(out, 1, CELLS[0], "tolerated", seed=1)
    make_case(out, 2, CELLS[1], "contaminated", seed=1)
    make_case(out, 3, CELLS[2], "effective", seed=2)
    make_case(out, 4, "alone", "effective", seed=1)
    half = out / "system=social_network" / "scenario=alone" / "case=5"
    half.mkdir()
    (half / "case.json").write_text('{"verdict": "eff', encoding="utf-8")
    result = pytester.runpytest("-rs", "--anomod-resume", f"--anomod-out={out}", "-k", "cell or alone")
    result.assert_outcomes(skipped=2, failed=3)
    result.stdout.fnmatch_lines(["*its case is in the dataset: *case=1, tolerated*"])
    assert len(cases_there(out)) == 3


def test_a_cell_that_the_runtime_can_not_do_is_skipped_with_the_reason(pytester):
    """Of one test of its own that is an error: the user can mend it; a matrix has such cells."""
    pytester.makepyfile(
        MATRIX.replace(
            "for target in TARGETS for severity in (1, 5)",
            "for target in TARGETS for severity in (1,)",
        )
        .replace("HttpDelay(),", "NetworkPartition(peers=('url-shorten-service', 'user-service')),")
        .replace("severity=severity", "severity=5")
        .replace('TARGETS = ("media-service", "text-service")', 'TARGETS = ("text-service",)')
    )
    result = pytester.runpytest("-rs", "--anomod-runtime=process", "-k", "test_cell and network")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*fault 'network_partition' needs NetNamespace*"])


def declared(**more):
    return scenario(system="social_network", **more)


def test_scenarios_of_one_name_are_refused():
    """Their cases would lie in one directory, with one seed."""
    two = [declared(fault=StopService(), target="text-service") for _ in range(2)]
    with pytest.raises(ScenarioError, match=r"several scenarios are called 'stop_service-text-service'"):
        anomalies(two)
    with pytest.raises(ScenarioError, match="there is no scenario"):
        anomalies([])
    with pytest.raises(ScenarioError, match=r"name='A b' must be of small letters"):
        declared(name="A b")


def test_a_scenario_is_called_by_what_tells_it_from_others():
    test = anomalies(
        [declared(), declared(name="normal-2"), declared(fault=HttpDelay(), target="text-service", severity=2)]
    )(lambda case: None)
    assert [one.name for one in getattr(test, ATTRIBUTE)] == ["normal", "normal-2", "http_delay-text-service-s2"]


def test_any_is_any_valid_verdict():
    valid = {"effective", "tolerated", "silent", "normal"}
    assert {verdict for verdict in Verdict if is_expected(verdict, "any")} == valid
    assert {verdict for verdict in Verdict if is_expected(verdict, "any", unasked=True)} == {*valid, "ineffective"}
    assert {verdict for verdict in Verdict if is_expected(verdict, "normal")} == {"normal"}
