"""Every scenario of TrainTicket on the real system: its very fault in its very target is in, seen, out and gone."""

from __future__ import annotations

import collections
import runpy
import time
from pathlib import Path

import pytest

from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.fault import Level
from pytest_anomod.model.runtime import need

EXPERIMENTS = Path(__file__).parents[2] / "experiments" / "train_ticket"
INJECTOR = catalog.find("injectors", "native")
WITHIN_S = 8.0
"""How long a case waits until it sees its fault; until it sees it gone, a little longer."""


def declared():
    """What each scenario declares, by its name; controls left out."""
    found = {}
    for path in sorted(EXPERIMENTS.glob("test_*.py")):
        for name, item in runpy.run_path(str(path)).items():
            declaration = getattr(item, ATTRIBUTE, None)
            if declaration is not None and declaration.level is not Level.NORMAL:
                found[name.removeprefix("test_")] = declaration
    return found


SCENARIOS = declared()


def look_until(fault, deployment, target, wanted):
    """Look until the fault's own probe says so; a look that is under way at the limit counts."""
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        looked = INJECTOR.active(fault, deployment, target)
        if bool(looked) is wanted:
            return
        assert asked - began < WITHIN_S, f"not {wanted} within {WITHIN_S} s: {looked.evidence}"


def written(deployment, target):
    """Bytes of log lines and spans of a service."""
    files = [deployment.directory / "spans" / f"{target}.jsonl", deployment.directory / "logs" / f"{target}.log"]
    return sum(path.stat().st_size for path in files)


def test_there_are_twelve_with_a_fault_as_in_the_paper():
    counts = collections.Counter(str(declaration.level) for declaration in SCENARIOS.values())
    assert counts == {"performance": 3, "service": 3, "database": 3, "code": 3}


@pytest.mark.parametrize("name", SCENARIOS)
def test_its_fault_is_seen_while_it_is_in_and_only_then(name, train_ticket, alone, monkeypatch):
    """Not before, not for an injection that does nothing, and not any more once it was taken out."""
    fault, target = SCENARIOS[name].fault, SCENARIOS[name].target
    with alone(fault):
        try:
            INJECTOR.prepare(fault, train_ticket, target)
            with monkeypatch.context() as patch:
                patch.setattr(type(fault), "inject", lambda *_: {"done": True})
                INJECTOR.inject(fault, train_ticket, target)
                assert not INJECTOR.active(fault, train_ticket, target)
            INJECTOR.inject(fault, train_ticket, target)
            look_until(fault, train_ticket, target, True)
        finally:
            INJECTOR.recover(fault, train_ticket, target)
        look_until(fault, train_ticket, target, False)
    assert need(train_ticket, Programs, target).running() == {}


@pytest.mark.parametrize("name", [name for name, each in SCENARIOS.items() if each.level is Level.CODE])
def test_looking_for_a_change_of_code_leaves_no_trace(name, train_ticket):
    """Neither while it is in, when the target refuses or fails, nor when it answers as it should."""
    fault, target = SCENARIOS[name].fault, SCENARIOS[name].target
    before = written(train_ticket, target)
    try:
        INJECTOR.inject(fault, train_ticket, target)
        assert INJECTOR.active(fault, train_ticket, target)
    finally:
        INJECTOR.recover(fault, train_ticket, target)
    assert not INJECTOR.active(fault, train_ticket, target)
    assert written(train_ticket, target) == before


def test_looking_for_the_order_that_throws_takes_the_way_of_users(train_ticket):
    """The probe's order is nobody's, and none of them "already exists", which users' orders never do."""
    fault, target = SCENARIOS["lv_c_exception_injection"].fault, "ts-order-service"
    answers = [fault.ask(train_ticket, target)[0]["result"] for _ in range(3)]
    assert [answer["msg"] for answer in answers] == ["Success"] * 3
