"""kill -9 of the owner of a system in the cluster while faults are in: soon nothing of it is left, there or here."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from holding import Holder

from pytest_anomod.host import processes
from pytest_anomod.model import clock

GONE_AT_LAST_S = 60.0
FAULTS = [["kill_service", {}, "cache"], ["http_abort", {"percent": 100}, "web"]]


@pytest.fixture
def owner(api, shop, tmp_path):
    """A program that owns a system with these faults in; it does not outlive the test."""
    program = Path(__file__).with_name("kube_owner.py")
    state = {"ANOMOD_STATE_DIR": str(tmp_path / "state")}
    holder = Holder(program, str(shop), json.dumps(FAULTS), directory=tmp_path, **state)
    yield holder
    holder.kill()


def test_nothing_is_left_of_a_killed_owner(owner, ours, record_property):
    """No namespace with what is in it, no watcher, no helper, no directory."""
    ref = owner.told["ref"]
    assert ours() == [ref["namespace"]]

    def left():
        tagged = processes.tagged(lambda tag: tag == ref["tag"])
        return [*ours(), *tagged, *([ref["directory"]] if Path(ref["directory"]).exists() else [])]

    assert len(left()) > 3, "namespace, watcher, killer and directory should be there"
    owner.kill()
    began = time.monotonic()
    clock.wait_until(lambda: not left(), timeout_s=GONE_AT_LAST_S, what="everything of the dead owner to be gone")
    record_property("seconds_until_nothing_is_left", round(time.monotonic() - began, 1))
