"""What a deployment in containers has on this machine while it runs, and what of it is left afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import re
import shutil
import subprocess
from pathlib import Path

from container_demo import ours

from pytest_anomod.host import ports, processes
from pytest_anomod.runtimes.docker import engine as docker_engine

CGROUPS = ("/sys/fs/cgroup/{}docker/{}", "/sys/fs/cgroup/{}system.slice/docker-{}.scope")
"""Where engines keep the control group of a container, in hierarchies (`*/`) or in the one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Belongings:
    """Of one deployment: containers, networks, volumes, processes, ports, rules, control groups, directory."""

    engine: object
    label: str
    tag: str
    session: Path
    ids: tuple[str, ...]
    bridges: tuple[str, ...]
    volumes: tuple[str, ...]
    processes: dict[int, float]
    ports: tuple[int, ...]

    @classmethod
    def of(cls, engine, ref: dict) -> Belongings:
        """All that belongs to the deployment of that ref now."""
        label = f"{docker_engine.DEPLOYMENT}={ref['id']}"
        found = engine.api.containers(all=True, filters={"label": label})
        ids = tuple(one["Id"] for one in found)
        mounts = [mount for one in found for mount in one["Mounts"]]
        block = range(ref["base_port"], ref["base_port"] + ports.BLOCK)
        return cls(
            engine=engine,
            label=label,
            tag=ref["tag"],
            session=Path(ref["directory"]).parents[1],
            ids=ids,
            bridges=tuple(f"br-{one['Id'][:12]}" for one in engine.api.networks(filters={"label": label})),
            volumes=tuple(mount["Name"] for mount in mounts if mount["Type"] == "volume"),
            processes=_processes_of(ids) | processes.tagged(lambda tag: tag == ref["tag"]),
            ports=tuple(port for port in block if not ports.is_free(port)),
        )

    def left(self) -> list[str]:
        """A line for each thing that is still there."""
        volumes = {row["Name"] for row in self.engine.api.volumes()["Volumes"] or ()}
        known = self.processes | _processes_of(self.ids) | processes.tagged(lambda tag: tag == self.tag)
        left = [f"on the engine: {name}" for name in ours(self.engine, self.label)]
        left += [f"volume {name}" for name in self.volumes if name in volumes]
        left += [f"process {pid}" for pid, started in known.items() if processes.is_same(pid, started)]
        left += [f"port {port}" for port in self.ports if not ports.is_free(port)]
        left += [f"interface {name}" for name in self.bridges if Path("/sys/class/net", name).exists()]
        left += [f"rule {rule}" for rule in rules() if any(name in rule for name in self.bridges)]
        left += [f"control group {path}" for path in self._control_groups()]
        left += [f"mount {line}" for line in _mounts() if any(one in line for one in self.ids)]
        return left + [f"directory {path}" for path in [self.session] if path.exists()]

    def _control_groups(self) -> list[str]:
        patterns = [pattern.format(level, one) for pattern in CGROUPS for level in ("*/", "") for one in self.ids]
        return [path for pattern in patterns for path in glob.glob(pattern)]


def rules() -> list[str]:
    """This machine's rules of packets, without their counters; none where they can't be seen."""
    if shutil.which("iptables-save") is None:
        return []
    done = subprocess.run(["iptables-save"], capture_output=True, text=True)
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in done.stdout.splitlines() if not line.startswith("#")]


def _processes_of(ids: tuple[str, ...]) -> dict[int, float]:
    """Processes in the control groups of containers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (path / "cgroup").read_text()
            started = processes.start_time(int(path.name)) if any(one in text for one in ids) else None
            if started is not None:
                found[int(path.name)] = started
    return found


def _mounts() -> list[str]:
    with contextlib.suppress(OSError):
        return Path("/proc/mounts").read_text().splitlines()
    return []
