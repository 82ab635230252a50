"""kill -9 of the owner of containers while faults are in: soon nothing of them is left on the machine."""

from __future__ import annotations

import collections
import json
import time
from pathlib import Path

import pytest
from container_belongings import Belongings
from holding import Holder

from pytest_anomod.model import clock

GONE_AT_LAST_S = 60.0
"""How soon is for benchmarks/killed_in_containers.py to tell, on a machine that does nothing else: some seconds."""
ECHO = {"function": "back:Back.echo", "probe": "Echo", "arguments": {"text": "hello"}}
TOGETHER = {
    "helpers and signals": [
        ["cpu_contention", {}, "back"],
        ["network_delay", {"delay_ms": 80}, "front"],
        ["disk_stress", {}, "notes"],
        ["pause_service", {}, "cache"],
        ["network_partition", {"peers": ["notes"]}, "back"],
    ],
    "the engine's and the stores'": [
        ["redis_memory_limit", {"percent_of_used": 50}, "cache"],
        ["transaction_timeout", {"tables": ["notes"]}, "notes"],
        ["stop_service", {}, "back"],
        ["kill_service", {}, "front"],
    ],
    "agents'": [
        ["dns_failure", {"peers": ["notes"]}, "back"],
        ["code_delay", {**ECHO, "delay_s": 0.2}, "back"],
        ["database_memory_limit", {}, "notes"],
        ["http_abort", {"percent": 70}, "front"],
    ],
    "limits": [
        ["memory_pressure", {}, "back"],
        ["disk_throttle", {}, "notes"],
        ["code_exception", {**ECHO, "message": "no such echo"}, "back"],
        ["network_loss", {"percent": 50}, "front"],
    ],
}
"""Faults that can be in at once; those that need more than this machine allows are left out.

Every kind on SocialNetwork, one at a time: benchmarks/killed_in_containers.py.
"""


@pytest.fixture
def owner(engine, tmp_path):
    """Starts a program that owns containers; what it told, and how to kill it. None outlives the test."""
    started = []

    def start(faults):
        program = Path(__file__).with_name("docker_owner.py")
        started.append(Holder(program, json.dumps(faults), directory=tmp_path))
        return started[-1].told, started[-1].kill

    yield start
    for one in started:
        one.kill()


@pytest.mark.parametrize("together", TOGETHER)
def test_nothing_is_left_of_a_killed_owner(together, engine, owner, bystanders, monkeypatch, record_property):
    """No container, network, volume, process, port, rule, control group or file; strangers go on as they were."""
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
    told, kill_it = owner(TOGETHER[together])
    had = Belongings.of(engine, told["ref"])
    there = collections.Counter(line.split()[0] for line in had.left())
    assert there["on"] == 6, had.left()
    assert there["process"] > 8, had.left()
    assert there["interface"] == there["directory"] == 1, had.left()
    kill_it()
    began = time.monotonic()
    clock.wait_until(lambda: not had.left(), timeout_s=GONE_AT_LAST_S, what="everything of the dead owner to be gone")
    record_property("seconds_until_nothing_is_left", round(time.monotonic() - began, 1))
