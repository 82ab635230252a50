"""Fakes for tests: a system, runtime, injector, fault and workload whose whole state is one small JSON file.

    ref = fake_deployment(tmp_path).ref
    with offered():  # the catalog offers the fakes, and only them
        experiment = compile_experiment(fake_scenario(), ref, injector="fake", records=str(path), tempo=QUICK)
        journal = play(experiment, on_edge=edges.append)

Because the world is a file, every attach sees the same one, in this process and in any other. A FakeFault can be told
to lie (`Lie`), a FakeClock makes waiting free. `check_injector` checks an injector of your own against the protocol.
"""

from __future__ import annotations

from pytest_anomod.testing.clock import FakeClock
from pytest_anomod.testing.conformance import check_injector
from pytest_anomod.testing.deployment import FAKE_SYSTEM, FakeDeployment, FakeRuntime, fake_deployment
from pytest_anomod.testing.fault import FakeFault, FakeInjector, Lie
from pytest_anomod.testing.load import HEALTHY_MS, ILL_MS, FakeLoad, response, start, stop
from pytest_anomod.testing.scenario import QUICK, QUICK_DURATIONS, fake_scenario, offered
from pytest_anomod.testing.world import FakeUndo, World

__all__ = [
    "FAKE_SYSTEM",
    "HEALTHY_MS",
    "ILL_MS",
    "QUICK",
    "QUICK_DURATIONS",
    "FakeClock",
    "FakeDeployment",
    "FakeFault",
    "FakeInjector",
    "FakeLoad",
    "FakeRuntime",
    "FakeUndo",
    "Lie",
    "World",
    "check_injector",
    "fake_deployment",
    "fake_scenario",
    "offered",
    "response",
    "start",
    "stop",
]
