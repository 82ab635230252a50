"""The probe of disk stress: slow commits and slow writes are ours only while our writers write."""

from __future__ import annotations

import itertools
import types

import pytest
from programs import running, until

from pytest_anomod.faults import DiskStress, _disk, _durable, _programs, disk_stress
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.errors import BusyMachineError, InjectionError
from pytest_anomod.testing import fake_deployment

TARGET = "app"
WRITERS = {"writers": 2, "block_kb": 256, "total_mb": 8, "budget_gb": 5, "stall_ms": 2, "deadline_s": 20}


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """A deployment on a disk that somebody keeps busy."""
    deployment = fake_deployment(tmp_path / "deployment")
    deployment.originals.remember(f"disk_stress quiet {TARGET}", {"commit_s": 0.001, "write_s": 0.001})
    slow = {"fsync": "on", "commit_s": 0.2, "log_sync_ms": 180.0}
    monkeypatch.setattr(_durable, "look", lambda *_: dict(slow))
    monkeypatch.setattr(_disk, "small_writes_s", lambda _: [0.05])
    return deployment


def test_somebody_elses_load_is_not_ours(busy):
    """A neighbour, or a backup: the target suffers, but not from what was declared."""
    looked = DiskStress().active(busy, TARGET)
    assert not looked.active
    assert looked.evidence["written_mb"] == 0


def test_our_writers_load_is(busy, tmp_path):
    """The same figures while the helper program writes."""
    with running("writers", directory=tmp_path, **WRITERS) as child:
        busy.offers[Programs] = lambda _: types.SimpleNamespace(running=lambda: {"writer": child.pid})
        until(lambda: DiskStress().active(busy, TARGET).active)


def test_a_disk_that_never_calms_down_is_refused_before_the_baseline(busy, monkeypatch):
    """What is slow already can't be seen to become slow; the message says how slow, and what to do."""
    monkeypatch.setattr(disk_stress, "_CALM_WITHIN_S", 0.0)
    with pytest.raises(
        BusyMachineError, match=r"busy already: small writes wait 50 ms .* stall_ms=40 .* or stall longer"
    ):
        DiskStress().prepare(busy, TARGET)


@pytest.fixture
def figures(busy, monkeypatch):
    """Has a disk answer as told: waits before, while all write, after, and commits; where the writers were started."""
    started = []

    def program(deployment, target, program, name, **options):
        started.append((name, options["stall_ms"]))
        return 1

    def answer(*waits_s, commits_s=()):
        waits = iter(waits_s)
        monkeypatch.setattr(_disk, "small_writes_s", lambda _: [next(waits)])
        monkeypatch.setattr(_durable, "make", lambda *_: list(commits_s))
        return started

    monkeypatch.setattr(disk_stress, "_TRIAL_S", 0.0)
    monkeypatch.setattr(_programs, "start", program)
    monkeypatch.setattr(_programs, "wait_running", lambda *_: None)
    monkeypatch.setattr(_disk, "written_bytes", lambda _: next(counter) * 1e9)
    counter = itertools.count()
    return answer


def test_a_disk_that_calms_down_is_waited_for(busy, figures):
    """Another's stress may just be ending, or our own trial's be on its way to the disk."""
    figures(0.05, 0.05, 0.001, 0.1, 0.05, 0.001, 0.002)
    DiskStress().prepare(busy, TARGET)
    assert busy.originals.recall(f"disk_stress quiet {TARGET}") == {"commit_s": 0.002, "write_s": 0.002}
    assert busy.originals.recall(f"disk_stress utmost {TARGET}")["write_s"] == 0.1


def test_a_disk_that_is_too_fast_is_refused_before_the_baseline(busy, figures):
    """It says what was measured, and that larger blocks may do."""
    started = figures(0.001, 0.011, 0.001, 0.001)
    with pytest.raises(
        InjectionError, match=r"a small write waited 11.0 ms, and 12.0 ms are needed; give more writers"
    ):
        DiskStress().prepare(busy, TARGET)
    assert [name for name, _ in started] == [disk_stress._TRIAL]


def test_a_disk_that_others_slow_too_much_is_no_fault_of_the_disk(busy, figures):
    """With commits of 30 ms, three times as long must hold, which all the writers did not come to."""
    figures(0.008, 0.120, 0.008, 0.008, commits_s=[0.03])
    with pytest.raises(
        BusyMachineError, match=r"a commit 30.0 ms; .* waited 120.0 ms, and 135.0 ms are needed; .* busy"
    ):
        DiskStress().prepare(busy, TARGET)


def test_where_others_write_it_stalls_longer(busy, figures, monkeypatch):
    """As much longer as its own proof asks for, by what is so just before: at commits of 10, now 15 ms, 180 ms."""
    monkeypatch.setattr(_durable, "is_made", lambda *_: True)
    figures(0.005, 0.120, 0.005, 0.005, commits_s=[0.01])
    DiskStress().prepare(busy, TARGET)
    started = figures(0.010)
    done = DiskStress().inject(busy, TARGET)
    assert started[-1] == (disk_stress._NAME, pytest.approx(180))
    quiet = busy.originals.recall(f"disk_stress quiet {TARGET}")
    assert done["quiet"] == quiet == {"commit_s": 0.015, "write_s": 0.010}


def test_others_who_began_to_write_since_the_baseline_are_seen(busy, figures, monkeypatch):
    """Then no writers are started: nobody could tell what they do."""
    monkeypatch.setattr(_durable, "is_made", lambda *_: True)
    figures(0.001, 0.100, 0.001, 0.001)
    DiskStress().prepare(busy, TARGET)
    started = figures(0.050)
    with pytest.raises(BusyMachineError, match=r"too busy"):
        DiskStress().inject(busy, TARGET)
    assert len(started) == 1


def test_its_bounds_are_as_they_were():
    """A commit takes three times as long as on the quiet disk and a fifth of the stall, a write twice as long."""
    assert DiskStress()._least({"commit_s": 0.001, "write_s": 0.001}) == {"commit_s": 0.008, "write_s": 0.002}
    assert DiskStress()._least({"commit_s": 0.010, "write_s": 0.001}) == {"commit_s": 0.030, "write_s": 0.002}
