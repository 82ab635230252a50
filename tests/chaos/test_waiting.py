"""Waiting on a busy machine, on a clock that moves only when someone waits: begun anew, extended, given up."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.chaos import activities, runs, waiting
from pytest_anomod.chaos import looks as looking
from pytest_anomod.chaos.runs import Run
from pytest_anomod.chaos.waiting import CalmDeadline, Patience, calm_window
from pytest_anomod.host.pressure import Pressure
from pytest_anomod.model import clock
from pytest_anomod.model.errors import BusyMachineError, DeploymentError, InjectionError
from pytest_anomod.testing import FakeClock

BUSY, CALM = Pressure(5.0, 2.0, 0.95, 0.0, 0.0), Pressure(5.0, 0.5, 0.2, 0.0, 0.0)


@pytest.fixture
def busy_machine():
    """The real rule, not the one for tests of other things."""


@pytest.fixture
def now(monkeypatch):
    return FakeClock().install(monkeypatch.setattr)


@pytest.fixture
def busy_until(monkeypatch, now, busy_machine):
    """The machine is busy until so many seconds from now."""

    def set_end(seconds):
        end_ns = now.now_ns() + int(seconds * clock.NS_PER_S)
        monkeypatch.setattr(waiting, "pressure_since", lambda start_ns: BUSY if start_ns < end_ns - 1 else CALM)

    set_end(0)
    return set_end


def test_a_calm_window_is_as_long_as_asked(now, busy_until):
    begin = now.monotonic_s()
    answer = calm_window(10.0, Patience(60), lambda: pytest.fail("begun anew"), "a baseline")
    assert now.monotonic_s() - begin == pytest.approx(10)
    assert (answer["begun_anew"], answer["from_unix_nano"]) == (0, None)


def test_a_busy_one_begins_anew_and_says_why(now, busy_until):
    """It is given up once it was busy for three seconds; the one that counts is whole, and calm."""
    busy_until(7)
    begun, patience, begin_ns = [], Patience(60), now.now_ns()
    answer = calm_window(10.0, patience, lambda: begun.append(now.now_ns()), "a baseline")
    assert answer["begun_anew"] == len(begun) == 3
    assert answer["from_unix_nano"] == begun[-1] == begin_ns + 9 * clock.NS_PER_S
    assert now.now_ns() == begun[-1] + 10 * clock.NS_PER_S
    assert patience.left_s == pytest.approx(51)
    assert "2.0 tasks" not in answer["pressure"]
    assert "tasks wanted one of" in answer["why"]


def test_a_machine_that_never_gets_calm_ends_the_wait_with_the_figures(now, busy_until):
    busy_until(1e6)
    begin = now.monotonic_s()
    with pytest.raises(BusyMachineError, match=r"too busy for a baseline of 10 s, \d+ s long: .*95% of the time"):
        calm_window(10.0, Patience(20), lambda: None, "a baseline")
    assert 20 <= now.monotonic_s() - begin <= 24


def test_a_deadline_counts_calm_time_only(now, busy_until):
    busy_until(5)
    deadline, begin = CalmDeadline(8.0, Patience(60)), now.monotonic_s()
    while not deadline.over():
        now.sleep(0.5)
    # the last three seconds tell whether it is busy now, so the end is seen that much later
    assert now.monotonic_s() - begin == pytest.approx(8 + 5 + waiting.NOW_S, abs=0.6)
    assert "8 s more while the machine was too busy" in deadline.said()
    assert deadline.uncounted()["busy_s"] == pytest.approx(8, abs=0.6)
    assert "tasks wanted one of" in deadline.uncounted()["why"]


def test_without_patience_a_deadline_is_one(now, busy_until):
    busy_until(1e6)
    deadline, begin = CalmDeadline(8.0, Patience(0)), now.monotonic_s()
    while not deadline.over():
        now.sleep(0.5)
    assert now.monotonic_s() - begin == pytest.approx(8)
    assert deadline.said() == ""
    assert deadline.uncounted() == {}


def test_a_fault_that_is_seen_late_on_a_busy_machine_says_what_did_not_count(now, busy_until):
    """The limit was passed, and was not: seven of these seconds were too busy."""
    busy_until(6)
    looks = iter([False] * 20 + [True] * 9)
    begin = now.monotonic_s()

    def observe():
        return {"active": next(looks), "evidence": {}, "time_unix_nano": now.now_ns()}

    found = looking.streak(observe, 1.0, 2, 0.5, 4.0, "was not seen", Patience(60))
    assert now.monotonic_s() - begin > 4
    assert found["uncounted"]["busy_s"] > 6


@pytest.mark.parametrize(("busy_s", "patience_s"), [(1e6, 20), (1e6, 0), (6, 20)])
def test_a_gate_that_is_not_reached_on_a_busy_machine_says_so(now, busy_until, tmp_path, busy_s, patience_s):
    """Without patience too, and where the machine got calm in the end."""
    busy_until(busy_s)
    run = _keep_run(tmp_path, Patience(patience_s))
    said = (
        r"too busy in \d+ of \d+ s \(.*95% of the time.*\): users were not served .*: 0 responses in 3 s, fewer than 3"
    )
    with pytest.raises(BusyMachineError, match=said):
        activities.steady(run.records, 3.0)
    assert run.steady is None


def test_a_gate_that_is_not_reached_on_a_calm_machine_is_the_systems(now, busy_until, tmp_path):
    busy_until(-waiting.NOW_S)
    begin = now.monotonic_s()
    answer = activities.steady(_keep_run(tmp_path, Patience(20)).records, 3.0)
    assert answer["status"] == "0 responses in 3 s, fewer than 3"
    assert now.monotonic_s() - begin <= 7


def _streak(patience, **more):
    looked = {"active": False, "evidence": {}, "time_unix_nano": 0, "unhealthy": ["text"]}
    return looking.streak(lambda: looked, 1.0, 3, 0.5, 8.0, "it is not gone", patience, **more)


@pytest.mark.parametrize("patience_s", [20, 0])
def test_what_is_not_seen_gone_on_a_busy_machine_is_put_down_to_it(now, busy_until, patience_s):
    busy_until(1e6)
    begin = now.monotonic_s()
    with pytest.raises(BusyMachineError, match=r"too busy in \d+ of \d+ s \(.*\): it is not gone within 8 s.*\["):
        _streak(Patience(patience_s), blames_machine=True)
    assert now.monotonic_s() - begin == pytest.approx(8 + patience_s, abs=1)


@pytest.mark.parametrize("busy_s", [-waiting.NOW_S, -2])
def test_what_is_not_seen_gone_on_a_calm_machine_is_the_systems(now, busy_until, busy_s):
    """Also if it was busy until shortly before, or at the first look."""
    busy_until(busy_s)
    with pytest.raises(InjectionError, match="it is not gone within 8 s and"):
        _streak(Patience(20), blames_machine=True)


def test_a_fault_that_is_not_seen_is_never_put_down_to_the_machine(now, busy_until):
    busy_until(1e6)
    with pytest.raises(InjectionError, match=r"within 8 s .*more while the machine was too busy"):
        _streak(Patience(20))


@pytest.mark.parametrize(("busy_s", "error"), [(1e6, BusyMachineError), (-waiting.NOW_S, DeploymentError)])
def test_a_target_that_can_not_be_prepared_on_a_busy_machine(now, busy_until, busy_s, error):
    busy_until(busy_s)
    with pytest.raises(error, match="text did not come up"), waiting.unless_busy("preparing text"):
        raise DeploymentError("text did not come up")


def test_a_mistake_is_never_put_down_to_the_machine(now, busy_until):
    busy_until(1e6)
    with pytest.raises(ZeroDivisionError), waiting.unless_busy("preparing text"):
        raise ZeroDivisionError


def _keep_run(directory, patience):
    run = Run(records=str(directory / "none"), workload_module="pytest_anomod.testing", handle={}, start_ns=0)
    run.patience = patience
    runs.reset()
    runs.keep(run)
    return run


@pytest.fixture
def recovering(now, busy_until, tmp_path):
    """A run whose fault is gone, with a workload of 20 answers a second that are slow and failing for a while."""
    records = tmp_path / "responses.jsonl"
    begin_ns, spent = now.now_ns(), now.sleep

    def record(lasting_s):
        rows = []
        for tick in range(20 * 120):
            at_ns = begin_ns + tick * 50_000_000
            ill = 10 <= tick / 20 < 10 + lasting_s
            rows.append({
                "time_unix_nano": at_ns, "duration_ns": 90_000_000 if ill else 10_000_000, "journey": "read",
                "method": "GET", "route": "/", "status_code": 500 if ill and tick % 5 == 0 else 200, "error_kind": "",
            })  # fmt: skip

        def written(seconds):
            spent(seconds)
            done = [row for row in rows if row["time_unix_nano"] + row["duration_ns"] <= now.now_ns()]
            records.write_text("".join(json.dumps(row) + "\n" for row in done))

        clock.sleep = written
        run = Run(records=str(records), workload_module="pytest_anomod.testing", handle={}, start_ns=begin_ns)
        runs.reset()
        runs.keep(run)
        clock.sleep(10)
        run.held, run.patience = True, Patience(30)
        run.baseline = (begin_ns, now.now_ns())
        return run

    yield record
    runs.drop(str(records))


def test_a_recovery_lasts_as_long_as_asked_where_users_are_served(now, recovering):
    run = recovering(lasting_s=1.0)
    answer = activities.wait_recovery(run.records, recovery_s=5.0)
    assert answer["settled"] is True
    assert answer["waited_s"] == pytest.approx(5)
    assert run.patience.left_s == 30


def test_a_recovery_lasts_until_users_are_served_again(now, recovering):
    """Three more seconds, for the end that is compared must be like the baseline."""
    run = recovering(lasting_s=5.0)
    answer = activities.wait_recovery(run.records, recovery_s=5.0)
    assert answer["settled"] is True
    assert 6.0 <= answer["waited_s"] <= 8.0
    assert "latency 1.0" in answer["tail"] or "latency 0." in answer["tail"]


def test_a_recovery_that_never_comes_ends_with_patience(now, recovering):
    run = recovering(lasting_s=1e6)
    answer = activities.wait_recovery(run.records, recovery_s=5.0)
    assert answer["settled"] is False
    assert answer["waited_s"] == pytest.approx(35, abs=1)
