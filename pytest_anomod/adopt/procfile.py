"""Looks at the system of a Procfile: starts it once, sees where services listen, finds calls, asks each service."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_anomod.adopt import asking
from pytest_anomod.adopt.found import Answer, FoundService, FoundSystem, agents_answer, entry_among, said_entry
from pytest_anomod.define import procfiles
from pytest_anomod.define.agents import guess_command
from pytest_anomod.define.commands import engine_of, procfile
from pytest_anomod.host import listening, ports, processes
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import Command, Commands, Probe, Service, ServiceKind, System
from pytest_anomod.runtimes.commands.deployment import CommandsDeployment
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime

LISTENS_WITHIN_S = 20.0
QUIET_S = 3.0
"""Nobody began to listen for so long: those that don't by now don't at all."""
_LOCAL = r"(?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1\])"
Say = Callable[[str], None]


def look_at_procfile(file: Path, *, name: str, entry: str, session: Session, say: Say) -> FoundSystem:
    """The system of a Procfile, found by starting it once; DeploymentError when it can't be started."""
    lines = procfiles.read(file)
    if entry:
        said_entry(entry, list(lines))  # before anything is started
    commands = procfile(file)
    system = _trial(name, commands)
    say(f"starting {', '.join(lines)} once, each told a port of ours as PORT")
    runtime = CommandsRuntime()
    deployment = runtime.up(system, session)
    try:
        listened = _wait_until_they_listen(deployment)
        assigned = {one: _assigned(line) for one, line in lines.items()}
        services = _look(deployment, commands, assigned, listened)
        chosen = entry_among(services, entry)
        journeys: tuple[Answer, ...] = ()
        if chosen is not None and listened.get(chosen.value):
            journeys = asking.journeys_at(f"http://{ports.HOST}:{listened[chosen.value][0]}")
        services = tuple(_with_connections(deployment, one, listened) for one in services)
        chosen = entry_among(services, entry)
        ended = [one.service for one in deployment.instances() if one.state != "running"]
    finally:
        runtime.down(deployment)
    questions = [f"{one} ended by itself: see what it needs (is it no service?)" for one in ended]
    return FoundSystem(
        name=name,
        factory="procfile_system",
        arguments=(Answer(value=repr(file.name), why="beside this file"),),
        services=services,
        entry=chosen,
        journeys=journeys,
        questions=tuple(questions),
    )


def _trial(name: str, commands: Commands) -> System:
    """The system as it is defined before anything is known: a service is healthy while its process runs."""
    return System(
        name=name,
        services=tuple(
            Service(name=command.service, kind=ServiceKind.APP, engine="", probe=Probe(kind="alive"))
            for command in commands.commands
        ),
        entry=commands.commands[0].service,
        journeys=(),
        deploys=(commands,),
    )


def _wait_until_they_listen(deployment: CommandsDeployment) -> dict[str, list[int]]:
    """The ports that each service listens on, once all do or no more begin to."""
    last: dict[str, list[int]] = {}
    changed_s = clock.monotonic_s()
    until_s = changed_s + LISTENS_WITHIN_S
    while True:
        now_s, listened = clock.monotonic_s(), _listened(deployment)
        if listened != last:
            last, changed_s = listened, now_s
        all_do = all(listened.values())
        if (all_do and now_s - changed_s > 0.3) or now_s - changed_s > QUIET_S or now_s > until_s:
            return listened
        clock.sleep(0.1)


def _listened(deployment: CommandsDeployment) -> dict[str, list[int]]:
    families = _families(deployment)
    by_pid = listening.ports_of({pid for family in families.values() for pid in family})
    return {name: sorted({port for pid in family for port in by_pid.get(pid, ())}) for name, family in families.items()}


def _families(deployment: CommandsDeployment) -> dict[str, set[int]]:
    found = {}
    for name, state in deployment.states().items():
        leader = state["leader"]
        found[name] = {leader, *processes.descendants([leader])} if leader else set()
    return found


def _assigned(line: str) -> dict[str, str]:
    """The variables that a line begins with."""
    return procfiles.assigned(line)


def _look(
    deployment: CommandsDeployment,
    commands: Commands,
    assigned: Mapping[str, Mapping[str, str]],
    listened: Mapping[str, list[int]],
) -> tuple[FoundService, ...]:
    told = {name: described["port"] for name, described in deployment.document["services"].items()}
    movable = {
        name: {listened[name][0]} if assigned[name].get("PORT") == str(listened[name][0]) else set()
        for name in listened
        if listened[name]
    }
    services = []
    for command in commands.commands:
        name = command.service
        engine, port, probe = Answer(value="", why="it listens on no port"), None, None
        env: dict[str, Answer] = {}
        if listened[name]:
            port, env = _port_of(name, listened[name], told[name], movable[name])
            engine = _engine_of(command, (ports.HOST, listened[name][0]))
            url = f"http://{ports.HOST}:{listened[name][0]}"
            probe = asking.health_path(url) if engine.value == "http" else None
        calls, more = _mentions(command, assigned[name], listened, movable)
        services.append(
            FoundService(
                name=name,
                engine=engine,
                port=port,
                probe_path=probe,
                calls=calls,
                env={**env, **more},
                agents=agents_answer(guess_command(command, Path(commands.directory)) if _is_app(engine) else None),
            )
        )
    return tuple(services)


def _is_app(engine: Answer) -> bool:
    """Whether a service is not a store of a known engine."""
    return engine.value in ("http", "")


def _port_of(name: str, listened: list[int], told: int, movable: set[int]) -> tuple[Answer, dict[str, Answer]]:
    """The port of a service ("": it takes ours), and the variables that tell it the port."""
    if told in listened:
        return Answer(value="", why="it listened on the port that it was told as PORT"), {}
    port = listened[0]
    if port in movable:
        why = f"its line says PORT={port}, which this replaces"
        return Answer(value="", why=why), {"PORT": Answer(value=f"{{{name}}}", why=why)}
    return Answer(value=str(port), why=f"it listened on {port}, whatever PORT said"), {}


def _engine_of(command: Command, address: tuple[str, int]) -> Answer:
    by_name = engine_of(command)
    return Answer(value=by_name, why="the name of its program") if by_name != "http" else asking.engine_at(address)


def _mentions(
    command: Command,
    assigned: Mapping[str, str],
    listened: Mapping[str, list[int]],
    movable: Mapping[str, set[int]],
) -> tuple[dict[str, str], dict[str, Answer]]:
    """Services whose ports a command's words and variables name; variables that must name a port of ours instead."""
    calls: dict[str, str] = {}
    env: dict[str, Answer] = {}
    texts = {**command.env, **assigned}
    for other, others_ports in listened.items():
        if other == command.service:
            continue
        for port in others_ports:
            place = re.compile(rf"({_LOCAL}:){port}(?!\d)")
            for variable, text in texts.items():
                if place.search(text):
                    calls.setdefault(other, f"{variable} names its port")
                    if port in movable.get(other, ()):
                        value = place.sub(rf"\g<1>{{{other}}}", env[variable].value if variable in env else text)
                        env[variable] = Answer(value=value, why=f"{variable} of the line, with the port of {other}")
            if any(place.search(word) for word in command.argv):
                calls.setdefault(other, "its command line names its port")
    return calls, env


def _with_connections(
    deployment: CommandsDeployment, service: FoundService, listened: Mapping[str, list[int]]
) -> FoundService:
    """The service with those added that it has connections to now."""
    family = _families(deployment).get(service.name, set())
    peers = listening.peers_of(family)
    calls = dict(service.calls)
    for other, others_ports in listened.items():
        if other != service.name and peers.intersection(others_ports):
            calls.setdefault(other, "it had a connection to it in the trial")
    return dataclasses.replace(service, calls=calls)
