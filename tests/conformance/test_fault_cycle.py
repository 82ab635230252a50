"""Every fault on a real deployment: injected, seen, recovered, gone; and not seen while it is not in."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from samples import SAMPLES, VARIANTS, lacking

from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.runtime import need

WITHIN_S = 3.0
ALL = {**SAMPLES, **VARIANTS}
REAL = sorted(set(SAMPLES) - {"no_fault"})
INJECTOR = catalog.find("injectors", "native")

RECOVER = """
import json, sys
from pytest_anomod.model import catalog
name, parameters, target, ref = json.load(sys.stdin)
deployment = catalog.find("runtimes", ref["runtime"]).attach(ref)
catalog.find("injectors", "native").recover(catalog.make_fault(name, parameters), deployment, target)
"""


@pytest.fixture
def sample(request, deployment, alone):
    """A fault and its target, by the name of the sample; after the test the fault is out and all is well."""
    fault, target = ALL[request.param]
    if missing := lacking(fault, deployment, target):
        pytest.skip(f"{target} has no {missing} on runtime {deployment.runtime} here")
    with alone(fault):
        yield fault, target
        INJECTOR.recover(fault, deployment, target)
    assert deployment.unhealthy() == ()
    assert need(deployment, Programs, target).running() == {}
    assert "fault" not in [entry["op"] for _, entry in deployment.undo.open_entries()]


def look_until(fault, deployment, target, wanted: bool) -> float:
    """Seconds until the fault's own probe says so; fails beyond the limit, where a look that is under way counts."""
    began, looks = time.monotonic(), []
    while True:
        asked = time.monotonic()
        looks.append(INJECTOR.active(fault, deployment, target))
        if bool(looks[-1]) is wanted:
            return time.monotonic() - began
        assert asked - began < WITHIN_S, f"not {wanted} within {WITHIN_S} s: {looks[-1].evidence}"


@pytest.mark.parametrize("sample", [*REAL, *VARIANTS], indirect=True)
def test_it_is_seen_while_it_is_in_and_only_then(sample, deployment):
    """Not before, within 3 s of its injection, not within 3 s of its recovery."""
    fault, target = sample
    look_until(fault, deployment, target, False)  # what another fault killed a moment ago may be young yet
    INJECTOR.prepare(fault, deployment, target)
    assert not INJECTOR.active(fault, deployment, target)
    done = INJECTOR.inject(fault, deployment, target)
    assert json.loads(json.dumps(done)) == done
    look_until(fault, deployment, target, True)
    INJECTOR.recover(fault, deployment, target)
    look_until(fault, deployment, target, False)


@pytest.mark.parametrize("sample", [*REAL, *VARIANTS], indirect=True)
def test_an_injection_that_does_nothing_is_not_seen(sample, deployment, monkeypatch):
    """The probe looks at the world and not at what the injector said."""
    fault, target = sample
    monkeypatch.setattr(type(fault), "inject", lambda *_: {"pid": 1, "done": True})
    INJECTOR.prepare(fault, deployment, target)
    INJECTOR.inject(fault, deployment, target)
    for _ in range(3):
        assert not INJECTOR.active(fault, deployment, target)


@pytest.mark.parametrize("sample", REAL, indirect=True)
def test_it_can_be_recovered_twice_and_with_nothing_in(sample, deployment):
    """Rollback, fixture and guardian may all do it, in any order."""
    fault, target = sample
    INJECTOR.recover(fault, deployment, target)
    INJECTOR.inject(fault, deployment, target)
    INJECTOR.recover(fault, deployment, target)
    INJECTOR.recover(fault, deployment, target)
    look_until(fault, deployment, target, False)


@pytest.mark.parametrize("sample", REAL, indirect=True)
def test_a_stranger_recovers_it_by_name_and_ref_alone(sample, deployment):
    """A process that never met the injector takes the fault out, as the guardian does."""
    fault, target = sample
    INJECTOR.inject(fault, deployment, target)
    look_until(fault, deployment, target, True)
    words = json.dumps([fault.name, parameters(fault), target, dict(deployment.ref)])
    done = subprocess.run([sys.executable, "-c", RECOVER], input=words, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    look_until(fault, deployment, target, False)


def test_a_control_does_nothing_and_sees_nothing(deployment):
    """NoFault goes through the same calls."""
    fault, target = SAMPLES["no_fault"]
    before = [(one.service, one.pid) for one in deployment.instances()]
    INJECTOR.inject(fault, deployment, target)
    assert not INJECTOR.active(fault, deployment, target)
    INJECTOR.recover(fault, deployment, target)
    assert [(one.service, one.pid) for one in deployment.instances()] == before
