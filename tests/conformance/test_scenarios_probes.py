"""Probes of faults in code run no line that users' requests never run: coverage would tell whom they ask."""

from __future__ import annotations

import importlib

import pytest

from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.faults._code import CodeFault
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent
from pytest_anomod.workloads import open_loop

FILES = ("campaign.test_{}", "{}.test_code")
RATES = {"social_network": 60.0, "train_ticket": 16.0}
JOURNEYS = {"social_network": 300, "train_ticket": 150}
"""So many answers that users have been everywhere where they usually go."""


def probes(system):
    """The faults in code of all experiments with a system, each with its target."""
    found = {}
    for file in FILES:
        for item in vars(importlib.import_module(f"experiments.{file.format(system)}")).values():
            declared = getattr(item, ATTRIBUTE, ())
            for one in declared if isinstance(declared, tuple) else (declared,):
                if isinstance(one.fault, CodeFault):
                    found[one.fault.function] = one.fault, one.target
    return list(found.values())


def covered(deployment, *, reset=False):
    """The lines of each service that ran since the last reset."""
    agents = {one.service: deployment.capability(Agent, one.service) for one in deployment.instances()}
    asked = {name: agent.ask("/coverage/snapshot", {"reset": reset}) for name, agent in agents.items() if agent}
    return {(name, line) for name, told in asked.items() for file in told["files"].values() for line in file["covered"]}


def play_users(deployment, records):
    """Users' journeys, until there are enough answers."""
    system = deployment.system
    spec = {"system": system, "seed": 7, "deadline_s": 60, "rate_rps": RATES[system], "urls": dict(deployment.urls)}
    handle = open_loop.start({**spec, "entry_url": deployment.entry_url}, records)
    try:
        clock.wait_until(
            lambda: records.read_bytes().count(b"\n") >= JOURNEYS[system], timeout_s=40, what="enough answers"
        )
    finally:
        open_loop.stop(handle)


@pytest.mark.parametrize("name", ["deployment", "train_ticket"], ids=["social_network", "train_ticket"])
def test_the_probes_of_faults_in_code_take_the_way_of_users(name, request, tmp_path):
    deployment = request.getfixturevalue(name)
    covered(deployment, reset=True)
    play_users(deployment, tmp_path / "records.jsonl")
    users = covered(deployment)
    assert len(users) > 100
    asked = probes(deployment.system)
    assert len(asked) >= 6
    for fault, target in asked:
        answers = [fault.ask(deployment, target)[0] for _ in range(2)]
        assert all("result" in answer for answer in answers), (fault, answers)
    assert covered(deployment) - users == set()
