"""What --anomod-injector=chaosblade says at collection: run, skipped with the reason, or refused."""

from __future__ import annotations

import pytest

SCENARIOS = """
from pytest_anomod import anomaly
from pytest_anomod.faults import *

@anomaly(system="social_network"{control})
def test_control(case):
    case.run()

@anomaly(system="social_network", fault=KillService(), target="media-service"{kill})
def test_kill(case):
    case.run()

@anomaly(system="social_network", fault=CpuContention(), target="media-service"{cpu})
def test_cpu(case):
    case.run()
"""
BY_BLADE = ', injector="chaosblade"'


def write(pytester, **injectors: str) -> None:
    pytester.makepyfile(SCENARIOS.format(**{"control": "", "kill": "", "cpu": "", **injectors}))


def test_without_a_blade_nothing_is_collected(pytester, monkeypatch):
    """A run that would skip everything must not look like one that passed."""
    monkeypatch.setenv("ANOMOD_BLADE_HOME", "/nowhere")
    write(pytester)
    result = pytester.runpytest("--collect-only", "--anomod-injector=chaosblade")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *needs ChaosBlade: put `blade` on PATH or set ANOMOD_BLADE_HOME*"])


def test_what_blade_can_not_do_is_skipped_with_the_reason(pytester, blade_home):
    """The command line asks for blade wherever it can; of the rest it is said why not."""
    write(pytester)
    result = pytester.runpytest("-rs", "-k", "cpu", "--anomod-injector=chaosblade")
    result.assert_outcomes(skipped=1, deselected=2)
    result.stdout.fnmatch_lines(["SKIPPED*blade's cpu load fills the cores of this whole machine*"])


def test_a_scenario_that_demands_blade_and_can_not_have_it_is_an_error(pytester, blade_home):
    """A declaration that can't work is said at collection."""
    write(pytester, cpu=BY_BLADE)
    result = pytester.runpytest("--collect-only")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_cpu: injector 'chaosblade' can't do this scenario: blade's cpu load fills*"])


def test_one_scenario_may_choose_blade_for_itself(pytester, blade_home):
    """The others stay with the injector of the command line."""
    write(pytester, control=BY_BLADE, kill=BY_BLADE)
    result = pytester.runpytest("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_control", "*test_kill", "*test_cpu"])
    result.assert_outcomes()
