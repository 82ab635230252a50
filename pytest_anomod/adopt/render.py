"""Writes what was found as Python to check in: the definition with where each answer came from, and a first test."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence

from pytest_anomod.adopt.asking import HEALTH_PATHS
from pytest_anomod.adopt.found import STORES, Answer, FoundService, FoundSystem

MARK = "TO" + "DO"
"""What is left to answer is marked so."""
_INDENT = "    "


def definition(system: FoundSystem, command: str) -> str:
    """A conftest.py (or a module for one) that defines the system; `command` is how it was made."""
    body = [*_call(system)]
    names = [system.factory]
    text = "\n".join(body)
    names += [name for name in ("Agents", "Probe", "visit") if f"{name}(" in text]
    imports = f"from pytest_anomod import {', '.join(sorted(names, key=lambda name: (name[0].islower(), name)))}"
    questions = [f"# {MARK}: {question}" for question in questions_of(system)]
    head = [
        f'"""The system {system.name}, as `{command}` found it; correct what is wrong, and check it in."""',
        "",
        imports,
        "",
        *questions,
    ]
    return "\n".join([*head, *body, ""])


def first_test(system: FoundSystem) -> str:
    """A test file: a control, and one fault in a service that others call."""
    target, fault = _aim(system)
    what, title = ("NetworkDelay", "slow") if fault == "network_delay" else ("PauseService", "stuck")
    return f'''"""The first chaos tests of {system.name}: a control, and one service that is {title}."""

from pytest_anomod import anomaly
from pytest_anomod.faults import {what}


@anomaly(system="{system.name}")
def test_control(case):
    case.run()


@anomaly(system="{system.name}", fault={what}(), target="{target}")
def test_{title}_{_identifier(target)}(case):
    case.run()
'''


def questions_of(system: FoundSystem) -> tuple[str, ...]:
    """What is left to answer, one sentence each."""
    left = list(system.questions)
    if system.entry is None:
        left.append("say which service users reach: entry=")
    if not system.journeys:
        left.append("say what users do: journeys=[visit(PATH), ...], or Journey objects; no page was found to answer")
    elif all(journey.value in HEALTH_PATHS for journey in system.journeys):
        left.append(
            "say what users do: journeys=[visit(PATH), ...]; the only page that was found says that all is well"
        )
    return tuple(left)


def _call(system: FoundSystem) -> Iterator[str]:
    yield f"{_identifier(system.name)} = {system.factory}("
    for argument in system.arguments:
        yield from _line(f"{argument.value},", argument.why)
    if system.factory != "running_system":
        yield f"{_INDENT}name={_quoted(system.name)},"
    entry = system.entry or Answer(value="", why=f"{MARK}: one of {', '.join(one.name for one in system.services)}")
    parameter = "entry_service" if system.factory == "running_system" else "entry"
    yield from _line(f"{parameter}={_quoted(entry.value)},", entry.why)
    services = system.services
    yield from _mapping("env", {one.name: _environment(one) for one in services if one.env})
    if system.factory == "procfile_system":
        yield from _mapping("ports", {one.name: _port(one) for one in services if one.port is None or one.port.value})
    if system.says_all:
        yield from _mapping("engines", {one.name: _engine(one) for one in services if one.port is not None})
    probes = {one.name: _probe(one.probe_path) for one in services if one.probe_path is not None}
    yield from _mapping("probes", probes)
    if system.says_all:
        yield from _mapping("calls", {one.name: _calls(one) for one in services if one.calls})
    yield from _mapping("agents", {one.name: _agents(one.agents) for one in services if one.agents is not None})
    if system.journeys:
        yield f"{_INDENT}journeys=["
        for journey in system.journeys:
            yield from _line(f"visit({_quoted(journey.value)}),", journey.why, 2)
        yield f"{_INDENT}],"
    yield ")"


def _line(text: str, why: str = "", depth: int = 1) -> list[str]:
    """A line of code below the comment with its reason."""
    lines = [f"{_INDENT * depth}{_comment(why)}"] if why else []
    return [*lines, f"{_INDENT * depth}{text}"]


def _comment(why: str) -> str:
    """A comment of one line."""
    return f"# {' '.join(why.split())}"


def _mapping(name: str, rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A parameter by service; a row is its lines as they follow `"service": `, the reasons above them first."""
    if not rows:
        return
    yield f"{_INDENT}{name}={{"
    for service, lines in rows.items():
        reasons = [line for line in lines if line.startswith("#")]
        values = [line for line in lines if not line.startswith("#")]
        yield from (f"{_INDENT * 2}{reason}" for reason in reasons)
        yield f"{_INDENT * 2}{_quoted(service)}: {values[0]}"
        yield from (f"{_INDENT * 2}{value}" for value in values[1:])
    yield f"{_INDENT}}},"


def _environment(service: FoundService) -> list[str]:
    lines = ["{"]
    for variable, answer in service.env.items():
        lines += _line(f"{_quoted(variable)}: {_quoted(answer.value)},", answer.why)
    return [*lines, "},"]


def _port(service: FoundService) -> list[str]:
    if service.port is None:
        return ["# it listened on no port", "None,"]
    return [_comment(service.port.why), f"{service.port.value},"]


def _engine(service: FoundService) -> list[str]:
    return [_comment(service.engine.why), f"{_quoted(service.engine.value)},"]


def _probe(path: Answer | None) -> list[str]:
    assert path is not None
    return [_comment(path.why), f"Probe(path={_quoted(path.value)}),"]


def _agents(found: Answer | None) -> list[str]:
    assert found is not None
    return [_comment(found.why), f"{found.value},"]


def _calls(service: FoundService) -> list[str]:
    lines = ["["]
    for callee, why in service.calls.items():
        lines += _line(f"{_quoted(callee)},", why)
    return [*lines, "],"]


def _aim(system: FoundSystem) -> tuple[str, str]:
    """A service that others call and that is no store, and the name of a fault that it can have; else the entry."""
    called = {callee for service in system.services for callee in service.calls}
    fronted = system.factory != "running_system"
    good = [one for one in system.services if one.name in called and one.kind not in STORES]
    for one in good:
        if fronted and (system.factory == "compose_system" or (one.port is not None and not one.port.value)):
            return one.name, "network_delay"
    if good:
        return good[0].name, "pause_service"
    return (system.entry.value if system.entry else system.services[0].name), "pause_service"


def _identifier(name: str) -> str:
    word = re.sub(r"\W", "_", name)
    return f"_{word}" if not word.isidentifier() or keyword.iskeyword(word) else word


def _quoted(text: str) -> str:
    """A string literal as formatters write it: in double quotes, unless that needs more backslashes."""
    plain = repr(text)
    if plain.startswith("'") and '"' not in text:
        return f'"{plain[1:-1]}"'
    return plain
