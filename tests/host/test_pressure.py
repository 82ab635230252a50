"""How busy the machine is: what counts as too busy, in words, and the meter on this very machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from pytest_anomod.host import machine_figures, pressure
from pytest_anomod.host.cores import ForeignLoad, Task, family, usable_cores
from pytest_anomod.host.machine_figures import MachineFigures
from pytest_anomod.host.pressure import Pressure, PressureMeter, Reading, summed_up
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.testing import FakeClock

pytestmark = pytest.mark.usefixtures("busy_machine")


@pytest.fixture
def busy_machine():
    """The real rule, not the one for tests of other things."""


def reading(tasks=0.5, stalled=0.2, at=0, **changes):
    values = {
        "time_unix_nano": at, "length_s": 0.5, "tasks_per_core": tasks, "cpu_stalled": stalled, "io_stalled": 0.0,
        "memory_stalled": 0.0, "stolen": 0.0, "lag_s": 0.0, "available_bytes": 1e9,
    }  # fmt: skip
    return Reading(**{**values, **changes})


@pytest.mark.parametrize(
    ("tasks", "stalled", "busy"),
    [(0.5, 0.2, False), (2.0, 0.9, True), (2.0, 0.5, False), (1.0, 0.95, False), (1.81, 0.71, True)],
)
def test_too_busy_needs_a_long_queue_and_waiting_in_most_of_the_time(tasks, stalled, busy):
    assert summed_up([reading(tasks, stalled)] * 8).too_busy is busy


def test_a_short_burst_is_no_busy_window():
    """Three seconds of ten: the median is calm."""
    assert not summed_up([reading(4.0, 1.0)] * 6 + [reading()] * 14).too_busy


def test_a_moment_says_nothing():
    assert not summed_up([reading(9.0, 1.0)] * 3).too_busy
    assert not summed_up([]).too_busy


def test_without_a_kernel_that_tells_the_lateness_of_our_looks_counts():
    quiet = [reading(None, None, lag_s=0.001)] * 8
    late = [reading(None, None, lag_s=0.05)] * 8
    assert (summed_up(quiet).too_busy, summed_up(late).too_busy) == (False, True)
    assert "50 ms late" in summed_up(late).sentence()


QUEUE, DELAYED = {"stalled": None}, {"stalled": None, "run_delay": 0.8}


@pytest.mark.parametrize(
    ("figures", "busy"),
    [
        ({"tasks": 1.0, "stalled": 0.3, "stolen": 0.4}, False),
        ({"tasks": 1.0, "stalled": 0.3, "stolen": 0.6}, True),
        ({"memory_stalled": 0.3, "available_bytes": 0.05}, True),
        # what a fault that squeezes one container does: the machine has plenty
        ({"memory_stalled": 0.9, "available_bytes": 0.5}, False),
        ({"memory_stalled": 0.02, "available_bytes": 0.05}, False),
        ({"memory_stalled": 0.9, "available_bytes": None}, False),
        ({"io_stalled": 1.0}, False),
        (QUEUE | {"tasks": 2.0}, True),
        (QUEUE | {"tasks": 1.0, "lag_s": 0.5}, False),
        (QUEUE | {"tasks": 1.2, "stolen": 0.5}, True),
        # many tasks of others, on cores that are not ours
        (QUEUE | {"tasks": 9.0, "run_delay": 0.3}, False),
        (DELAYED | {"tasks": 2.0}, True),
        (DELAYED | {"tasks": 0.5}, False),
        (DELAYED | {"tasks": None}, True),
        ({"tasks": None, "stalled": 0.9}, True),
        ({"tasks": None, "stalled": 0.5, "lag_s": 0.5}, False),
    ],
)
def test_what_else_counts_and_what_does_not(monkeypatch, figures, busy):
    monkeypatch.setattr(pressure, "_memory_bytes", lambda: 1.0)
    found = summed_up([reading(**figures)] * 8)
    assert found.too_busy is busy
    assert len(found.sentence()) > 20


def test_a_short_stretch_is_judged_though_its_last_reading_is_not_there_yet():
    assert summed_up([reading(4.0, 1.0)] * 3, asked_s=2.1).too_busy
    assert not summed_up([reading(4.0, 1.0)] * 3, asked_s=1.9).too_busy
    assert not summed_up([reading(4.0, 1.0)] * 3, asked_s=9.0).too_busy, "of most of it nothing is known"


def test_a_long_reading_weighs_more():
    found = summed_up([reading(stalled=0.2), reading(stalled=0.8, length_s=1.5)])
    assert found.cpu_stalled == pytest.approx(0.65)


def test_a_stretch_of_which_little_was_seen_says_nothing():
    half = summed_up([reading()] * 10, asked_s=10.0)
    assert half.told() == half.sentence()
    assert summed_up([reading()] * 9, asked_s=10.0).told() is None
    assert summed_up([], asked_s=1.0).seen


def test_the_sentence_has_the_figures(monkeypatch):
    monkeypatch.setattr(pressure, "usable_cores", lambda: 2)
    said = Pressure(10.0, 2.0, 0.9, 0.05, 0.0).sentence()
    assert said == (
        "4.0 tasks wanted one of 2 cores in the median, 90% of the time with a task waiting for one, "
        "5% with a task waiting for a disk"
    )


def test_the_meter_gives_the_readings_of_a_stretch_and_no_others():
    meter = PressureMeter()
    meter.start()
    try:
        clock.wait_until(lambda: len(meter.readings(0)) >= 3, timeout_s=20, what="three readings")
        first, second, third = meter.readings(0)[:3]
        assert meter.readings(second.time_unix_nano, third.time_unix_nano) == [second]
        assert first.time_unix_nano < second.time_unix_nano
        assert meter.pressure(0).length_s >= 0.7
        assert meter.pressure(first.time_unix_nano).seen
    finally:
        meter.stop()
    assert len(meter.readings(0)) == len(meter.readings(0))


@pytest.mark.skipif(not os.path.exists("/proc/loadavg"), reason="this kernel does not tell")
def test_loops_on_all_cores_are_seen():
    """Three endless loops for each core make a queue of more than two."""
    number = max(3, int(3 * usable_cores()))
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    meter = PressureMeter()
    try:
        start_ns = time.time_ns()
        meter.start()

        def queued():
            return (meter.pressure(start_ns).tasks_per_core or 0) > 2 and meter.pressure(start_ns).length_s >= 2

        clock.wait_until(queued, timeout_s=30, what="the loops to show")
    finally:
        meter.stop()
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel does not tell")
def test_without_stall_information_loops_on_one_core_are_seen_by_the_delay_of_their_runs(monkeypatch):
    """We and five endless loops that may all run on one core only: they wait four fifths of the time."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(5)]
    try:
        meter = PressureMeter()
        monkeypatch.setattr(meter._source, "_stalls", {})
        start_ns = time.time_ns()
        meter.start()
        clock.wait_until(lambda: meter.pressure(start_ns).too_busy, timeout_s=30, what="the loops to show")
        found = meter.pressure(start_ns)
        assert found.cpu_stalled is None
        assert "tasks wanted one of 1 cores in the median, ours waited for a core for " in found.sentence()
    finally:
        os.sched_setaffinity(0, cores)
        for loop in loops:
            loop.kill()
            loop.wait()
        meter.stop()


def test_a_kernel_that_counts_nobody_tells_no_queue(tmp_path, monkeypatch):
    """That of gVisor; and there is no run delay where no task has a file for it."""
    figures = MachineFigures()
    monkeypatch.setattr(figures, "_text", lambda path: b"0.00 0.00 0.00 0/0 0\n")
    assert figures.tasks_per_core() is None
    monkeypatch.setattr(figures, "_text", lambda path: b"0.50 0.60 1.50 4/241 8324\n")
    assert figures.tasks_per_core() == 3 / usable_cores()


def test_under_a_quota_the_stalls_are_those_of_the_control_group(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_figures.cgroups, "limited_group", lambda: tmp_path)
    line = "some avg10=0.00 avg60=0.00 avg300=0.00 total={}\n"
    (tmp_path / "cpu.pressure").write_text(line.format(7_000_000))
    assert MachineFigures().counters()["cpu"] == 7.0


def test_a_meter_that_died_is_an_error_and_no_calm_machine(monkeypatch):
    meter = PressureMeter()
    monkeypatch.setattr(meter._source, "_text", lambda path: b"nonsense")
    meter.start()
    meter._thread.join(5)
    with pytest.raises(CaptureError, match=r"nobody looks any more at how busy this machine is: IndexError: .*"):
        meter.pressure(0)


def test_what_is_not_kept_any_more_is_an_error_and_no_gap(monkeypatch):
    monkeypatch.setattr(pressure, "KEPT", 1)
    meter = PressureMeter()
    meter.start()
    try:
        clock.wait_until(lambda: meter._forgotten_ns > 0, timeout_s=20, what="a reading to be dropped")
    finally:
        meter.stop()
    with pytest.raises(CaptureError, match="kept for 1 readings"):
        meter.readings(0)
    assert len(meter.readings(meter._forgotten_ns + 1)) == 1


def test_a_family_is_the_roots_and_all_below_them():
    table = {1: Task(0, "init", 0), 2: Task(1, "ours", 0), 3: Task(2, "x", 0), 4: Task(3, "y", 0), 5: Task(1, "z", 0)}
    assert family(table, {2}) == {2, 3, 4}
    assert family(table, {99}) == set()


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="no /proc here")
def test_foreign_load_is_what_others_use(monkeypatch):
    """A loop that is a child of ours does not count; it does once we are not its parent in the table."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        load = ForeignLoad()
        load.ours = {loop.pid}
        begin = time.monotonic()
        clock.wait_until(lambda: time.monotonic() - begin > 1, timeout_s=5, what="a second")
        load.look()
        spared = load.cores
        load.ours = {os.getpid() + 4_000_000}
        clock.wait_until(lambda: time.monotonic() - begin > 2.5, timeout_s=5, what="more seconds")
        load.look()
        assert load.cores > spared or load.cores > 0.2
    finally:
        loop.kill()
        loop.wait()


def test_the_meter_outlives_a_clock_that_was_changed(monkeypatch):
    """Tests do so, with a clock that is decades ahead."""
    meter = PressureMeter()
    with monkeypatch.context() as patch:
        FakeClock().install(patch.setattr)
        meter.start()
        clock_s = time.monotonic()
        while time.monotonic() - clock_s < 0.2:
            time.sleep(0.05)  # meter.py reads the changed clock meanwhile
    try:
        since_ns = time.time_ns()
        clock.wait_until(lambda: meter.readings(since_ns), timeout_s=10, what="a reading")
    finally:
        meter.stop()
