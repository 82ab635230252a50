"""`anomod calibrate`: cases with the dial turned, the edge kept beside the test, severities taken from there."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from pytest_anomod import cli
from pytest_anomod.faults import HttpDelay
from pytest_anomod.model.scenario import PROFILES, Injection
from pytest_anomod.model.verdict import Verdict
from pytest_anomod.run import calibrating, calibrations, cases, deployments

TESTS = """
from pytest_anomod import anomalies, anomaly, scenario
from pytest_anomod.faults import HttpDelay, NetworkDelay, StopService

@anomaly(system="social_network", fault=HttpDelay(percent=90), target="text-service", severity=2)
def test_late(case):
    case.run()

@anomaly(system="social_network", fault=StopService(), target="text-service")
def test_stopped(case):
    case.run()

@anomaly(system="social_network", fault=NetworkDelay(jitter_ms=50), target="text-service")
def test_jitter(case):
    case.run()

@anomalies(
    scenario(system="social_network", fault=HttpDelay(), target=target, severity=1, expects="any")
    for target in ("user-service", "media-service")
)
def test_cell(case):
    case.run()
"""


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Has cases played by a rule (delay to verdict); the delays that were."""
    (tmp_path / "test_them.py").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "test_them", raising=False)
    delays: list[float] = []
    rules = [lambda delay: Verdict.EFFECTIVE if delay >= 320 else Verdict.TOLERATED]

    def begin(_, declaration, test, *, repetition):
        delays.append(declaration.fault.delay_ms)
        scenario = declaration.scenario(test, durations=PROFILES["quick"], rate_rps=None, seed=repetition)
        label = SimpleNamespace(rate_rps=30.0, runtime="process", versions={"written": "now", "pytest-anomod": "1"})
        result = SimpleNamespace(scenario=scenario, verdict=rules[0](delays[-1]), label=label)
        return SimpleNamespace(run=lambda: result)

    monkeypatch.setattr(cases, "begin_case", begin)
    monkeypatch.setattr(deployments.Deployments, "of", lambda config: None)
    monkeypatch.setattr(calibrating, "_affected", lambda result: 0.5)
    return SimpleNamespace(delays=delays, rules=rules, folder=tmp_path)


def edges(folder):
    return json.loads((folder / "calibration.json").read_text())["edges"]


def test_the_edge_is_kept_drawn_and_said(played, capsys):
    assert cli.main(["calibrate", "test_them.py::test_late", "--pytest=--anomod-rate=20 -q"]) == 0
    (edge,) = edges(played.folder)
    assert edge["tolerated"] < 320 <= edge["effective"] <= 1.25 * edge["tolerated"]
    assert (edge["fault"], edge["target"], edge["parameters"]["percent"]) == ("http_delay", "text-service", 90)
    assert [play["value"] for play in edge["plays"]] == played.delays
    assert (played.folder / "anomod-calibration" / "calibration.png").read_bytes()[1:4] == b"PNG"
    said = capsys.readouterr().out
    assert f"between delay_ms={edge['tolerated']:g} and delay_ms={edge['effective']:g}" in said


def test_one_of_a_matrix_is_named_by_its_scenario_and_takes_the_place_of_its_older_edge(played):
    for name in ("test_cell[http_delay-user-service-s1]", "http_delay-user-service-s1", "http_delay-media-service-s1"):
        assert cli.main(["calibrate", f"test_them.py::{name}"]) == 0
    assert [edge["target"] for edge in edges(played.folder)] == ["media-service", "user-service"]


def test_a_value_whose_case_stays_spoiled_counts_once(played):
    played.rules[0] = lambda delay: Verdict.CONTAMINATED
    assert cli.main(["calibrate", "test_them.py::test_late"]) == 1
    assert played.delays == [100, 5000], "beyond the attempts of the case itself"
    (edge,) = edges(played.folder)
    assert edge["why"] == "no play said whether users felt the fault"
    assert edge["severities"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test_them.py::test_stopped"], "has no dial"),
        (["test_them.py::test_lat"], "there are test_late"),
        (["test_them.py::test_jitter"], "begins or ends at delay_ms=30, which the fault can't have: "),
        (["test_them.py::test_late", "--plays=2"], "--plays=2 must be at least 3"),
        (["test_none.py::test_late"], "nothing was calibrated"),
    ],
)
def test_what_can_not_be_calibrated_is_told(played, capsys, words, said):
    assert cli.main(["calibrate", *words]) == 2
    assert said in capsys.readouterr().err
    assert not played.delays


def test_severities_come_from_the_file_where_it_has_them(pytester, monkeypatch):
    pytester.makepyfile(TESTS.replace("severity=1", "severity=3"))
    key = calibrations.key_of("social_network", Injection(fault=HttpDelay(), target="user-service"), "delay_ms")
    steps = {str(step): 10.0 * step + 50 for step in (1, 2, 3, 4)}
    calibrations.keep(pytester.path / "calibration.json", {**key, "parameter": "delay_ms", "severities": steps})
    pytester.makeconftest(
        """
        from pytest_anomod.run.command_line import declaration_of
        def pytest_collection_finish(session):
            for item in session.items:
                found = declaration_of(item)
                print(found.target, getattr(found.fault, "delay_ms", None), found.severity)
        """
    )
    result = pytester.runpytest("--collect-only", "-q", "-s", "-p", "no:xdist")
    result.stdout.fnmatch_lines(["text-service 250 2", "user-service 80.0 3", "media-service 500 3"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "holds no calibration"),
        ('{"format": 2, "edges": []}', "of format 2, and 1 is known"),
        ('{"format": 1, "edges": [{"system": "x"}]}', "an edge lacks 'fault'"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_place(pytester, text, said):
    pytester.makepyfile(TESTS)
    (pytester.path / "calibration.json").write_text(text)
    result = pytester.runpytest("--collect-only", "-q", "-p", "no:xdist")
    assert said in result.stdout.str()
    assert "calibration.json" in result.stdout.str()
