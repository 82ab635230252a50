"""Faults that limit a control group: what their probes believe, what they put back, and where they are refused."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_anomod.faults import CpuContention, DiskThrottle, MemoryPressure, _limits, disk_throttle, memory_pressure
from pytest_anomod.model.capability import ControlGroup, CpuUse, DiskUse, Limit, MemoryUse
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.testing import FakeClock, fake_deployment

TARGET = "app"
FREE = {Limit.CPU: {"quota": "-1"}, Limit.MEMORY: {"limit": "max"}, Limit.DISK: {"writes": "8:0 0"}}


@dataclasses.dataclass
class FakeGroup:
    """A group whose counters go on by the same step at each look."""

    texts: dict = dataclasses.field(default_factory=lambda: {what: dict(texts) for what, texts in FREE.items()})
    throttled: int = 0
    step: int = 0
    gone: bool = False
    used: int = 100
    top: int | None = None

    def limit(self, what, device=""):
        if self.gone:
            msg = "it is gone"
            raise DeploymentError(msg)
        return dict(self.texts[what])

    def put_back(self, texts):
        what = next(what for what, old in FREE.items() if set(old) == set(texts))
        self.limit(what)
        self.texts[what] = dict(texts)

    def cpu_share(self):
        quota = self.limit(Limit.CPU)["quota"]
        return None if quota == "-1" else float(quota)

    def cpu(self):
        self.throttled += self.step
        return CpuUse(used_s=1, periods=9, throttled=self.throttled, throttled_s=0.1 * self.throttled)

    def memory(self):
        self.throttled += self.step
        return MemoryUse(
            used_bytes=self.used, working_bytes=self.used, limit_bytes=self.top, hits=self.throttled, kills=0
        )

    def disk(self):
        return DiskUse(read_bytes=0, written_bytes=0, writes=0)


@pytest.fixture
def group(monkeypatch):
    """The group of every service of the fake deployment; waiting is free."""
    FakeClock().install(monkeypatch.setattr)
    return FakeGroup()


@pytest.fixture
def deployment(tmp_path, group):
    """A deployment whose services have a control group while that is not gone."""
    made = fake_deployment(tmp_path / "deployment")
    made.offers[ControlGroup] = lambda _: None if group.gone else group
    return made


@pytest.mark.parametrize(
    ("quota", "step", "burns", "seen"),
    [("0.2", 2, True, True), ("0.2", 0, True, False), ("0.2", 2, False, False), ("0.9", 2, True, False),
     ("-1", 2, True, False)],
)  # fmt: skip
def test_contention_by_quota_is_seen_only_where_the_kernel_holds_the_group(
    deployment, group, monkeypatch, quota, step, burns, seen
):
    """The quota is the fault's, it bites, and something burns: one alone is not it."""
    from pytest_anomod.faults import cpu_contention

    group.texts[Limit.CPU]["quota"], group.step = quota, step
    burnt = iter([1.0, 1.5 if burns else 1.0])
    monkeypatch.setattr(cpu_contention, "_tree_cpu_s", lambda _: next(burnt))
    assert bool(CpuContention(duty_ms=20).active(deployment, TARGET)) is seen


def test_a_container_that_ends_under_a_look_is_not_held(deployment, group):
    """The files vanish with it: no error, and no fault."""
    deployment.offers[ControlGroup] = lambda _: group
    group.gone = True
    for fault in (CpuContention(), MemoryPressure(), DiskThrottle()):
        assert not fault.active(deployment, TARGET)


@pytest.mark.parametrize(
    ("top", "used", "step", "remembered", "seen"),
    [(110, 105, 1, True, True), (110, 105, 0, True, False), (110, 60, 1, True, False), (None, 105, 1, True, False),
     (110, 105, 1, False, False)],
)  # fmt: skip
def test_a_squeeze_is_seen_only_where_the_limit_is_hit(deployment, group, top, used, step, remembered, seen):
    """Nearly full, and hit between two looks; a limit that was there before is none of ours."""
    if remembered:
        deployment.originals.remember(f"memory_pressure {TARGET}", dict(FREE[Limit.MEMORY]))
    group.top, group.used, group.step = top, used, step
    group.texts[Limit.MEMORY]["limit"] = "max" if top is None else str(top)
    assert bool(MemoryPressure().active(deployment, TARGET)) is seen


@pytest.mark.parametrize(("kills", "seen"), [(7, True), (5, False)])
def test_a_kill_is_the_kernels_only_if_it_counted_one(deployment, monkeypatch, kills, seen):
    """A process that is away for another reason was not killed for want of memory."""
    deployment.originals.remember(f"memory_pressure kills {TARGET}", 5)
    monkeypatch.setattr(memory_pressure, "_kills", lambda: kills)
    away = dataclasses.replace(instance_of(deployment, TARGET), state="restarting")
    monkeypatch.setattr(deployment, "instances", lambda _: (away,))
    assert bool(MemoryPressure(outcome="kill").active(deployment, TARGET)) is seen


@pytest.mark.parametrize(
    ("text", "commit_s", "seen"),
    [("8:0 20", 0.05, True), ("8:0 20", 0.001, False), ("8:0 0", 0.05, False), ("8:0 20", None, True),
     ("8:0 rbps=max wbps=max riops=max wiops=20", 0.05, True), ("8:0 rbps=20", 0.001, False)],
)  # fmt: skip
def test_a_slow_disk_is_seen_only_with_the_limit_and_the_wait(deployment, group, monkeypatch, text, commit_s, seen):
    """Somebody else's load makes commits slow without a limit; a limit that is not reached slows nothing."""
    monkeypatch.setattr(disk_throttle, "disk", lambda _: "8:0")
    monkeypatch.setattr(disk_throttle._durable, "is_made", lambda *_: True)
    monkeypatch.setattr(disk_throttle._durable, "look", lambda *_: {"fsync": "on", "commit_s": commit_s})
    deployment.originals.remember(f"disk_throttle {TARGET}", dict(FREE[Limit.DISK]))
    deployment.originals.remember(f"disk_throttle quiet {TARGET}", 0.002)
    group.texts[Limit.DISK]["writes"] = text
    assert bool(DiskThrottle(writes_per_s=20).active(deployment, TARGET)) is seen


def test_what_was_remembered_is_put_back_once(deployment, group):
    """And forgotten then: the next fault reads the world anew."""
    deployment.originals.remember("key", dict(FREE[Limit.CPU]))
    group.texts[Limit.CPU]["quota"] = "0.2"
    for _ in range(2):
        _limits.put_back(deployment, TARGET, "key")
    assert group.texts[Limit.CPU] == FREE[Limit.CPU]
    assert deployment.originals.recall("key") is None


def test_a_container_that_is_gone_has_nothing_to_put_back(deployment, group):
    """Its limits went with it; a fault can't be put in either."""
    deployment.originals.remember("key", dict(FREE[Limit.CPU]))
    group.gone = True
    _limits.put_back(deployment, TARGET, "key")
    assert deployment.originals.recall("key") is None
    for fault in (MemoryPressure(), DiskThrottle()):
        with pytest.raises(InjectionError, match=r"no control group|no disk"):
            fault.inject(deployment, TARGET)


def test_a_limit_that_can_not_be_put_back_is_told(deployment, group, monkeypatch):
    """While the container lives on, nobody may believe that it is free."""
    deployment.originals.remember("key", {"other": "text"})
    monkeypatch.setattr(group, "put_back", lambda _: group.__class__(gone=True).limit(Limit.CPU))
    with pytest.raises(DeploymentError, match="gone"):
        _limits.put_back(deployment, TARGET, "key")
    assert deployment.originals.recall("key") == {"other": "text"}


def test_a_directory_on_no_disk_is_refused(tmp_path, monkeypatch):
    """In memory, or on a file system of several disks: there is no one disk to slow."""
    monkeypatch.setattr(disk_throttle, "_BLOCKS", tmp_path)
    with pytest.raises(InjectionError, match="ANOMOD_STATE_DIR"):
        disk_throttle.disk(tmp_path)


@pytest.mark.parametrize("fault", ["DiskThrottle()", "MemoryPressure()"])
@pytest.mark.parametrize(("pinned", "outcome"), [("", {"skipped": 1}), (", runtime='process'", {"errors": 1})])
def test_plain_processes_have_no_control_group_which_is_said_before_anything_starts(pytester, fault, pinned, outcome):
    """What the command line chose is skipped with what is missing; what the test itself asks for is its mistake."""
    pytester.makepyfile(
        "from pytest_anomod import anomaly\nfrom pytest_anomod.faults import *\n"
        f"@anomaly(system='social_network', fault={fault}, target='text-service'{pinned})\n"
        "def test_it(case):\n    case.run()\n"
    )
    result = pytester.runpytest("-rs", "--anomod-runtime=process")
    result.assert_outcomes(**outcome)
    result.stdout.fnmatch_lines(["*needs ControlGroup, which runtime 'process' does not have*"])
