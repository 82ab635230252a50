"""What counts as killed just now: by the process of an instance, wherever that runs."""

from __future__ import annotations

import os

import pytest

from pytest_anomod.faults._processes import was_killed
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Instance
from pytest_anomod.model.system import ServiceKind

NOBODY = 1 << 22
"""No process has that pid: it is the kernel's limit."""


def instance(**changes):
    fields = {"pid": None, "start_time": None, "state": "running", "restarts": 0}
    fields |= {"service": "cart", "kind": ServiceKind.APP, "instance_id": "cart-1", "address": ("127.0.0.1", 1)}
    return Instance(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "killed"),
    [
        ({"state": "restarting"}, True),
        ({"pid": NOBODY}, True),  # the runtime has not found out yet
        ({"state": "stopped"}, False),
        ({"pid": os.getpid()}, False),  # it was never started again, however young it is
        ({"pid": os.getpid(), "restarts": 1}, True),
    ],
)
def test_a_process_of_this_machine(changes, killed):
    """Gone, or one that was started again a moment ago; what was stopped in order was not killed."""
    assert was_killed(instance(**changes), young_s=3_600)[0] is killed


@pytest.mark.parametrize(("age_s", "restarts", "killed"), [(1, 1, True), (60, 1, False), (1, 0, False)])
def test_a_process_of_another_machine(age_s, restarts, killed):
    """By the start that its runtime tells; a container that was started again counts like a process."""
    started = clock.now_ns() / 1e9 - age_s
    seen, told_s = was_killed(instance(start_time=started, restarts=restarts), young_s=5)
    assert seen is killed
    assert told_s == pytest.approx(age_s, abs=1)


def test_who_tells_no_start_time_is_not_taken_for_killed():
    assert was_killed(instance(restarts=3), young_s=5) == (False, None)
