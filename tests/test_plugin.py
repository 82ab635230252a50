"""pytest's hooks of the plugin, by pytester: what is refused at collection, what fails without a case."""

from __future__ import annotations

import pytest

HEADER = """
from pytest_anomod import Durations, OpenLoop, anomaly
from pytest_anomod.faults import *
"""

TELEPORT = """
import dataclasses

@dataclasses.dataclass(frozen=True, kw_only=True)
class Teleport(StopService):
    name = "teleport"
    needs = frozenset({type("Teleportation", (), {})})

@anomaly(system="social_network", fault=Teleport(), target="media-service")
def test_it(case):
    case.run()
"""

REFUSED = {
    "unknown system": (
        "@anomaly(system='social_netwrok', fault=StopService(), target='media-service')",
        "*no system named 'social_netwrok'; did you mean social_network?*",
    ),
    "unknown service": (
        "@anomaly(system='social_network', fault=StopService(), target='media-servce')",
        "*system 'social_network' has no service 'media-servce'; did you mean media-service*",
    ),
    "no target": (
        "@anomaly(system='social_network', fault=StopService())",
        "*fault 'stop_service' on system 'social_network' needs a target*",
    ),
    "a parameter out of range": (
        "@anomaly(system='social_network', fault=NetworkLoss(percent=120), target='media-service')",
        "*percent*120*",
    ),
    "a fault that can't be aimed there": (
        "@anomaly(system='social_network', fault=RedisMemoryLimit(percent_of_used=50), target='media-service')",
        "*media-service*",
    ),
    "unknown level": (
        "@anomaly(system='social_network', fault=StopService(), target='media-service', level='cosmic')",
        "*level 'cosmic' is none of normal, performance, service, database, code*",
    ),
    "an expectation that is no verdict": (
        "@anomaly(system='social_network', fault=StopService(), target='media-service', expects='fine')",
        "*expects='fine' is none of effective, tolerated, silent*",
    ),
    "unknown journey": (
        "@anomaly(system='social_network', workload=OpenLoop(mix={'sleep': 1}))",
        "*names ?'sleep'? but system 'social_network' has journeys*",
    ),
    "an impossible rate": (
        "@anomaly(system='social_network', workload=OpenLoop(rate_rps=-1))",
        "*rate_rps=-1 of the workload must be above 0*",
    ),
    "an impossible length": (
        "@anomaly(system='social_network', durations=Durations(warmup_s=0, baseline_s=1, anomaly_s=1, recovery_s=1))",
        "*warmup_s=0 must be above 0*",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_work_is_refused_at_collection(pytester, what):
    """One clear message that names the thing, before anything is started."""
    decorator, message = REFUSED[what]
    pytester.makepyfile(f"{HEADER}\n{decorator}\ndef test_it(case):\n    case.run()\n")
    result = pytester.runpytest("--collect-only")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"test_what_cannot_work_is_refused_at_collection.py:4: {message}"])


def test_a_fault_that_the_runtime_cannot_do_is_refused_at_collection(pytester):
    """The capabilities a fault needs are compared with the runtime's."""
    pytester.makepyfile(f"{HEADER}{TELEPORT}")
    result = pytester.runpytest("--collect-only", "--anomod-runtime=auto")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*.py:11: test_it: fault 'teleport' needs Teleportation, which runtime *"])


def test_a_fault_that_the_runtime_of_the_command_line_cannot_do_is_skipped(pytester):
    """One suite runs in containers and as processes; what only containers can do is left out, and it is said."""
    pytester.makepyfile(f"{HEADER}{TELEPORT}")
    result = pytester.runpytest("--anomod-runtime=process", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*fault 'teleport' needs Teleportation, which runtime 'process'*"])


def test_the_fixture_without_a_declaration_says_what_to_do(pytester):
    """Forgetting the decorator is a clear failure, not an AttributeError."""
    pytester.makepyfile("def test_it(case):\n    case.run()\n")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*asks for the fixture 'case' but declares no anomaly*"])


def test_a_scenario_that_runs_no_case_fails(pytester):
    """A green test that tested nothing is the worst of all."""
    pytester.makepyfile(f"{HEADER}\n@anomaly(system='social_network')\ndef test_it(case):\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*never called case.run(): nothing was tested*"])


def test_repetitions_are_cases_of_their_own(pytester):
    """--anomod-repeat makes N items of one scenario."""
    pytester.makepyfile(f"{HEADER}\n@anomaly(system='social_network')\ndef test_it(case):\n    case.run()\n")
    result = pytester.runpytest("--collect-only", "-q", "--anomod-repeat=3")
    result.stdout.fnmatch_lines(["*test_it?r1?", "*test_it?r2?", "*test_it?r3?"])


def test_a_suite_without_anomalies_sees_no_trace_of_the_plugin(pytester):
    """No file, no section in the summary, no process."""
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    assert "anomaly cases" not in result.stdout.str()
    assert not (pytester.path / "anomod-dataset").exists()


HEAVY = "{'aiohttp', 'chaoslib', 'docker', 'matplotlib', 'numpy', 'pandas', 'pyarrow', 'scipy', 'testcontainers'}"
ORDINARY = f"import sys\n\ndef test_it():\n    assert not {HEAVY} & set(sys.modules)\n"


@pytest.mark.parametrize("words", [(), ("-n1",)], ids=["", "xdist"])
def test_a_suite_that_only_has_the_plugin_installed_pays_nothing_for_it(pytester, monkeypatch, words):
    """No library of ours is imported, nor any of our own parts but the hooks."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    ours = {"pytest_anomod"} | {
        f"pytest_anomod.{name}"
        for name in ("distribution", "hookspecs", "plugin", "run", "run.command_line", "run.keys")
    }
    look = f"    assert {{name for name in sys.modules if name.startswith('pytest_anomod')}} == {ours}\n"
    pytester.makepyfile(ORDINARY + look)
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=1)


def test_scenarios_are_collected_without_heavy_libraries(pytester):
    """They are for cases: who lists or deselects scenarios does not wait for them."""
    scenario = ORDINARY.replace(
        "def ", "@anomaly(system='social_network', fault=StopService(), target='media-service')\ndef "
    )
    pytester.makepyfile(HEADER + scenario)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
