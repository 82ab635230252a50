"""Control groups by their files, version 1 and 2, as trees of files that look like the kernel's."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from pytest_anomod.host import cgroups, cores
from pytest_anomod.model.capability import CpuUse, DiskUse, Limit, MemoryUse
from pytest_anomod.model.errors import DeploymentError

PID, DISK = 4711, "8:0"
V1 = {
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.stat": "nr_periods 40\nnr_throttled 30\nthrottled_time 2500000000\n",
    "cpuacct/cpuacct.usage": "7250000000\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.usage_in_bytes": "50000000\n",
    "memory/memory.failcnt": "12\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory/memory.stat": "cache 9\ninactive_file 1\ntotal_inactive_file 20000000\n",
    "blkio/blkio.throttle.write_iops_device": "",
    "blkio/blkio.throttle.write_bps_device": "7:1 99\n",
    "blkio/blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 100\n8:16 Write 20\nTotal 4216\n",
    "blkio/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 5\nTotal 6\n",
    "pids/pids.current": "9\n",
}
V2 = {
    "cpu.max": "max 100000\n",
    "cpu.stat": "usage_usec 7250000\nuser_usec 1\nnr_periods 40\nnr_throttled 30\nthrottled_usec 2500000\n",
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.current": "50000000\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\n",
    "memory.stat": "anon 5\ninactive_file 20000000\n",
    "io.max": "7:1 rbps=max wbps=99 riops=max wiops=max\n",
    "io.stat": "8:0 rbytes=4096 wbytes=100 rios=1 wios=5 dbytes=0 dios=0\n8:16 rbytes=0 wbytes=20 rios=0 wios=0\n",
    "pids.current": "9\n",
}


@dataclasses.dataclass
class Tree:
    """A machine in a directory: its /proc, and the directory with the files of one container's group."""

    proc: Path
    base: Path

    def text(self, name: str) -> str:
        return (self.base / name).read_text()

    def found(self) -> cgroups.ControlGroup:
        group = cgroups.find(PID, self.proc)
        assert group is not None
        return group


def place(proc: Path, paths: str, own: str, mounts: str) -> None:
    """What /proc says of a container's process, of ourselves, and of what is mounted."""
    (proc / str(PID)).mkdir(parents=True)
    (proc / "self").mkdir()
    (proc / str(PID) / "cgroup").write_text(paths)
    (proc / "self" / "cgroup").write_text(own)
    (proc / "self" / "mountinfo").write_text(mounts)


def make_v1(tmp_path: Path) -> Tree:
    """A hierarchy for each controller, two of them together, and an empty unified one."""
    base, mounts, paths = tmp_path / "group", "", ""
    for number, names in enumerate(("cpu,cpuacct", "memory", "blkio", "pids"), 2):
        mount = tmp_path / "sys" / names
        (mount / "docker" / "abc").mkdir(parents=True)
        for name in names.split(","):
            base.mkdir(exist_ok=True)
            (base / name).symlink_to(mount / "docker" / "abc")
        mounts += f"3{number} 31 0:{number} / {mount} rw,relatime shared:9 - cgroup cgroup rw,{names}\n"
        paths += f"{number}:{names}:/docker/abc\n"
    for name, text in V1.items():
        (base / name).write_text(text)
    mounts += f"41 31 0:38 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n23 27 0:22 / /sys rw - sysfs sysfs rw\n"
    place(tmp_path / "proc", paths + "0::/docker/abc\n", "2:cpu,cpuacct:/\n4:memory:/user\n0::/\n", mounts)
    return Tree(tmp_path / "proc", base)


def make_v2(tmp_path: Path) -> Tree:
    """One hierarchy, of which a part is mounted, as it is in a container."""
    base = tmp_path / "sys" / "docker-abc.scope"
    base.mkdir(parents=True)
    for name, text in V2.items():
        (base / name).write_text(text)
    mounts = f"30 23 0:26 /part {tmp_path}/sys rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    place(tmp_path / "proc", "0::/part/docker-abc.scope\n", "0::/part/me\n", mounts)
    return Tree(tmp_path / "proc", base)


MAKERS = {1: make_v1, 2: make_v2}


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def tree(request, tmp_path):
    """The same container on machines of either version."""
    made = MAKERS[request.param](tmp_path)
    assert made.found().version == request.param
    return made


def test_counters_are_the_same_figures_in_either_version(tree):
    """Seconds and bytes, whatever the files count in; memory less the cache that is idle."""
    group = tree.found()
    assert group.cpu() == CpuUse(used_s=7.25, periods=40, throttled=30, throttled_s=2.5)
    assert group.memory() == MemoryUse(
        used_bytes=50_000_000, working_bytes=30_000_000, limit_bytes=None, hits=12, kills=3
    )
    assert group.disk() == DiskUse(read_bytes=4096, written_bytes=120, writes=5)
    assert group.tasks() == 9
    assert group.cpu_share() is None


def test_limits_of_version_1_are_written_as_its_kernel_wants_them(tmp_path):
    """A file for each number; memory before memory with swap, which can't be the smaller one."""
    tree = make_v1(tmp_path)
    group = tree.found()
    group.limit_cpu(20_000, 50_000)
    group.limit_memory(64 << 20)
    group.limit_writes(DISK, writes_per_s=8)
    assert tree.text("cpu/cpu.cfs_quota_us") == "20000"
    assert tree.text("cpu/cpu.cfs_period_us") == "50000"
    assert int(tree.text("memory/memory.limit_in_bytes")) == 64 << 20
    assert int(tree.text("memory/memory.memsw.limit_in_bytes")) >= 64 << 20
    assert tree.text("blkio/blkio.throttle.write_iops_device") == "8:0 8"
    assert tree.text("blkio/blkio.throttle.write_bps_device") == "8:0 0"
    assert group.cpu_share() == 0.4
    assert group.memory().limit_bytes == 64 << 20
    assert list(group.files(Limit.MEMORY)) == ["memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes"]


def test_limits_of_version_2_are_written_as_its_kernel_wants_them(tmp_path):
    """No swap instead of a sum, and all numbers of a disk in a line."""
    tree = make_v2(tmp_path)
    group = tree.found()
    group.limit_cpu(20_000, 50_000)
    group.limit_memory(64 << 20)
    group.limit_writes(DISK, bytes_per_s=1 << 20)
    assert tree.text("cpu.max") == "20000 50000"
    assert tree.text("memory.max") == str(64 << 20)
    assert tree.text("memory.swap.max") == "0"
    assert tree.text("io.max") == "8:0 wiops=max wbps=1048576"
    assert group.cpu_share() == 0.4
    assert group.memory().limit_bytes == 64 << 20


def test_originals_are_the_kernels_own_texts(tree):
    """No limit at all, as each version says it; of other disks nothing."""
    group = tree.found()
    texts = [group.limit(what, DISK) for what in Limit]
    if group.version == 1:
        unlimited = "9223372036854771712"
        assert texts == [
            {"cpu/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1"},
            {"memory/memory.limit_in_bytes": unlimited, "memory/memory.memsw.limit_in_bytes": unlimited},
            {"blkio/blkio.throttle.write_iops_device": "8:0 0", "blkio/blkio.throttle.write_bps_device": "8:0 0"},
        ]
    else:
        assert texts == [
            {"cpu/cpu.max": "max 100000"},
            {"memory/memory.max": "max", "memory/memory.swap.max": "max"},
            {"blkio/io.max": "8:0 rbps=max wbps=max riops=max wiops=max"},
        ]


def test_a_disk_that_had_a_limit_gets_it_back(tree):
    """The line of that disk, not of another."""
    group = tree.found()
    before = group.limit(Limit.DISK, "7:1")
    assert any("99" in text for text in before.values())
    if group.version == 2:
        group.put_back(before)
        assert tree.text("io.max").strip() == V2["io.max"].strip()


def test_what_was_limited_is_put_back(tree):
    """CPU and memory; a file here holds what was written last, as the kernel's do."""
    group = tree.found()
    before = {what: group.limit(what) for what in (Limit.CPU, Limit.MEMORY)}
    group.limit_cpu(20_000, 50_000)
    group.limit_memory(64 << 20)
    for texts in before.values():
        group.put_back(texts)
    assert {what: group.limit(what) for what in before} == before


def test_a_kernel_that_wants_the_wider_limit_first_gets_it_so(tmp_path, monkeypatch):
    """A limit that is raised: version 1 refuses memory above memory with swap."""
    tree = make_v1(tmp_path)
    group, order = tree.found(), []
    group.limit_memory(64 << 20)
    write = cgroups.ControlGroup._write

    def choosy(self, name, text):
        order.append(name)
        both = "memory/memory.memsw.limit_in_bytes"
        if name != both and int(text) > int(tree.text(both)):
            msg = "Invalid argument"
            raise DeploymentError(msg)
        write(self, name, text)

    monkeypatch.setattr(cgroups.ControlGroup, "_write", choosy)
    group.limit_memory(128 << 20)
    assert group.memory().limit_bytes == 128 << 20
    assert order[0] == "memory/memory.limit_in_bytes"


def test_a_limit_that_does_not_come_back_is_told(tree, monkeypatch):
    """Whatever the kernel made of it, with the file and both texts."""
    group = tree.found()
    group.limit_cpu(20_000, 50_000)
    monkeypatch.setattr(cgroups.ControlGroup, "_write", lambda *_: None)
    with pytest.raises(DeploymentError, match=r"cpu\.\S+ is '\d+.* and not '.*written"):
        group.put_back({"cpu/cpu.max": "max 100000"} if group.version == 2 else {"cpu/cpu.cfs_quota_us": "-1"})


def test_a_group_that_is_gone_is_told_and_nothing_is_made_in_its_place(tree):
    """Its container ended: no file may come into being where it was."""
    group = tree.found()
    for directory in {path.resolve() for path in group.directories.values()}:
        shutil.rmtree(directory)
    with pytest.raises(DeploymentError, match="gone"):
        group.cpu()
    with pytest.raises(DeploymentError, match="can't be written"):
        group.limit_cpu(20_000, 50_000)
    assert cgroups.find(PID, tree.proc) is None


def test_the_root_and_our_own_group_are_nobodys_container(tree):
    """A limit there would hold everybody, or ourselves."""
    own = (tree.proc / "self" / "cgroup").read_text()
    for paths in ("2:cpu,cpuacct:/\n4:memory:/\n5:blkio:/\n0::/\n", own):
        (tree.proc / str(PID) / "cgroup").write_text(paths)
        assert cgroups.find(PID, tree.proc) is None


def test_a_process_that_is_gone_or_elsewhere_has_none(tree):
    """No such process; a path outside of what is mounted here; nothing mounted at all."""
    assert cgroups.find(PID + 1, tree.proc) is None
    (tree.proc / str(PID) / "cgroup").write_text("0::/../elsewhere\n2:cpu,cpuacct:/../x\n3:memory:/../x\n")
    assert cgroups.find(PID, tree.proc) is None
    (tree.proc / "self" / "mountinfo").write_text("23 27 0:22 / /sys rw - sysfs sysfs rw\n")
    assert cgroups.find(PID, tree.proc) is None
    assert not cgroups.may_write(tree.proc)


def test_hierarchies_that_are_ours_to_write_to_are_seen(tree):
    """Mounted, and writable by this user."""
    assert cgroups.may_write(tree.proc)
    assert tree.found().writable


def test_without_a_controller_for_disks_the_rest_works(tmp_path):
    """Some kernels have none: figures are 0, and a limit is refused by name."""
    tree = make_v1(tmp_path)
    lines = (tree.proc / "self" / "mountinfo").read_text().splitlines(keepends=True)
    (tree.proc / "self" / "mountinfo").write_text("".join(line for line in lines if "rw,blkio" not in line))
    (tree.proc / str(PID) / "cgroup").write_text(
        "2:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n5:pids:/docker/abc\n"
    )
    group = tree.found()
    assert group.disk() == DiskUse(read_bytes=0, written_bytes=0, writes=0)
    assert group.tasks() == 9
    with pytest.raises(DeploymentError, match="no controller 'blkio'"):
        group.limit_writes(DISK, writes_per_s=8)


@pytest.mark.parametrize(
    ("limits", "quota", "limited"),
    [
        ({"job": "max 100000", "job/step": "max 100000"}, None, None),
        ({"job": "150000 100000", "job/step": "max 100000"}, 1.5, "job"),
        ({"job": "400000 100000", "job/step": "50000 100000"}, 0.5, "job/step"),
    ],
)
def test_our_own_quota_is_the_least_of_our_group_and_those_above(tmp_path, monkeypatch, limits, quota, limited):
    """v2; the root group has no such file."""
    proc, base = tmp_path / "proc", tmp_path / "groups"
    place(proc, "0::/other\n", "0::/job/step\n", f"30 23 0:27 / {base} rw - cgroup2 cgroup rw\n")
    for name, text in limits.items():
        (base / name).mkdir(parents=True)
        (base / name / "cpu.max").write_text(text + "\n")
    assert cgroups.own_quota(proc) == quota
    assert cgroups.limited_group(proc) == (limited and base / limited)
    monkeypatch.setattr(cores.cgroups, "own_quota", lambda: quota)
    cores._quota.cache_clear()
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {0, 1})
    try:
        assert cores.usable_cores() == min(2.0, quota or 2.0)
    finally:
        cores._quota.cache_clear()


@pytest.mark.parametrize(("own", "root"), [("/docker/one", "/docker/one"), ("/", "/"), ("/../out", "/in")])
def test_our_own_quota_of_v1_wherever_it_is_mounted(tmp_path, own, root):
    """In a container the group is what is mounted, by whatever name."""
    proc, base = tmp_path / "proc", tmp_path / "cpu"
    place(proc, "1:cpu:/other\n", f"1:cpu:{own}\n", f"30 23 0:27 {root} {base} rw - cgroup cgroup rw,cpu\n")
    base.mkdir()
    (base / "cpu.cfs_period_us").write_text("100000\n")
    for text, quota in (("-1\n", None), ("75000\n", 0.75)):
        (base / "cpu.cfs_quota_us").write_text(text)
        assert cgroups.own_quota(proc) == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cgroups.own_quota(tmp_path) is None
