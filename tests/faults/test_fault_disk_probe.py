"""The probe of disk stress: slow commits and slow writes are ours only while our writers write."""

from __future__ import annotations

import pytest
from programs import running, until

from pytest_anomod.faults import DiskStress, _durable, disk_stress
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.testing import fake_deployment

TARGET = "app"
WRITERS = {"writers": 2, "block_kb": 256, "total_mb": 8, "budget_gb": 5, "stall_ms": 2, "deadline_s": 20}


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """A deployment on a disk that somebody keeps busy."""
    deployment = fake_deployment(tmp_path / "deployment")
    deployment.remember(f"disk_stress quiet {TARGET}", {"commit_s": 0.001, "write_s": 0.001})
    slow = {"fsync": "on", "commit_s": 0.2, "log_sync_ms": 180.0}
    monkeypatch.setattr(_durable, "look", lambda *_: dict(slow))
    monkeypatch.setattr(disk_stress, "_small_writes_s", lambda _: [0.05])
    return deployment


def test_somebody_elses_load_is_not_ours(busy):
    """A neighbour, or a backup: the target suffers, but not from what was declared."""
    looked = DiskStress().active(busy, TARGET)
    assert not looked.active
    assert looked.evidence["written_mb"] == 0


def test_our_writers_load_is(busy, tmp_path, monkeypatch):
    """The same figures while the helper program writes."""
    with running("writers", directory=tmp_path, **WRITERS) as child:
        monkeypatch.setattr(busy, "executed", lambda _: {"writer": child.pid})
        until(lambda: DiskStress().active(busy, TARGET).active)


def test_a_disk_that_never_calms_down_is_refused_before_the_baseline(busy, monkeypatch):
    """What is slow already can't be seen to become slow; the message says how slow, and what to do."""
    monkeypatch.setattr(disk_stress, "_CALM_WITHIN_S", 0.0)
    with pytest.raises(
        InjectionError, match=r"busy already: small writes wait 50 ms .* stall_ms=40 .* or stall longer"
    ):
        DiskStress().prepare(busy, TARGET)


def test_a_disk_that_calms_down_is_waited_for(busy, monkeypatch):
    """Another's stress may just be ending."""
    waits = iter([[0.05], [0.05], [0.001], [0.002]])
    monkeypatch.setattr(disk_stress, "_small_writes_s", lambda _: next(waits))
    monkeypatch.setattr(_durable, "make", lambda *_: [])
    DiskStress().prepare(busy, TARGET)
    assert busy.recall(f"disk_stress quiet {TARGET}") == {"commit_s": 0.002, "write_s": 0.002}
