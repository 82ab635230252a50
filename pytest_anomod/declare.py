"""The `anomaly` decorator: makes a test function a scenario, and refuses at collection what can't work."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Level
from pytest_anomod.model.scenario import Durations, Injection, Scenario
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
    further: tuple[Injection, ...] = ()
    in_turn: bool = False

    @property
    def injections(self) -> tuple[Injection, ...]:
        """All faults in their order: one, unless the scenario is compound."""
        return (Injection(fault=self.fault, target=self.target, severity=self.severity), *self.further)

    def scenario(
        self, name: str, *, durations: Durations, rate_rps: float | None, seed: int, workload: Workload | None = None
    ) -> Scenario:
        """The scenario of one case; a rate or durations set on the test win over the command line's.

        So does a history in them. A workload given here replaces the test's own.
        """
        own = self.durations or durations
        if not own.history_s:
            own = dataclasses.replace(own, history_s=durations.history_s)
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
            durations=own,
            seed=case_seed(seed, name),
            expects=self.expects,
            severity=self.severity,
            further=self.further,
            in_turn=self.in_turn,
        )


def scenario(
    *,
    system: str,
    fault: Fault | Sequence[Fault] | None = None,
    target: str | Sequence[str] | None = None,
    level: Level | str | None = None,
    workload: Workload | None = None,
    durations: Durations | None = None,
    expects: Verdict | str | None = None,
    runtime: str | None = None,
    injector: str | None = None,
    severity: int | Sequence[int | None] | None = None,
    in_turn: bool = False,
    name: str = "",
) -> Declaration:
    """A scenario: `fault` is put into `target` of `system` while the workload runs.

    Without a fault it is a control, which passes when nothing is found. `level` defaults to the fault's own. `expects`
    is the verdict that passes, by default effective; "any" accepts effective, tolerated and silent: the fault was
    proven to be in, whatever users felt. `runtime` and `injector` override the command line's. `severity` sets the
    fault's dial, from 1 (at the edge of what users notice) to 5 (outage). `name` is for one of several scenarios
    (`anomalies`); by default it is made of fault, target and severity.

    A compound scenario has a list of faults, with one target for all or a list of as many; the same of `severity`. They
    are in at once, or, `in_turn`, each after the one before is out and users are served again. Raises ScenarioError,
    while the file is collected, for anything that can't work.
    """
    definition = catalog.find("systems", system)
    first, *further = _injections(definition, fault, target, severity)
    control = first.fault.level is Level.NORMAL
    _check_together(first, further, in_turn=in_turn)
    wanted = _expected(expects, control=control)
    return Declaration(
        system=definition,
        fault=first.fault,
        target=first.target,
        level=_level(level, first.fault),
        workload=_checked_mix(workload or definition.workload or OpenLoop(), definition),
        durations=durations,
        expects=wanted,
        runtime=runtime and catalog.find("runtimes", runtime).name,
        injector=injector and catalog.find("injectors", injector).name,
        severity=first.severity,
        name=_checked_name(name),
        further=tuple(further),
        in_turn=in_turn,
    )


def _injections(
    system: System,
    fault: Fault | Sequence[Fault] | None,
    target: str | Sequence[str] | None,
    severity: int | Sequence[int | None] | None,
) -> list[Injection]:
    """Each fault with its target and severity, all fit for the system."""
    faults = [fault or catalog.make_fault("no_fault", {})] if not isinstance(fault, list | tuple) else list(fault)
    lists: list[list[Any]] = []
    for what, given in (("target", target), ("severity", severity)):
        several = list(given) if isinstance(given, list | tuple) else [given] * len(faults)
        if len(several) != len(faults) or not faults:
            msg = f"fault= has {len(faults)} and {what}= {len(several)}; give one {what} for each fault, or one for all"
            raise ScenarioError(msg)
        lists.append(several)
    return [_injection(system, *each) for each in zip(faults, *lists, strict=True)]


def _injection(system: System, fault: Fault, target: str | None, severity: int | None) -> Injection:
    offered = catalog.offers("faults").get(fault.name, type(fault))
    if type(fault) is not offered:  # the experiment knows faults by their names, and would put the other one in
        msg = f"fault {type(fault)!r} has the name of another, {fault.name!r} of {offered!r}; give it one of its own"
        raise ScenarioError(msg)
    if severity is not None:
        fault = at_severity(fault, severity)
    aim = target or (system.entry if fault.level is Level.NORMAL else None)
    if aim is None:
        msg = f"fault {fault.name!r} on system {system.name!r} needs a target: one of its services"
        raise ScenarioError(msg)
    system.service(aim)
    fault.check(system, aim)
    return Injection(fault=fault, target=aim, severity=severity)


def _check_together(first: Injection, further: Sequence[Injection], *, in_turn: bool) -> None:
    """Refuse what can't be in one case: a control beside a fault, and two faults that use the same part of a target."""
    if in_turn and not further:
        msg = "in_turn=True is for several faults: give fault= a list"
        raise ScenarioError(msg)
    held: dict[tuple[str, str], Fault] = {}
    for one in (first, *further) if further else ():
        if one.fault.level is Level.NORMAL:
            msg = f"fault {one.fault.name!r} breaks nothing, so it can't be one of several"
            raise ScenarioError(msg)
        thing = getattr(one.fault, "holds", "") or one.fault.name
        other = held.setdefault((thing, one.target), one.fault)
        if other is not one.fault and not in_turn:
            msg = (
                f"faults {other.name!r} and {one.fault.name!r} both take hold of the same thing of {one.target!r} "
                f"({thing}); aim one elsewhere, or say in_turn=True"
            )
            raise ScenarioError(msg)


def anomaly(
    *,
    system: str,
    fault: Fault | Sequence[Fault] | None = None,
    target: str | Sequence[str] | None = None,
    level: Level | str | None = None,
    workload: Workload | None = None,
    durations: Durations | None = None,
    expects: Verdict | str | None = None,
    runtime: str | None = None,
    injector: str | None = None,
    severity: int | Sequence[int | None] | None = None,
    in_turn: bool = False,
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
            in_turn=in_turn,
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
    if one.level is Level.NORMAL:
        return "normal"
    parts = [
        [each.fault.name, each.target, *([f"s{each.severity}"] if each.severity else [])] for each in one.injections
    ]
    return ("-then-" if one.in_turn else "-and-").join(map("-".join, parts))


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_.-]*", name):
        msg = f"name={name!r} must be of small letters, digits, '_', '-' and '.': a directory is called so"
        raise ScenarioError(msg)
    return name


def case_seed(run_seed: int, name: str) -> int:
    """A seed for each scenario: with equal seeds, parallel workloads would send their requests at the same times."""
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
