"""`anomod doctor`: says what this machine has, and what can't be done without each missing thing."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Sequence

from pytest_anomod.injectors.chaosblade.blade import find_home, lacks
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.runtimes._machine import MIB, PYTHONS, Machine, survey
from pytest_anomod.workloads import evomaster

LEAST_MIB, TRAIN_TICKET_MIB = 600, 1_600
"""Memory for SocialNetwork (180 MB) with pytest and its libraries, and for TrainTicket (1.2 GiB) with them."""
LEAST_DISK_MIB = 1_024
IN_MEMORY = ("tmpfs", "ramfs")
_WIDTHS = (18, 7, 44)
_COST = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing: is it there, what was found, and what can't be done without it; `required` for the default to work."""

    thing: str
    there: bool
    found: str
    cost: str = ""
    required: bool = False

    @property
    def state(self) -> str:
        """ok, missing, or, where nothing works without it, MISSING."""
        return "ok" if self.there else ("MISSING" if self.required else "missing")


def examine() -> Machine:
    """This machine as it is."""
    home = find_home()
    wanted = ("process", "redis")
    missing = [] if home is None else [why for why in (lacks(home, target) for target in wanted) if why]
    found, why = _evomaster()
    return survey(blade_home=str(home or ""), blade_lacks=missing, evomaster=found, no_evomaster=why)


def _evomaster() -> tuple[str, str]:
    """Where EvoMaster is, or why there is none."""
    try:
        return evomaster.find().found, ""
    except ScenarioError as error:
        return "", str(error).partition(": set ")[0]


def rows(machine: Machine) -> tuple[Row, ...]:
    """Everything that is looked at, what the default needs first."""
    return (*_default(machine), *_containers(machine), *_extras(machine), *_agents(machine))


def works(found: Sequence[Row]) -> bool:
    """Whether the default (`pytest experiments/` on the process runtime) works here."""
    return all(row.there for row in found if row.required)


def render(found: Sequence[Row]) -> str:
    """The table, and one sentence below it."""
    lines = _line(("thing", "state", "found", "without it"))
    for row in found:
        lines += _line((row.thing, row.state, row.found, "" if row.there else row.cost))
    missing = ", ".join(row.thing for row in found if row.required and not row.there)
    verdict = f"the default does not work here: {missing}" if missing else "the default works: pytest experiments/ -n 4"
    return "\n".join([*lines, "", verdict])


def _default(machine: Machine) -> Iterator[Row]:
    """What the process runtime and its replicas need."""
    supported = machine.system in ("Linux", "Darwin")
    yield Row(
        thing="operating system",
        there=supported,
        found=f"{machine.description}, {machine.cores} cores",
        cost="nothing runs: Linux or macOS is needed",
        required=True,
    )
    version = tuple(int(number) for number in re.findall(r"\d+", machine.python)[:2])
    yield Row(
        thing="Python",
        there=version >= (3, 11),
        found=machine.python,
        cost="nothing runs: Python 3.11 or newer is needed",
        required=True,
    )
    yield Row(
        thing="stores and servers",
        there=not machine.missing_wheels,
        found=f"not installed: {', '.join(machine.missing_wheels)}" if machine.missing_wheels else "all wheels",
        cost='no replica runs as processes: pip install "pytest-anomod[replicas]"',
        required=True,
    )
    yield from _memory(machine)
    yield from _state(machine)


def _memory(machine: Machine) -> Iterator[Row]:
    available = machine.available_mib
    yield Row(
        thing="memory",
        there=available is None or available >= LEAST_MIB,
        found="can't be told" if available is None else f"{available:,} MiB available",
        cost=f"no system comes up: {LEAST_MIB} MiB are needed for SocialNetwork",
        required=True,
    )
    workers = "as many as you like" if available is None else f"{available // TRAIN_TICKET_MIB} at a time (-n)"
    yield Row(
        thing="memory for more",
        there=available is None or available >= TRAIN_TICKET_MIB,
        found=f"TrainTicket {workers}",
        cost=f"no scenario of train_ticket: {TRAIN_TICKET_MIB:,} MiB are needed each",
    )
    yield Row(
        thing="shared memory",
        there=not machine.no_shared_memory,
        found=machine.no_shared_memory or "System V segments can be made",
        cost="no PostgreSQL starts, so no system comes up",
        required=True,
    )


def _state(machine: Machine) -> Iterator[Row]:
    free = machine.state_free_mib
    yield Row(
        thing="state directory",
        there=not machine.no_state and free >= LEAST_DISK_MIB,
        found=machine.no_state or f"{machine.state_directory}, {free * MIB / 1e9:.1f} GB free",
        cost=f"nothing runs: set ANOMOD_STATE_DIR to a directory of yours with {LEAST_DISK_MIB} MiB",
        required=True,
    )
    yield Row(
        thing="disk below it",
        there=machine.state_filesystem not in IN_MEMORY,
        found=machine.state_filesystem or "can't be told",
        cost="disk_stress (perf_disk_io_stress): set ANOMOD_STATE_DIR to a directory on a disk",
    )
    yield Row(
        thing="pressure",
        there=not machine.no_pressure,
        found=machine.no_pressure or "stall information of the kernel can be read",
        cost="how busy the machine was is told by run delays of our own tasks, else the run queue, else our own lag",
    )
    yield Row(
        thing="pidfd",
        there=machine.pidfd,
        found="yes" if machine.pidfd else "no",
        cost="the guardian notices a killed pytest by polling, a little later",
    )


def _containers(machine: Machine) -> Iterator[Row]:
    """What the runtime `docker` needs, and the kernel's part in faults of containers."""
    yield Row(
        thing="Docker daemon",
        there=bool(machine.docker),
        found=f"version {machine.docker}" if machine.docker else machine.no_docker,
        cost="--anomod-runtime docker; systems run as processes",
    )
    yield Row(
        thing="docker compose",
        there=not machine.no_compose,
        found=machine.no_compose or f"version {machine.compose}",
        cost="systems defined by compose files (compose_system)",
    )
    if machine.docker:
        yield Row(
            thing="Docker image",
            there=not machine.no_image,
            found=f"{machine.image} {machine.no_image}".strip(),
            cost="the first run on docker has to build it",
        )
    yield Row(thing="auto takes", there=True, found=machine.auto, cost="a runtime has to be named")
    yield Row(
        thing="cgroups",
        there=machine.cgroup > 0,
        found=f"version {machine.cgroup}" if machine.cgroup else "none mounted",
        cost="limits on CPU, memory and disk in containers",
    )
    yield Row(
        thing="cgroups writable",
        there=machine.cgroup_writable,
        found=f"{'yes' if machine.cgroup_writable else 'no'}: the groups of CPU, memory and disk",
        cost="in containers: limits by quota, for which signals and stores' own limits stand in",
    )
    yield Row(
        thing="netem",
        there=not machine.no_netem,
        found=machine.no_netem or "works in a network namespace",
        cost="in containers: loss by the kernel's queue, for which other means stand in; ChaosBlade's delay and loss",
    )
    yield Row(
        thing="iptables statistic",
        there=not machine.no_statistic,
        found=machine.no_statistic or "works in a network namespace",
        cost="in containers: packet loss without netem",
    )


def _extras(machine: Machine) -> Iterator[Row]:
    """What only some want."""
    lacking = "; ".join(machine.blade_lacks)
    yield Row(
        thing="ChaosBlade",
        there=bool(machine.blade_home) and not lacking,
        found=lacking or machine.blade_home or "no blade on PATH or in ANOMOD_BLADE_HOME",
        cost=("some of " if machine.blade_home else "") + "--anomod-injector chaosblade; see scripts/build_blade.py",
    )
    yield Row(
        thing="Go",
        there=bool(machine.go),
        found=machine.go or "no go on PATH",
        cost="building a home of ChaosBlade here",
    )
    yield Row(
        thing="EvoMaster",
        there=bool(machine.evomaster),
        found=machine.evomaster or machine.no_evomaster,
        cost=f"--anomod-workload evomaster; set {evomaster.JAR}, or docker pull {evomaster.IMAGE}",
    )
    absent = [version for version in PYTHONS if version not in machine.pythons]
    yield Row(
        thing="Pythons for tox",
        there=not absent,
        found=", ".join(machine.pythons) or "none",
        cost=f"tox skips the tests on {', '.join(absent)}",
    )


def _agents(machine: Machine) -> Iterator[Row]:
    """What is put into other people's services, by language."""
    for name, place in machine.agents:
        yield Row(
            thing=f"agents: {name}",
            there=bool(place),
            found=place or "not fetched",
            cost=f"traces, coverage and code faults of {name} services of yours: anomod agents fetch {name}",
        )


def _line(cells: Sequence[str]) -> list[str]:
    """A row of the table in as many lines as it takes."""
    folded = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, (*_WIDTHS, _COST), strict=True)]
    count = max(map(len, folded))
    lines = []
    for number in range(count):
        parts = [column[number] if number < len(column) else "" for column in folded]
        text = "  ".join(part.ljust(width) for part, width in zip(parts, (*_WIDTHS, 0), strict=True))
        lines.append(text.rstrip())
    return lines
