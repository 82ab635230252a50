"""A fault that does nothing is detected: every scenario's case is ineffective, and its test fails with the numbers."""

from __future__ import annotations

import re
import runpy
import sys

import pytest
from outside import ROOT, pytest_words, verdicts

from pytest_anomod.declare import ATTRIBUTE

DISARM = '''
"""Every fault on offer says that it was put in, and does nothing; in a worker's first case the machine is busy then."""

from pytest_anomod.host import pressure
from pytest_anomod.model import catalog

injected, finished = [], []


def too_busy(self):
    return bool(injected) and not finished and self.length_s >= pressure.LEAST_S


def inject(self, deployment, target):
    injected.append(target)
    return {}


def pytest_configure(config):
    for fault in catalog.offers("faults").values():
        fault.inject = inject
    pressure.Pressure.too_busy = property(too_busy)


def pytest_anomod_case_finished(result):
    finished.append(result)
'''
NOT_SYSTEMS = {"campaign", "chaos_mesh"}
"""Folders whose scenarios are of systems that others have, or need a cluster."""
SYSTEMS = sorted(
    path.name
    for path in (ROOT / "experiments").iterdir()
    if any(path.glob("test_*.py")) and path.name not in NOT_SYSTEMS
)


LONG_WAY = {"train_ticket": ("-n2", "--anomod-scale=0.5", "--anomod-rate=4")}
"""Systems whose cases cost much: only scenarios with a kind of fault that no other system has go all the way here, and
on the oldest Python alone. What a fault's own probe says when nothing was put in, tests/conformance asks for all."""


def declared(system):
    """Fault and target of every scenario of a system that has a fault, by scenario."""
    found = {}
    for path in (ROOT / "experiments" / system).glob("test_*.py"):
        for name, item in runpy.run_path(str(path)).items():
            declaration = getattr(item, ATTRIBUTE, None)
            if declaration is not None and declaration.fault.name != "no_fault":
                found[name.removeprefix("test_").lower()] = (declaration.fault.name, declaration.target)
    return found


def chosen_of(system):
    """The scenarios that are run here: text that names fault and target, by scenario."""
    scenarios = declared(system)
    assert len(scenarios) > 10
    if system in LONG_WAY:
        others = {kind for other in SYSTEMS if other not in LONG_WAY for kind, _ in declared(other).values()}
        scenarios = {name: what for name, what in scenarios.items() if what[0] not in others}
    assert scenarios
    return {name: f"{fault} in {target}" for name, (fault, target) in scenarios.items()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_fault_that_is_not_put_in_turns_its_test_red(system, start, tmp_path):
    """Not one scenario may pass, and none may be put down to anything but the fault that was never there.

    Nor to the machine, which looks busy in the first case of each worker.
    """
    if system in LONG_WAY and sys.version_info[:2] != (3, 11):
        pytest.skip("the long way is the same on every Python")
    (tmp_path / "disarm.py").write_text(DISARM)
    scenarios = chosen_of(system)
    chosen = " or ".join(f"test_{scenario}" for scenario in scenarios)
    words = LONG_WAY.get(system, ("-n4", "--anomod-scale=0.3"))
    run = start(
        *pytest_words("-p", "disarm", *words, "-k", chosen, "--junitxml=junit.xml"),
        f"--anomod-out={tmp_path / 'dataset'}",
        ROOT / "experiments" / system,
    )
    assert run.wait(600) == pytest.ExitCode.TESTS_FAILED, run.output
    rows = verdicts(tmp_path / "junit.xml")
    assert {name: row["anomod_verdict"] for name, row in rows.items()} == dict.fromkeys(scenarios, "ineffective"), (
        "\n".join(row["failure"] for row in rows.values() if row["anomod_verdict"] != "ineffective")
    )
    pressed = [name for name, row in rows.items() if "more while the machine was too busy" in row["failure"]]
    assert 0 < len(pressed) < len(rows)
    for scenario, what in scenarios.items():
        said = rows[scenario]["failure"]
        assert f"{scenario} ({what}): ineffective, expected effective" in said
        assert re.search(
            rf"> mechanism: absent: {what} was injected but not seen: .* within \d+ s (\(.*\) )?and \d+ looks", said
        )
