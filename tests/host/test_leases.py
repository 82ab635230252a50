"""Leases of cores between processes: enough for all or in line, whoever died holds none, one alone has all."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from pytest_anomod.host import cores, leases
from pytest_anomod.host.cores import ForeignLoad, Task
from pytest_anomod.host.leases import demand, learn_demand, lease
from pytest_anomod.host.pressure import meter
from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError

HOLD = """
import signal, sys
from pytest_anomod.host.leases import lease
with lease(float(sys.argv[1]), "a neighbour's case"):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def _machine(tmp_path, monkeypatch):
    """Two cores, nobody else on them, and a state directory of our own."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(leases, "usable_cores", lambda: 2)
    meter().stop()  # it would measure what others on this machine use
    monkeypatch.setattr(meter().foreign, "now", lambda: 0.0)
    yield
    meter.cache_clear()


@contextlib.contextmanager
def held_elsewhere(cores):
    """Another process that holds cores until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(cores)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def wanted():
    """Has somebody want cores, in a thread, until the test is over; the event says when they are had."""
    enough, threads = threading.Event(), []

    def want(cores, **how):
        has = threading.Event()

        def hold():
            with lease(cores, "somebody", **how):
                has.set()
                enough.wait(20)

        threads.append(threading.Thread(target=hold))
        threads[-1].start()
        return has

    yield want
    enough.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def tickets():
    return leases._Table(leases._demands_file().parent)._living()


def test_with_cores_to_spare_nobody_waits():
    before_s = waits.seconds
    with lease(0.8, "one"), lease(1.2, "two"):
        assert waits.seconds - before_s < 1


def test_without_them_one_waits_and_is_told_for_whom():
    with (
        held_elsewhere(1.5) as other,
        pytest.raises(SafetyError, match=rf"for 0.8 cores, held by process {other.pid} \(a neighbour's case: 1.5\)"),
        lease(0.8, "ours", timeout_s=0.2),
    ):
        pytest.fail("there are no such cores")
    assert tickets() == []


def test_a_killed_holder_holds_nothing():
    with held_elsewhere(2.0) as other:
        other.kill()
        with lease(1.0, "ours", timeout_s=10):
            pass


def test_a_wait_is_counted():
    before_s = waits.seconds
    with lease(2.0, "a case"), pytest.raises(SafetyError), lease(0.1, "harvest", timeout_s=0.2):
        pytest.fail("there are no such cores")
    assert waits.seconds - before_s >= 0.2


def test_who_is_interrupted_while_it_joins_the_queue_leaves_it(monkeypatch):
    """A ticket at the head of the queue that nobody will use would stop all others."""
    write = leases._Table._write

    def interrupted(table, entries):
        write(table, entries)
        monkeypatch.setattr(leases._Table, "_write", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(leases._Table, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt), lease(1.0, "ours"):
        pytest.fail("it was interrupted")
    assert tickets() == []


def test_the_list_of_leases_is_not_waited_for_without_limit():
    """A stopped process may hold it."""
    directory = leases._demands_file().parent
    with (
        leases._Table(directory)._locked(0.0),
        pytest.raises(SafetyError, match=rf"for the list of leases, held by process {os.getpid()};"),
        leases._Table(directory)._locked(clock.monotonic_s() + 0.1),
    ):
        pytest.fail("two hold it")


def test_sessions_share_cores_only_while_they_live(monkeypatch):
    """Another process may have the pid of one that has ended."""
    with lease(1.0, "ours"):
        tickets()
        mine = meter().foreign.sharing[os.getpid()]
    assert tickets() == []
    assert meter().foreign.sharing == {}
    load = ForeignLoad()
    table = {7: Task(1, "other", 0.0)}
    monkeypatch.setattr(cores, "process_table", lambda: dict(table))
    monkeypatch.setattr(cores.processes, "is_same", lambda pid, started: started == mine)
    found = []
    for started in (mine, mine + 1):
        load.sharing = {7: started}
        load.look()
        table[7] = table[7]._replace(cpu_s=table[7].cpu_s + 1_000.0)
        load.look()
        found.append(load.cores > 0)
    assert found == [False, True]


def test_more_than_there_is_is_had_once_nobody_else_has_any(wanted):
    with lease(4.0, "a big one", timeout_s=1):
        has = wanted(0.2)
        assert not has.wait(0.3)
    assert has.wait(5)


def test_first_come_first_served(wanted):
    """A small one does not pass a big one that waits."""
    with lease(1.0, "a case"):
        big = wanted(1.5)
        clock.wait_until(lambda: len(tickets()) == 2, timeout_s=5, what="the big one to stand in line")
        small = wanted(0.5)
        assert not small.wait(0.3)
        assert not big.is_set()
    assert big.wait(5)
    assert small.wait(5)


def test_one_alone_waits_for_all_and_keeps_all_out(wanted):
    with lease(0.1, "a small case"):
        alone = wanted(0.1, alone=True)
        assert not alone.wait(0.3)
    assert alone.wait(5)
    assert not wanted(0.1).wait(0.3)


def test_what_others_use_is_not_given_out(monkeypatch, wanted):
    monkeypatch.setattr(meter().foreign, "now", lambda: 1.0)
    with lease(0.8, "one"):
        second = wanted(0.8)
        assert not second.wait(0.3)
    assert second.wait(5)


def test_a_little_of_others_is_nothing(monkeypatch, wanted):
    monkeypatch.setattr(meter().foreign, "now", lambda: leases.FOREIGN_SPARED)
    with lease(1.0, "one"):
        assert wanted(1.0).wait(5)


def test_a_damaged_file_is_as_good_as_none():
    with lease(1.0, "one"):
        leases._Table(leases._demands_file().parent)._path.write_text("{")
        with lease(2.0, "two", timeout_s=5):
            pass


def test_who_waits_while_the_file_is_lost_stands_in_line_anew(wanted):
    with lease(2.0, "a case"):
        has = wanted(1.0)
        clock.wait_until(lambda: len(tickets()) == 2, timeout_s=5, what="somebody to stand in line")
        leases._Table(leases._demands_file().parent)._path.unlink()
        assert has.wait(5)


def test_demands_are_learnt():
    assert demand("shop") == leases.UNKNOWN_CORES
    learn_demand("shop", 0.6)
    assert demand("shop") == 0.6
    learn_demand("shop", 1.0)
    assert demand("shop") == 0.8
    learn_demand("shop", 1_000.0)
    assert demand("shop") <= leases.MOST_CORES
