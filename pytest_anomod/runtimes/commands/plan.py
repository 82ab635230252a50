"""Makes the plan for the host of a system: ports, commands and environments, as JSON."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import ports, probes, processes
from pytest_anomod.model.capability import Agent, Listener, StoreLogin
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import Command, Commands, Service, System
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.commands.own_variables import merged

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

MOST_SERVICES = 40
"""In a block of ports each has a front and a port behind it; what is left is for relays of faults."""
WELL_WITHIN_S = 60.0
"""How long a service gets, from its start, until its probe is answered."""
_INNER, _CONTROL = 45, 90
_NOT_INHERITED = ("ANOMOD_", "COVERAGE_", "COV_CORE_", "PYTEST_", "PYTHONSTARTUP")
_STOP_SIGNALS = {"postgresql": "SIGINT"}
"""SIGTERM has PostgreSQL wait for its clients."""


def commands_of(system: System) -> Commands:
    """The commands of a system; DeploymentError when it has none."""
    commands = system.deploy(Commands)
    if commands is None:
        msg = f"system {system.name!r} has no commands"
        raise DeploymentError(msg)
    return commands


def refusal(system: System) -> str:
    """Why a system can't be brought up by its commands; "" when it can."""
    commands = system.deploy(Commands)
    if commands is None:
        return f"system {system.name!r} has no commands: define it with procfile_system or commands_system"
    named = [command.service for command in commands.commands]
    without = [service.name for service in system.services if service.name not in named]
    if without:
        return f"services {', '.join(without)} of system {system.name!r} have no command"
    if len(named) > MOST_SERVICES:
        return f"system {system.name!r} has {len(named)} services; {MOST_SERVICES} is the most that can be started"
    if not Path(commands.directory).is_dir():
        return f"the directory {commands.directory} of system {system.name!r} is not there"
    return ""


def probe_of(service: Service) -> str:
    """How the runtime asks whether a service is well."""
    return probes.kind_for(service.engine) if service.probe.kind == "auto" else service.probe.kind


def is_relayed(service: Service, command: Command) -> bool:
    """Whether a service stands behind a front of ours: it must take its port from us, and listen on one."""
    return command.port == 0 and probe_of(service) != "alive"


def has_login(service: Service, commands: Commands) -> bool:
    """Whether an administrator's address of a store is known; Redis needs none to be given."""
    return service.name in commands.logins or service.engine == "redis"


def lacking(system: System, service: str) -> frozenset[type]:
    """The capabilities that a service will not have, of those that this runtime has."""
    found, commands = system.service(service), commands_of(system)
    command = next(each for each in commands.commands if each.service == service)
    lacks: set[type] = set()
    if not is_relayed(found, command):
        lacks.add(Listener)
    if not has_login(found, commands):
        lacks.add(StoreLogin)
    if agents.why_none(commands.agents, service):
        lacks.add(Agent)
    return frozenset(lacks)


def fixed_ports(system: System) -> dict[str, int]:
    """Services that listen on ports of their own choice, and those."""
    return {command.service: command.port for command in commands_of(system).commands if command.port}


def make_plan(
    system: System,
    *,
    base_port: int,
    directory: Path,
    tag: str,
    entry_port: int | None,
    receiver: OtlpReceiver | None = None,
) -> dict[str, Json]:
    """What the host needs to know; with the commands' environments, so it must be kept private.

    `receiver` is where services export to, if they do.
    """
    commands = commands_of(system)
    rows_of_agents = agents.plan(commands.agents, directory)
    services = {service.name: service for service in system.services}
    public = _public_ports(system, base_port, entry_port)
    inner = dict(public)
    rows = []
    for index, command in enumerate(commands.commands):
        if is_relayed(services[command.service], command):
            inner[command.service] = base_port + _INNER + index
    for command in commands.commands:
        service = services[command.service]
        seen = public | {service.name: inner[service.name]}  # its own port is the one that it listens on
        otlp_env = _otlp(receiver) if receiver is not None and commands.otlp else {}
        given = _environment(command, seen, directory, tag, otlp_env)
        of_agents = functools.partial(_of_agents, service.name, rows_of_agents.get(service.name), receiver)
        argv, environment = _with_agents([_filled(word, seen) for word in command.argv], given, of_agents)
        rows.append(
            {
                "name": service.name,
                "kind": str(service.kind),
                "engine": service.engine,
                "argv": argv,
                "env": environment,
                "restart": command.restart,
                "well_within_s": WELL_WITHIN_S,
                "port": public[service.name],
                "inner_port": inner[service.name],
                "relayed": is_relayed(service, command),
                "probe": probe_of(service),
                "probe_path": service.probe.path,
                "log_file": str(directory / "logs" / f"{service.name}.log"),
                "login": has_login(service, commands),
                "stop_signal": _STOP_SIGNALS.get(service.engine, "SIGTERM"),
            }
        )
    entry_url = f"http://{ports.HOST}:{public[system.entry]}"
    return {
        "system": system.name,
        "directory": commands.directory,
        "control_port": base_port + _CONTROL,
        "entry_url": entry_url,
        "urls": {system.entry: entry_url},
        "otlp": receiver is not None,
        "agents": rows_of_agents,
        "notes": _notes(system),
        "services": rows,
    }


def logins(system: System, plan: Mapping[str, Any]) -> dict[str, str]:
    """The administrators' addresses of stores, with ports; those behind the fronts, where no fault is in the way."""
    commands = commands_of(system)
    inner = {row["name"]: row["inner_port"] for row in plan["services"]}
    found = {
        service.name: f"redis://{ports.HOST}:{inner[service.name]}/0"
        for service in system.services
        if service.engine == "redis"
    }
    return found | {name: _filled(address, inner) for name, address in commands.logins.items()}


def _public_ports(system: System, base_port: int, entry_port: int | None) -> dict[str, int]:
    """Where others reach each service."""
    found = {
        command.service: command.port or base_port + index for index, command in enumerate(commands_of(system).commands)
    }
    if entry_port is None:
        return found
    fixed = fixed_ports(system).get(system.entry)
    if fixed and fixed != entry_port:
        msg = f"the entry {system.entry!r} of {system.name!r} always listens on port {fixed}: {entry_port} can't be had"
        raise DeploymentError(msg)
    return found | {system.entry: entry_port}


def _with_agents(
    words: Sequence[str], environment: Mapping[str, str], of_agents: Callable[[Mapping[str, str]], dict[str, str]]
) -> tuple[list[str], dict[str, str]]:
    """What is started, and its environment, with agents in both."""
    words = merged(words, lambda own: of_agents({**environment, **own}))
    return ["/bin/sh", "-c", *words] if len(words) == 1 else words, {**environment, **of_agents(environment)}


def _environment(
    command: Command, seen: Mapping[str, int], directory: Path, tag: str, otlp_env: Mapping[str, str]
) -> dict[str, str]:
    """The caller's without what is ours or would have Python programs measured for us, and the command's own.

    TMPDIR is a directory that lasts as long as the deployment does, and goes with it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    given = {name: _filled(value, seen) for name, value in command.env.items()}
    otlp = {**otlp_env, "OTEL_SERVICE_NAME": command.service} if otlp_env else {}
    usual = {
        "HOST": ports.HOST,
        "PORT": str(seen[command.service]),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(directory / "tmp"),
    }
    return kept | usual | otlp | given | {processes.TAG: tag}


def _otlp(receiver: OtlpReceiver) -> dict[str, str]:
    """Variables for services that export over OTLP already."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": _protocol(receiver),
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "250",
        "OTEL_BLRP_SCHEDULE_DELAY": "250",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
    }


def _protocol(receiver: OtlpReceiver) -> str:
    return "http/protobuf" if receiver.reads_protobuf else "http/json"


def _of_agents(
    service: str, row: dict[str, Json] | None, receiver: OtlpReceiver | None, own: Mapping[str, str]
) -> dict[str, str]:
    if row is None or "why" in row:
        return {}
    otlp = ("", "") if receiver is None else (receiver.url, _protocol(receiver))
    agents.give_way({service: row}, service, own, otlp[0])
    return agents.environment(service, row, own, agents.mounts(row), otlp)


def _filled(text: str, seen: Mapping[str, int]) -> str:
    """{NAME} becomes the port of NAME; other braces stay as they are."""
    for name, port in seen.items():
        text = text.replace(f"{{{name}}}", str(port))
    return text


def _notes(system: System) -> list[str]:
    fixed = fixed_ports(system)
    if not fixed:
        return []
    named = ", ".join(f"{name} ({port})" for name, port in fixed.items())
    return [
        f"{system.name}: ports that services chose themselves: {named}; so one process of this machine at a time has "
        "this system, and faults of the network can't be put before them"
    ]
