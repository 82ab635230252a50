"""The `anomaly` decorator: a test function becomes a scenario, and what can't work is said at collection."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Level
from pytest_anomod.model.scenario import Durations, Scenario
from pytest_anomod.model.severity import at_severity
from pytest_anomod.model.system import System
from pytest_anomod.model.verdict import ANY, PROVING, Verdict
from pytest_anomod.model.workload import OpenLoop, Workload

ATTRIBUTE = "__anomod_declaration__"
EXPECTABLE = (*PROVING, ANY)

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a test declares; it becomes a Scenario once the command line is known."""

    system: System
    fault: Fault
    target: str
    level: Level
    workload: Workload
    durations: Durations | None
    expects: str
    runtime: str | None
    injector: str | None
    severity: int | None = None
    name: str = ""
    """Name of the scenario; "" for that of its test."""
    is_original: bool = False
    """Whether the command line has put the system that a replica stands for in the replica's place."""
    unfit: str = ""
    """Why that system can't have the scenario; "" when it can."""

    def scenario(
        self, name: str, *, durations: Durations, rate_rps: float | None, seed: int, workload: Workload | None = None
    ) -> Scenario:
        """The scenario of one case; a rate or durations set on the test win over the command line's.

        A workload given here replaces the test's own.
        """
        workload = workload or self.workload
        if workload.rate_rps is None:
            workload = dataclasses.replace(workload, rate_rps=rate_rps or workload.usual_rps or self.system.rate_rps)
        return Scenario(
            name=name,
            system=self.system.name,
            fault=self.fault,
            target=self.target,
            level=self.level,
            workload=workload,
            durations=self.durations or durations,
            seed=case_seed(seed, name),
            expects=self.expects,
            severity=self.severity,
        )


def scenario(
    *,
    system: str,
    fault: Fault | None = None,
    target: str | None = None,
    level: Level | str | None = None,
    workload: Workload | None = None,
    durations: Durations | None = None,
    expects: Verdict | str | None = None,
    runtime: str | None = None,
    injector: str | None = None,
    severity: int | None = None,
    name: str = "",
) -> Declaration:
    """A scenario: `fault` is put into `target` of `system` while the workload runs.

    Without a fault it is a control, which passes when nothing is found. `level` defaults to the fault's own. `expects`
    is the verdict that passes: effective unless said otherwise; "any" takes effective, tolerated and silent, that is
    any proof that the fault was in, whatever users felt of it. `runtime` and `injector` pin what the command line would
    choose. `severity` sets the fault's dial, from 1 (at the edge of what users notice) to 5 (outage). `name` is for one
    of several (`anomalies`), and made of fault, target and severity unless given. Raises ScenarioError, while the file
    is collected, for anything that can't work.
    """
    definition = catalog.find("systems", system)
    chosen = fault if fault is not None else catalog.make_fault("no_fault", {})
    offered = catalog.offers("faults").get(chosen.name, type(chosen))
    if type(chosen) is not offered:  # the experiment knows faults by their names, and would put the other one in
        msg = f"fault {type(chosen)!r} has the name of another, {chosen.name!r} of {offered!r}; give it one of its own"
        raise ScenarioError(msg)
    if severity is not None:
        chosen = at_severity(chosen, severity)
    control = chosen.level is Level.NORMAL
    aim = target or (definition.entry if control else None)
    if aim is None:
        msg = f"fault {chosen.name!r} on system {system!r} needs a target: one of its services"
        raise ScenarioError(msg)
    definition.service(aim)
    chosen.check(definition, aim)
    wanted = _expected(expects, control=control)
    return Declaration(
        system=definition,
        fault=chosen,
        target=aim,
        level=_level(level, chosen),
        workload=_checked_mix(workload or definition.workload or OpenLoop(), definition),
        durations=durations,
        expects=wanted,
        runtime=runtime and catalog.find("runtimes", runtime).name,
        injector=injector and catalog.find("injectors", injector).name,
        severity=severity,
        name=_checked_name(name),
    )


def anomaly(
    *,
    system: str,
    fault: Fault | None = None,
    target: str | None = None,
    level: Level | str | None = None,
    workload: Workload | None = None,
    durations: Durations | None = None,
    expects: Verdict | str | None = None,
    runtime: str | None = None,
    injector: str | None = None,
    severity: int | None = None,
) -> Callable[[Test], Test]:
    """Declare a test as a scenario, which is called as the test is; see `scenario` for what can be said of it."""
    return _declare(
        scenario(
            system=system,
            fault=fault,
            target=target,
            level=level,
            workload=workload,
            durations=durations,
            expects=expects,
            runtime=runtime,
            injector=injector,
            severity=severity,
        )
    )


def anomalies(scenarios: Iterable[Declaration]) -> Callable[[Test], Test]:
    """Declare a test as several scenarios, each a test of its own: `@anomalies(scenario(...) for ... in ...)`."""
    named = [dataclasses.replace(one, name=one.name or _name(one)) for one in scenarios]
    doubled = [name for name, count in Counter(one.name for one in named).items() if count > 1]
    if doubled or not named:
        msg = f"several scenarios are called {doubled[0]!r}; give them a name=" if doubled else "there is no scenario"
        raise ScenarioError(msg)
    return _declare(tuple(named))


def _declare(declared: Declaration | tuple[Declaration, ...]) -> Callable[[Test], Test]:
    def declare(test: Test) -> Test:
        setattr(test, ATTRIBUTE, declared)
        return test

    return declare


def _name(one: Declaration) -> str:
    """Made of what tells it from the others of a matrix, such as network_loss-user-service-s3."""
    parts = [one.fault.name, one.target, *([f"s{one.severity}"] if one.severity else [])]
    return "normal" if one.level is Level.NORMAL else "-".join(parts)


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_.-]*", name):
        msg = f"name={name!r} must be of small letters, digits, '_', '-' and '.': a directory is called so"
        raise ScenarioError(msg)
    return name


def case_seed(run_seed: int, name: str) -> int:
    """A seed of its own for every scenario: equal seeds make parallel workloads beat in step."""
    return zlib.crc32(f"{run_seed}:{name}".encode())


def _level(level: Level | str | None, fault: Fault) -> Level:
    try:
        return Level(level) if level is not None else fault.level
    except ValueError:
        msg = f"level {level!r} is none of {', '.join(Level)}"
        raise ScenarioError(msg) from None


def _expected(expects: Verdict | str | None, *, control: bool) -> str:
    allowed: tuple[str, ...] = (Verdict.NORMAL,) if control else EXPECTABLE
    if expects is None:
        return str(allowed[0])
    if expects not in list(allowed):
        msg = f"expects={expects!r} is none of {', '.join(allowed)} (of a {'control' if control else 'fault'})"
        raise ScenarioError(msg)
    return str(expects)


def _checked_mix(workload: Workload, system: System) -> Workload:
    if not isinstance(workload, OpenLoop):
        return workload
    known = {journey.name for journey in system.journeys}
    unknown = sorted(set(workload.mix or {}) - known)
    if unknown:
        msg = f"the workload's mix names {unknown} but system {system.name!r} has journeys {sorted(known)}"
        raise ScenarioError(msg)
    return workload
