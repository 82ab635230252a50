"""The control group of a container, found by a process in it: its limits and counters in the kernel's files, v1 and v2.

    /proc/PID/cgroup        1:cpu:/docker/ID            v1: a path for each controller, below that controller's mount
                            0::/system.slice/docker-ID  v2: one path for all of them
    /proc/self/mountinfo    ... /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu

Paths in both are as our own control group namespace sees them. What lies outside of it can't be reached.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_anomod.model.capability import CpuUse, DiskUse, Limit, MemoryUse
from pytest_anomod.model.errors import DeploymentError

PROC = Path("/proc")
UNLIMITED = 1 << 62
"""A limit of v1 from here on is none: it says the largest number of whole pages."""
_CONTROLLERS = ("cpu", "cpuacct", "memory", "blkio", "pids")
_SWAP = 1 << 20
_USEC, _NSEC = 1e6, 1e9

_V1_FILES: Mapping[Limit, tuple[str, ...]] = {
    Limit.CPU: ("cpu/cpu.cfs_period_us", "cpu/cpu.cfs_quota_us"),
    Limit.MEMORY: ("memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes"),
    Limit.DISK: ("blkio/blkio.throttle.write_iops_device", "blkio/blkio.throttle.write_bps_device"),
}
_V2_FILES: Mapping[Limit, tuple[str, ...]] = {
    Limit.CPU: ("cpu/cpu.max",),
    Limit.MEMORY: ("memory/memory.max", "memory/memory.swap.max"),
    Limit.DISK: ("blkio/io.max",),
}
_V2_NONE = "rbps=max wbps=max riops=max wiops=max"


def find(pid: int, proc: Path = PROC) -> ControlGroup | None:
    """The control group of a process; None when it is gone, has none of its own, or it can't be seen from here."""
    paths, own = _paths(proc / str(pid) / "cgroup"), _paths(proc / "self" / "cgroup")
    found: dict[str, Path] = {}
    for controller, (mount, root) in _mounts(proc).items():
        name = controller if controller in paths else ""
        path = paths.get(name)
        # never the root or our own group: a limit there would affect other processes
        if path is not None and path not in ("/", own.get(name)):
            with contextlib.suppress(ValueError):  # a path that leads out of what is mounted
                found[controller] = mount / Path(path).relative_to(root)
    version = 2 if (found.get("cpu") or Path()).joinpath("cpu.max").exists() else 1
    group = ControlGroup(version=version, directories=found)
    needed = [name for limit in (Limit.CPU, Limit.MEMORY) for name in group.files(limit)[:1]]
    return group if all(group.exists(name) for name in needed) else None


def may_write(proc: Path = PROC) -> bool:
    """Whether groups of containers can be expected to be ours to limit: the hierarchies are mounted and writable."""
    mounts = _mounts(proc)
    return all(name in mounts and os.access(mounts[name][0], os.W_OK) for name in ("cpu", "memory", "blkio"))


def limited_group(proc: Path = PROC) -> Path | None:
    """Of this process's control group and those above it, as far as can be seen, the one with the least CPU quota."""
    limits = {group: cores for group in _own_groups("cpu", proc) if (cores := _quota(group)) is not None}
    return min(limits, key=limits.__getitem__) if limits else None


def own_quota(proc: Path = PROC) -> float | None:
    """The cores that the CPU quota of our control group, or the least above it, comes to; None without any."""
    group = limited_group(proc)
    return None if group is None else _quota(group)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControlGroup:
    """The files of one group: a directory for each controller (v2: the same one for all)."""

    version: int
    directories: Mapping[str, Path]

    def files(self, limit: Limit) -> tuple[str, ...]:
        """Names (controller/file) of the files that hold a limit, in the order in which it is narrowed."""
        names = (_V2_FILES if self.version == 2 else _V1_FILES)[limit]
        return tuple(name for name in names[:1] + tuple(filter(self.exists, names[1:])))

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        controller, _, file = name.partition("/")
        return controller in self.directories and (self.directories[controller] / file).exists()

    @property
    def writable(self) -> bool:
        """Whether we may change limits of CPU and memory."""
        names = [*self.files(Limit.CPU), *self.files(Limit.MEMORY)]
        return all(os.access(self._path(name), os.W_OK) for name in names)

    @property
    def _no_disk_limit(self) -> str:
        return _V2_NONE if self.version == 2 else "0"

    # limits, as the kernel's own texts

    def limit(self, what: Limit, device: str = "") -> dict[str, str]:
        """The texts that put a limit back as it is now, by file; of a disk that of one device ("MAJ:MIN")."""
        texts = {name: self._read(name).strip() for name in self.files(what)}
        if what is not Limit.DISK:
            return texts
        return {name: f"{device} {_of_device(text, device) or self._no_disk_limit}" for name, text in texts.items()}

    def put_back(self, texts: Mapping[str, str]) -> None:
        """Write such texts and see that they hold; DeploymentError when they don't."""
        self._write_all(dict(reversed(list(texts.items()))))  # widened the other way round than it was narrowed
        for name, text in texts.items():
            device, _, wanted = text.partition(" ") if name.startswith("blkio/") else ("", "", text)
            now = self._read(name).strip()
            if (_of_device(now, device) or self._no_disk_limit if device else now) != wanted:
                msg = f"{self._path(name)} is {now!r} and not {text!r}, which was written to it"
                raise DeploymentError(msg)

    def limit_cpu(self, quota_us: int, period_us: int) -> None:
        """Let all of the group's processes together run so many microseconds of each period."""
        if self.version == 2:
            self._write_all({"cpu/cpu.max": f"{quota_us} {period_us}"})
        else:
            self._write_all({"cpu/cpu.cfs_period_us": str(period_us), "cpu/cpu.cfs_quota_us": str(quota_us)})

    def limit_memory(self, limit_bytes: int) -> None:
        """Let the group use so much memory, and next to no swap beyond it; DeploymentError while it uses more."""
        # v1 counts memory and swap together, first; if that were the limit that is hit, memory.failcnt would not grow
        swap = "0" if self.version == 2 else str(limit_bytes + _SWAP)
        self._write_all(dict(zip(self.files(Limit.MEMORY), (str(limit_bytes), swap), strict=False)))

    def limit_writes(self, device: str, writes_per_s: int = 0, bytes_per_s: int = 0) -> None:
        """Let the group write to a device ("MAJ:MIN", a whole disk) so often and so much a second; 0 for no limit."""
        if self.version == 2:
            texts = {"blkio/io.max": f"{device} wiops={writes_per_s or 'max'} wbps={bytes_per_s or 'max'}"}
        else:
            names = _V1_FILES[Limit.DISK]
            texts = {names[0]: f"{device} {writes_per_s}", names[1]: f"{device} {bytes_per_s}"}
        self._write_all(texts)

    # counters

    def cpu_share(self) -> float | None:
        """The cores that the limit comes to; None without one."""
        if self.version == 2:
            quota, period = self._read("cpu/cpu.max").split()
        else:
            period, quota = (self._read(name).strip() for name in _V1_FILES[Limit.CPU])
        return None if quota in ("max", "-1") else int(quota) / int(period)

    def cpu(self) -> CpuUse:
        """CPU seconds, and how often and how long the group was held to its limit."""
        stat = self._pairs("cpu/cpu.stat")
        throttled_s = stat.get("throttled_usec", 0) / _USEC if self.version == 2 else stat["throttled_time"] / _NSEC
        return CpuUse(
            used_s=self.cpu_s(),
            periods=stat.get("nr_periods", 0),
            throttled=stat.get("nr_throttled", 0),
            throttled_s=throttled_s,
        )

    def memory(self) -> MemoryUse:
        """Bytes used, those that are in use now, the limit, how often it was hit, and who was killed for it."""
        limit = self._read(self.files(Limit.MEMORY)[0]).strip()
        if self.version == 2:
            events = self._pairs("memory/memory.events")
            hits, kills = events["max"], events["oom_kill"]
        else:
            hits = int(self._read("memory/memory.failcnt"))
            kills = self._pairs("memory/memory.oom_control").get("oom_kill", 0)
        used, working = self.memory_bytes()
        limit_bytes = None if limit == "max" or int(limit) >= UNLIMITED else int(limit)
        return MemoryUse(used_bytes=used, working_bytes=working, limit_bytes=limit_bytes, hits=hits, kills=kills)

    def disk(self) -> DiskUse:
        """Bytes read from and written to all disks, and how many writes that were."""
        if self.version == 2:
            writes = sum(int(row.get("wios", 0)) for row in self._disk_rows())
        else:
            writes = self._by_operation("blkio.throttle.io_serviced").get("Write", 0)
        read, written = self.disk_bytes()
        return DiskUse(read_bytes=read, written_bytes=written, writes=writes)

    # the figures of every second: as few files as can be

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        if self.version == 2:
            return self._pairs("cpu/cpu.stat")["usage_usec"] / _USEC
        return int(self._read("cpuacct/cpuacct.usage")) / _NSEC

    def memory_bytes(self) -> tuple[int, int]:
        """Bytes used, and those that are not just idle page cache."""
        names = ("current", "inactive_file") if self.version == 2 else ("usage_in_bytes", "total_inactive_file")
        used = int(self._read(f"memory/memory.{names[0]}"))
        return used, max(0, used - self._pairs("memory/memory.stat")[names[1]])

    def disk_bytes(self) -> tuple[int, int]:
        """Bytes read from and written to all disks."""
        if self.version == 2:
            rows = self._disk_rows()
            return sum(int(row.get("rbytes", 0)) for row in rows), sum(int(row.get("wbytes", 0)) for row in rows)
        moved = self._by_operation("blkio.throttle.io_service_bytes")
        return moved.get("Read", 0), moved.get("Write", 0)

    def tasks(self) -> int:
        """Threads in the group; 0 where nobody counts them."""
        return int(self._read("pids/pids.current")) if self.exists("pids/pids.current") else 0

    def _disk_rows(self) -> list[dict[str, str]]:
        return [dict(word.partition("=")[::2] for word in line.split()[1:]) for line in self._lines("io.stat")]

    def _by_operation(self, file: str) -> dict[str, int]:
        sums: dict[str, int] = {}
        for line in self._lines(file):
            words = line.split()
            if len(words) == 3:  # "254:0 Write 4096"; the last line is a total
                sums[words[1]] = sums.get(words[1], 0) + int(words[2])
        return sums

    def _lines(self, file: str) -> list[str]:
        return self._read(f"blkio/{file}").splitlines() if self.exists(f"blkio/{file}") else []

    def _pairs(self, name: str) -> dict[str, int]:
        return {key: int(value) for key, value in (line.split() for line in self._read(name).splitlines())}

    def _path(self, name: str) -> Path:
        controller, _, file = name.partition("/")
        if controller not in self.directories:
            msg = f"this kernel has no controller {controller!r}, so there is no {file} for the container"
            raise DeploymentError(msg)
        return self.directories[controller] / file

    def _read(self, name: str) -> str:
        path = self._path(name)
        try:
            return path.read_text()
        except OSError as error:
            msg = f"{path} can't be read: {error.strerror}; is its container gone?"
            raise DeploymentError(msg) from error

    def _write_all(self, texts: Mapping[str, str]) -> None:
        """Write in this order; where the kernel wants a limit and the wider one next to it the other way, in that."""
        try:
            for name, text in texts.items():
                self._write(name, text)
        except DeploymentError:
            if len(texts) < 2:
                raise
            for name, text in reversed(list(texts.items())):
                self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        path = self._path(name)
        try:
            # no file is created: writing to a group that is gone must fail
            with open(os.open(path, os.O_WRONLY | os.O_TRUNC), "w") as file:
                file.write(text)
        except OSError as error:
            msg = f"{text!r} can't be written to {path}: {error.strerror}"
            raise DeploymentError(msg) from error


def _own_groups(controller: str, proc: Path) -> tuple[Path, ...]:
    """The directory of our own group, and of those above it up to what is mounted."""
    paths, mounts = _paths(proc / "self" / "cgroup"), _mounts(proc)
    path = paths.get(controller if controller in paths else "")
    if controller not in mounts or path is None:
        return ()
    mount, root = mounts[controller]
    try:
        inside = Path(path).relative_to(root)
    except ValueError:  # named as another namespace sees it: what is mounted is what there is
        return (mount,)
    return tuple(mount / one for one in (inside, *inside.parents))


def _quota(directory: Path) -> float | None:
    """The cores that a group's CPU quota comes to; None without one, as in the root group, or if it can't be read."""
    with contextlib.suppress(DeploymentError, OSError):
        for version, file in ((2, "cpu.max"), (1, "cpu.cfs_quota_us")):
            if (directory / file).exists():
                return ControlGroup(version=version, directories={"cpu": directory}).cpu_share()
    return None


def _paths(path: Path) -> dict[str, str]:
    """Where a process is in each hierarchy, by controller; "" for the unified one."""
    found = {}
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            _, controllers, where = line.split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), where))
    return found


def _mounts(proc: Path) -> dict[str, tuple[Path, str]]:
    """Where each controller is mounted, and which part of its hierarchy; v2 only where v1 has not got it."""
    unified: tuple[Path, str] | None = None
    found: dict[str, tuple[Path, str]] = {}
    for kind, options, mount, root in _mount_lines(proc):
        if kind == "cgroup2":
            unified = mount, root
        for controller in set(options.split(",")).intersection(_CONTROLLERS):
            if kind == "cgroup":
                found[controller] = mount, root
    return dict.fromkeys(_CONTROLLERS, unified) | found if unified else found


def _mount_lines(proc: Path) -> Iterator[tuple[str, str, Path, str]]:
    """File system, its options, mount point and root of every mount."""
    with contextlib.suppress(OSError):
        for line in (proc / "self" / "mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            words, rest = left.split(), right.split()
            yield rest[0], rest[-1], Path(words[4].replace("\\040", " ")), words[3]


def _of_device(text: str, device: str) -> str:
    """What a file with a line for each device says of one; "" for nothing."""
    lines = (line.partition(" ") for line in text.splitlines())
    return next((rest for name, _, rest in lines if name == device), "")
