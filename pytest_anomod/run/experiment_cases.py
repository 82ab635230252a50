"""Makes an experiment that names a system a case like any other: its declaration, and the outcome of its test."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.chaos.imported import outcome, reading
from pytest_anomod.chaos.imported.known import kind_of, known
from pytest_anomod.declare import EXPECTABLE, Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Level
from pytest_anomod.model.verdict import ANY
from pytest_anomod.model.workload import OpenLoop
from pytest_anomod.run.options import durations

if TYPE_CHECKING:
    from pytest_anomod.chaos.imported.reading import Document
    from pytest_anomod.run.experiments import ExperimentItem

KEYS = ("system", "target", "level", "expects", "seen", "runtime")
"""What an experiment may say in its extension of our name."""


def declared(config: pytest.Config, document: Document) -> Declaration | None:
    """What an experiment declares, by its extension or the command line; None for one without a system.

    ScenarioError for what can't work; `extensions` is where it stands.
    """
    said, option = reading.settings(document.data), config.option
    if unknown := sorted(set(said) - set(KEYS)):
        msg = f"the extension {reading.EXTENSION!r} knows {', '.join(KEYS)}, and not {', '.join(map(repr, unknown))}"
        raise ScenarioError(msg)
    name = said.get("system") or option.anomod_system
    if not name:
        return None
    system = catalog.find("systems", str(name))
    control = not document.data["method"]
    target = said.get("target") or option.anomod_target or (system.entry if control else None)
    if not target:
        services = ", ".join(service.name for service in system.services)
        msg = f"the experiment acts on system {name!r}, but which service does it hit? Say target: one of {services}"
        raise ScenarioError(msg)
    system.service(str(target))
    usual, pauses_s = durations(config), _pauses_s(document)
    fault = catalog.make_fault("no_fault", {}) if control else _fault(config, document, said)
    return Declaration(
        system=system,
        fault=fault,
        target=str(target),
        level=Level.NORMAL if control else _level(said, fault.kind),
        workload=OpenLoop(),
        durations=dataclasses.replace(usual, anomaly_s=pauses_s) if pauses_s > usual.anomaly_s else None,
        expects=_expects(said, control=control),
        runtime=said.get("runtime"),
        injector=None if control else "chaostoolkit",
    )


def _fault(config: pytest.Config, document: Document, said: Mapping[str, Any]) -> Any:
    actions = [
        placed.activity.get("provider") or {}
        for placed in reading.activities(document.data)
        if placed.part == "method" and placed.activity.get("type") == "action"
    ]
    kinds = [kind for provider in actions if (kind := kind_of(provider))]
    return catalog.make_fault(
        "experiment",
        {
            "file": os.path.relpath(document.path, config.rootpath),
            "title": str(document.data["title"]),
            "actions": tuple(_called(provider) for provider in actions),
            "kind": kinds[0] if kinds else "",
            "seen_by": _seen_by(document, said, actions),
        },
    )


def _called(provider: Mapping[str, Any]) -> str:
    """What an action calls: a function, a program, or a method of HTTP; no argument, where a secret might be."""
    kind = provider.get("type")
    if kind == "python":
        return f"{provider.get('module')}.{provider.get('func')}"
    return os.path.basename(str(provider.get("path"))) if kind == "process" else str(provider.get("method", "GET"))


def _seen_by(document: Document, said: Mapping[str, Any], actions: list[Any]) -> str:
    """What sees the fault: the probe that the file names, a probe of ours if the action is known, or the hypothesis."""
    wanted, placed = said.get("seen"), list(reading.activities(document.data))
    if wanted:
        named = [one for one in placed if one.name == wanted and one.activity.get("type") == "probe"]
        if not named or "tolerance" not in named[0].activity:
            msg = f"seen: {wanted!r} is no probe of the experiment with a tolerance (within it, the fault is in)"
            raise ScenarioError(msg)
        return f"probe:{wanted}"
    looks = [fault.look for provider in actions if (fault := known(provider)) is not None and fault.look]
    if looks:
        return looks[0]
    return "hypothesis" if any(one.part == "hypothesis" for one in placed) else ""


def _level(said: Mapping[str, Any], kind: str) -> Level:
    level = said.get("level")
    if level is None:
        found = catalog.offers("faults").get(kind)
        return found.level if found is not None else Level.SERVICE
    if level not in list(Level):
        msg = f"level {level!r} is none of {', '.join(Level)}"
        raise ScenarioError(msg)
    return Level(level)


def _expects(said: Mapping[str, Any], *, control: bool) -> str:
    if control:
        return "normal"
    expects = said.get("expects", ANY)
    if expects not in EXPECTABLE:
        msg = f"expects: {expects!r} is none of {', '.join(EXPECTABLE)}"
        raise ScenarioError(msg)
    return str(expects)


def _pauses_s(document: Document) -> float:
    """How long the pauses of the method are together: the anomaly window is at least as long."""
    pauses = [
        placed.activity["pauses"].get(when)
        for placed in reading.activities(document.data)
        if placed.part == "method" and isinstance(placed.activity.get("pauses"), dict)
        for when in ("before", "after")
    ]
    return sum(float(pause) for pause in pauses if isinstance(pause, int | float))


def scenario_of(document: Document) -> str:
    """The scenario's name, from the file's."""
    return re.sub(r"\W+", "_", document.path.stem).strip("_").lower() or "experiment"


def run_case(item: ExperimentItem, declaration: Declaration) -> None:
    """Play an experiment within our windows, and fail as its verdict, or its own hypothesis, says."""
    from pytest_anomod.run.cases import begin_case
    from pytest_anomod.run.deployments import Deployments
    from pytest_anomod.run.experiments import specification
    from pytest_anomod.run.keys import case_key
    from pytest_anomod.run.outcomes import settle

    document = item.document
    fault: Any = declaration.fault
    case = begin_case(Deployments.of(item.config), declaration, scenario_of(document), repetition=0)
    item.stash[case_key] = case
    if fault.name != "experiment":
        case.run()
        settle(item, case, None)
        return
    player = catalog.find("injectors", "chaostoolkit")
    player.offer(fault.file, specification(item.config, document, framed=True))
    try:
        case.run()
    finally:
        item.played = player.results.get(fault.file)
        if item.played is not None:
            item.tell()
    settle(item, case, None)
    why = outcome.why_failed(document, item.played) if item.played is not None else "it was never played"
    if why and case.scenario.expects == ANY and case.result is not None:
        pytest.fail(f"{why}\n{case.result.explain()}", pytrace=False)
