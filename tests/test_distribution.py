"""Who runs which scenario: workers stay with a system, and what users say with --dist is obeyed."""

from __future__ import annotations

import itertools
import json
import re
import types

import pytest

from pytest_anomod.distribution import read_needs
from pytest_anomod.model import catalog
from pytest_anomod.run.scheduling import SystemScheduling

SCENARIOS = """
from pytest_anomod import anomaly
from pytest_anomod.faults import *


def scenario(system, **declared):
    @anomaly(system=system, **declared)
    def test(request):
        print(f"ran {request.node.name} on {request.config.workerinput['workerid']}")
    return test
"""
ALTERNATING = SCENARIOS + "".join(
    f"test_s{n} = scenario('social_network')\ntest_t{n} = scenario('train_ticket')\n" for n in range(3)
)


class Node:
    """A worker as the scheduler sees it: takes items, and is told when there are no more."""

    def __init__(self, name):
        self.name, self.sent, self.shutting_down = name, [], False
        self.gateway = types.SimpleNamespace(id=name)

    def __repr__(self):
        return self.name

    def send_runtest_some(self, indices):
        assert not self.shutting_down
        self.sent += indices

    def shutdown(self):
        self.shutting_down = True


class Config:
    """What the base class wants of a configuration."""

    class option:  # noqa: N801 - as pytest names it
        maxschedchunk = None

    def __init__(self, workers):
        self.workers = workers

    def getvalue(self, name):
        return {"tx": ["popen"] * self.workers}[name]

    def getoption(self, name):
        return None


def log(*_):
    """A log that nobody reads."""


log.loadsched = log


class Controller:
    """xdist's part: workers that finish their items one after the other, whoever is told to."""

    def __init__(self, systems, workers, host_wide=()):
        self.ids = [f"test_{number}" for number in range(len(systems))]
        self.systems = systems
        needs = {
            item: (system, number in host_wide)
            for number, (item, system) in enumerate(zip(self.ids, systems, strict=True))
            if system
        }
        self.nodes = [Node(f"gw{number}") for number in range(workers)]
        self.scheduling = SystemScheduling(Config(workers), log, lambda: needs)
        for node in self.nodes:
            self.scheduling.add_node(node)
        for node in self.nodes:
            self.scheduling.add_node_collection(node, self.ids)
        self.scheduling.schedule()
        self.done = {node: [] for node in self.nodes}

    def can_run(self, node):
        """A worker begins an item when it knows the next one, or that there is none."""
        waiting = self.scheduling.node2pending.get(node, [])
        return len(waiting) > 1 or (waiting and node.shutting_down)

    def finish(self, node):
        item = self.scheduling.node2pending[node][0]
        self.done[node].append(item)
        self.scheduling.mark_test_complete(node, item)

    def run(self, slow=()):
        """All to the end in turns; workers in `slow` finish an item every third turn only."""
        for turn in range(1_000):
            able = [node for node in self.nodes if self.can_run(node)]
            if not able:
                break
            for node in able:
                if node.name not in slow or turn % 3 == 0:
                    self.finish(node)
        assert sorted(item for items in self.done.values() for item in items) == list(range(len(self.ids)))
        assert all(node.shutting_down for node in self.nodes)
        return self

    def changes(self, node):
        """How often a worker had to bring another system up, the first one not counted."""
        order = [self.systems[item] for item in self.done[node]]
        return sum(before != after for before, after in itertools.pairwise(order))


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("counts", [(16, 13), (13, 16), (3, 20), (1, 1), (29, 0), (2, 5)])
def test_a_worker_changes_systems_at_most_once_and_all_is_done(workers, counts):
    systems = ["a"] * counts[0] + ["b"] * counts[1]
    run = Controller(systems, workers).run()
    assert all(run.changes(node) <= 1 for node in run.nodes)


def test_equal_workers_share_29_scenarios_evenly_and_stay_with_their_systems():
    """Two systems of 16 and 13 on four workers: nobody makes more than eight, and only the last may be foreign."""
    run = Controller(["a"] * 16 + ["b"] * 13, 4).run()
    assert sorted(len(items) for items in run.done.values()) == [7, 7, 7, 8]
    assert sum(run.changes(node) for node in run.nodes) <= 1


def test_systems_mixed_in_one_file_are_kept_apart():
    run = Controller(["a", "b"] * 8, 2).run()
    assert [run.changes(node) for node in run.nodes] == [0, 0]


def test_who_has_nothing_left_helps_where_most_is_left():
    """A slow worker's system is finished by the others."""
    run = Controller(["a"] * 6 + ["b"] * 12, 2).run(slow={"gw0"})
    lengths = {node.name: len(items) for node, items in run.done.items()}
    assert lengths["gw1"] >= 12
    assert all(run.changes(node) <= 1 for node in run.nodes)


def test_two_scenarios_that_want_the_host_do_not_meet_while_there_is_anything_else():
    systems = ["a"] * 8 + ["b"] * 8
    run = Controller(systems, 2, host_wide={0, 8})
    held = [[item for item in run.scheduling.node2pending[node] if item in {0, 8}] for node in run.nodes]
    assert sorted(map(len, held)) == [0, 1]
    run.run()


def test_a_worker_that_dies_gives_back_what_it_held():
    run = Controller(["a"] * 6 + ["b"] * 6, 2)
    dead = run.nodes[0]
    crashed = run.scheduling.remove_node(dead)
    assert crashed == "test_0"
    run.nodes.remove(dead)
    for _ in range(20):
        if run.can_run(run.nodes[0]):
            run.finish(run.nodes[0])
    assert sorted(run.done[run.nodes[0]]) == list(range(1, 12))


def test_without_scenarios_items_are_shared_out_as_xdist_does():
    run = Controller([""] * 40, 2)
    assert run.nodes[0].sent == list(range(5))  # a chunk, and not one by one
    run.run()


def test_ordinary_tests_and_scenarios_are_all_run():
    Controller(["", "a", "", "b"] * 5, 3).run()


def ran(result):
    """Names of the tests in the order in which they ran, per worker ("" without xdist)."""
    order = {}
    for line in result.outlines:
        found = re.match(r"(?:\[(gw\d+)\] \[ *\d+%\] )?(?:PASSED )?\S+::(\S+)(?: PASSED.*)?\s*$", line)
        if found and "PASSED" in line:
            order.setdefault(found[1] or "", []).append(found[2])
    return order


def test_without_xdist_scenarios_of_a_system_follow_one_another(pytester):
    """No system is brought up twice; ordinary tests keep their places."""
    pytester.makepyfile(ALTERNATING.replace("request.config.workerinput['workerid']", "''") + "def test_z(): pass\n")
    result = pytester.runpytest("-v")
    assert ran(result) == {"": ["test_s0", "test_s1", "test_s2", "test_t0", "test_t1", "test_t2", "test_z"]}


def test_a_worker_changes_systems_at_most_once(pytester):
    """When it helps another, that is; which one is quicker is up to the machine."""
    pytester.makepyfile(ALTERNATING)
    result = pytester.runpytest_subprocess("-v", "-n2")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["scheduling tests via SystemScheduling"])
    for names in ran(result).values():
        systems = [name[len("test_")] for name in names]
        assert len([1 for before, after in itertools.pairwise(systems) if before != after]) <= 1


@pytest.mark.parametrize("words", [("--dist=loadfile",), ("-d",), ("--dist", "worksteal")])
def test_what_the_user_says_about_sharing_out_is_obeyed(pytester, words):
    pytester.makepyfile(ALTERNATING)
    result = pytester.runpytest_subprocess("-v", "-n2", *words)
    result.assert_outcomes(passed=6)
    assert "SystemScheduling" not in result.stdout.str()


def test_the_notes_of_workers_are_gone_afterwards(pytester, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pytester.makepyfile(ALTERNATING)
    pytester.runpytest_subprocess("-n2").assert_outcomes(passed=6)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("pytest-anomod-")] == []


def test_a_process_has_one_system_up_at_a_time(tmp_path, monkeypatch):
    """Whoever changes systems takes the old one down first; whoever stays gets the same deployment again."""
    from pytest_anomod import testing
    from pytest_anomod.model.system import System
    from pytest_anomod.run.deployments import Deployments

    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    events = []

    class Runtime(testing.FakeRuntime):
        def up(self, system, session, *, entry_port=None, seed=1):
            events.append(f"up {system.name}")
            return testing.fake_deployment(tmp_path)

        def down(self, deployment):
            events.append("down")

    runtime = Runtime()
    monkeypatch.setattr(catalog, "find", lambda group, name: runtime)
    option = types.SimpleNamespace(anomod_out="out", anomod_seed=1, anomod_runtime=runtime.name)
    hook = types.SimpleNamespace(pytest_anomod_deployment_ready=lambda deployment: None)
    invocation = types.SimpleNamespace(dir=tmp_path)
    session = Deployments(types.SimpleNamespace(option=option, hook=hook, invocation_params=invocation))
    try:
        one, other = (System(name=name, services=(), entry="", journeys=()) for name in ("one", "other"))
        assert session.deployment(runtime, one) is session.deployment(runtime, one)
        session.deployment(runtime, other)
        assert events == ["up one", "down", "up other"]
    finally:
        session.close()
    assert events[-1] == "down"


def test_notes_that_cannot_be_read_are_none(tmp_path):
    assert read_needs(tmp_path) == {}
    (tmp_path / "needs.json").write_text(json.dumps({"test_it": ["a", False]}))
    assert read_needs(tmp_path) == {"test_it": ["a", False]}
