"""Severity: a fault's dial has steps that get worse, and what can't be set is refused."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import pytest

from pytest_anomod import anomaly, faults
from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import PROFILES
from pytest_anomod.model.severity import SEVERITIES, at_severity, steps

DOCS = Path(__file__).parents[2] / "docs" / "scenarios.md"
CODE = {"function": "a:f", "probe": "F"}
NEEDED = {
    "code_delay": CODE,
    "code_exception": CODE,
    "code_return": CODE,
    "dns_failure": {"peers": ("b",)},
    "network_partition": {"peers": ("b",)},
    "transaction_timeout": {"tables": ("t",)},
}
WORSE = {
    "duty_ms": lambda had, has: has < had,
    "rate_kbit": lambda had, has: has < had,
    "period_s": lambda had, has: has < had,
    "writes_per_s": lambda had, has: has < had,
    "percent_of_used": lambda had, has: has < had,
    "leave": lambda had, has: has < had,
    "delay_ms": lambda had, has: has > had,
    "delay_s": lambda had, has: has > had,
    "percent": lambda had, has: has > had,
    "stall_ms": lambda had, has: has > had,
    "held_percent": lambda had, has: has > had,
    "lock_timeout_ms": lambda had, has: False,
    "blocks": lambda had, has: (had, has) == ("writes", "all"),
    "outcome": lambda had, has: (had, has) == ("squeeze", "kill"),
    "policy": lambda had, has: (had, has) == ("allkeys-lru", "noeviction"),
}
"""What it means for each parameter that it hurts more."""
DIALS = {name: fault for name, fault in catalog.offers("faults").items() if any(fault.dial.values())}
WITHOUT = sorted(set(catalog.offers("faults")) - set(DIALS) - {"no_fault"})


def sample(name):
    return catalog.make_fault(name, NEEDED.get(name, {}))


@pytest.mark.parametrize("name", sorted(DIALS))
def test_every_step_can_be_set_and_is_worse_than_the_one_before(name):
    """Each is in range, moves what the dial moves and nothing else, and no parameter gets milder."""
    made = [dataclasses.asdict(at_severity(sample(name), severity)) for severity in sorted(DIALS[name].dial)]
    assert len(made) > 1
    rest = dataclasses.asdict(sample(name)).keys() - set().union(*DIALS[name].dial.values())
    for had, has in itertools.pairwise(made):
        changed = [field for field in had if had[field] != has[field]]
        assert changed
        assert all(WORSE[field](had[field], has[field]) for field in changed)
        assert all(had[field] == has[field] == dataclasses.asdict(sample(name))[field] for field in rest)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_fault_without_a_dial_is_an_outage_and_nothing_else(name):
    """There is no half of a stopped service."""
    assert at_severity(sample(name), 5) == sample(name)
    with pytest.raises(ScenarioError, match=f"severity=4 of fault '{name}' is none: it has no dial and is always"):
        at_severity(sample(name), 4)


@pytest.mark.parametrize(
    ("fault", "severity", "what"),
    [
        (faults.NoFault(), 5, "it breaks nothing"),
        (faults.MemoryPressure(), 4, "its dial has 3, 5"),
        (faults.HttpDelay(), 0, "its dial has 1, 2, 3, 4, 5"),
        (faults.HttpDelay(), 6, "severity=6 of fault 'http_delay' is none"),
        (faults.HttpDelay(), 2.0, "severity=2.0"),
        (faults.HttpDelay(), True, "severity=True"),
        (faults.HttpDelay(), "3", "severity='3'"),
        (faults.HttpDelay(delay_ms=300), 3, "sets delay_ms, and delay_ms=300 was given; leave one out"),
        (faults.CpuContention(period_ms=50), 1, "duty_ms=70"),
    ],
)
def test_what_can_not_be_set_is_refused(fault, severity, what):
    """With the value and what there is."""
    with pytest.raises(ScenarioError, match=re.escape(what)):
        at_severity(fault, severity)


def test_other_parameters_stay_and_the_same_value_is_no_contradiction():
    """A dial sets what it sets."""
    fault = at_severity(faults.HttpDelay(percent=40, path="/orders", delay_ms=1_500), 4)
    assert fault == faults.HttpDelay(percent=40, path="/orders", delay_ms=1_500)


def test_a_test_sets_it_and_the_scenario_keeps_it():
    """The experiment is given the values, the label the step."""

    @anomaly(system="social_network", fault=faults.HttpAbort(path="/ComposeText"), target="text-service", severity=2)
    def test_aborted(case):
        """Six lines."""

    declared = getattr(test_aborted, ATTRIBUTE)
    scenario = declared.scenario("aborted", durations=PROFILES["quick"], rate_rps=None, seed=1)
    assert scenario.severity == 2
    assert scenario.fault == faults.HttpAbort(path="/ComposeText", percent=25)
    assert scenario.to_json()["severity"] == 2


def test_a_control_has_no_severity():
    with pytest.raises(ScenarioError, match="it breaks nothing"):
        anomaly(system="social_network", severity=1)


def test_a_dial_of_another_length_is_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        steps(delay_ms=(1, 2, 3))


def test_the_docs_have_every_dial_with_its_values():
    """A row a parameter, a column a step."""
    text = DOCS.read_text("utf-8")
    for name, fault in DIALS.items():
        for field in dict.fromkeys(field for step in fault.dial.values() for field in step):
            values = [fault.dial.get(severity, {}).get(field, "") for severity in SEVERITIES]
            row = " | ".join(f"{value:g}" if isinstance(value, int | float) else value for value in values)
            assert f"| `{name}` | `{field}` | {row} |".replace("|  |", "| |").replace("|  |", "| |") in text
    for name in WITHOUT:
        assert f"`{name}`" in text.split("## Severity")[1].split("\n## ")[0]
