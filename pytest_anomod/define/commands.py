"""A Procfile, or a list of commands, as a system: `shop = procfile_system("Procfile", entry="gateway")`."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_anomod.define import procfiles, secrets
from pytest_anomod.define.agents import agents_of_commands
from pytest_anomod.define.caller import beside_caller
from pytest_anomod.define.forwarding import check_forward
from pytest_anomod.define.journeys import told_workload, visit
from pytest_anomod.define.services import KINDS, check_names, check_port, entry_of, kind_of
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import Agents, Command, Commands, Journey, Probe, Service, ServiceKind, System
from pytest_anomod.model.workload import Workload

Environment = Mapping[str, str | Mapping[str, str]]
"""Variables of all services by name, and those of one service by the name of that service."""
_ENGINES = {
    "redis-server": "redis", "valkey-server": "redis", "postgres": "postgresql", "mysqld": "mysql",
    "mariadbd": "mysql", "mongod": "mongodb", "rabbitmq-server": "rabbitmq",
}  # fmt: skip
_PLACE = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def procfile_system(
    path: str | os.PathLike[str] = "Procfile",
    *,
    name: str = "",
    entry: str = "",
    env: Environment | None = None,
    env_file: str | None = ".env",
    ports: Mapping[str, int | None] | None = None,
    only: Sequence[str] = (),
    kinds: Mapping[str, ServiceKind | str] | None = None,
    engines: Mapping[str, str] | None = None,
    probes: Mapping[str, Probe] | None = None,
    calls: Mapping[str, Sequence[str]] | None = None,
    logins: Mapping[str, str] | None = None,
    journeys: Sequence[Journey] = (),
    rate_rps: float = 20.0,
    telemetry: Sequence[Source] = (),
    otlp: bool = False,
    forward: str = "",
    agents: bool | Mapping[str, str | Agents] = False,
    workload: Workload | str | None = None,
    login: Callable[[str], Mapping[str, str]] | None = None,
    login_variables: Sequence[str] = (),
) -> System:
    """The system that a Procfile starts, known from now on by `name` (the directory's unless given).

    `path` is relative to the calling file. `ports` names services that choose their port themselves, and those that
    listen on none (None); all others must listen on the port in PORT. {NAME} in `env`, in `logins` and in the Procfile
    is the port of service NAME. `env_file` is beside the Procfile, and may be missing. `only` selects lines. Arguments
    that are left out are guessed from the commands: engines by the name of the program, kinds by the engine, calls by
    the addresses of other services in a command and its variables. The entry is the only HTTP service that no other
    calls. `agents` maps services to a language (or Agents), to give them traces, line coverage and faults in code; True
    is for all whose command shows the language. `otlp` tells services to export over OTLP to us, and `forward` is a URL
    to which that is forwarded. `workload`, `login` and `login_variables` are as in compose_system. ScenarioError for
    what can't work.
    """
    file = beside_caller(path)
    commands = procfile(
        file, env=env, env_file=env_file, ports=ports, only=only, logins=logins,
        otlp=otlp, forward=forward, agents=agents,
    )  # fmt: skip
    return _system(
        name or file.parent.name, commands, entry=entry, kinds=kinds, engines=engines, probes=_probes(probes, ports),
        calls=calls, journeys=journeys, rate_rps=rate_rps, telemetry=telemetry, where=str(file), common=env,
        guessed=agents is True, workload=workload, login=login, login_variables=login_variables,
    )  # fmt: skip


def commands_system(
    name: str,
    commands: Sequence[Command],
    *,
    directory: str | os.PathLike[str] = ".",
    entry: str = "",
    kinds: Mapping[str, ServiceKind | str] | None = None,
    engines: Mapping[str, str] | None = None,
    probes: Mapping[str, Probe] | None = None,
    calls: Mapping[str, Sequence[str]] | None = None,
    logins: Mapping[str, str] | None = None,
    journeys: Sequence[Journey] = (),
    rate_rps: float = 20.0,
    telemetry: Sequence[Source] = (),
    otlp: bool = False,
    forward: str = "",
    agents: bool | Mapping[str, str | Agents] = False,
    workload: Workload | str | None = None,
    login: Callable[[str], Mapping[str, str]] | None = None,
    login_variables: Sequence[str] = (),
) -> System:
    """The system that these commands start, in this order, in `directory` (relative to the calling file).

    `forward`, `workload` and what begins with `login` are as procfile_system has them.
    """
    place = beside_caller(directory)
    where = f"commands_system({name!r})"
    made = Commands(
        commands=tuple(commands), directory=str(place), logins=dict(logins or {}), otlp=otlp,
        agents=agents_of_commands(agents, commands, place, where), forward=forward,
    )  # fmt: skip
    _check_forward(made, where)
    return _system(
        name, made, entry=entry, kinds=kinds, engines=engines, probes=dict(probes or {}), calls=calls,
        journeys=journeys, rate_rps=rate_rps, telemetry=telemetry, where=where, common=None,
        guessed=agents is True, workload=workload, login=login, login_variables=login_variables,
    )  # fmt: skip


def procfile(
    path: str | os.PathLike[str],
    *,
    env: Environment | None = None,
    env_file: str | None = ".env",
    ports: Mapping[str, int | None] | None = None,
    only: Sequence[str] = (),
    logins: Mapping[str, str] | None = None,
    otlp: bool = False,
    forward: str = "",
    agents: bool | Mapping[str, str | Agents] = False,
) -> Commands:
    """The commands of a Procfile alone, for `System.deploys` beside another way; see `procfile_system`."""
    file = beside_caller(path)
    lines = procfiles.read(file)
    check_names(lines, {"only": only, "ports": ports or {}, "logins": logins or {}}, str(file))
    from_file = procfiles.read_env(file.parent / env_file) if env_file else {}
    common, own = _parted(env or {}, lines, str(file))
    made = []
    for service, line in lines.items():
        if only and service not in only:
            continue
        given = {**common, **own.get(service, {})}
        argv, leading = procfiles.words(line, given)
        port = check_port((ports or {}).get(service) or 0, service, str(file))
        made.append(Command(service=service, argv=argv, env={**from_file, **leading, **given}, port=port))
    found = Commands(
        commands=tuple(made), directory=str(file.parent), logins=dict(logins or {}), otlp=otlp,
        agents=agents_of_commands(agents, made, file.parent, str(file)), forward=forward,
    )  # fmt: skip
    _check_forward(found, str(file))
    _keep_secrets(found)
    return found


def _system(
    name: str,
    commands: Commands,
    *,
    entry: str,
    kinds: Mapping[str, ServiceKind | str] | None,
    engines: Mapping[str, str] | None,
    probes: Mapping[str, Probe],
    calls: Mapping[str, Sequence[str]] | None,
    journeys: Sequence[Journey],
    rate_rps: float,
    telemetry: Sequence[Source],
    where: str,
    common: Environment | None,
    guessed: bool,
    workload: Workload | str | None,
    login: Callable[[str], Mapping[str, str]] | None,
    login_variables: Sequence[str],
) -> System:
    names = {command.service: "" for command in commands.commands}
    _keep_secrets(commands)
    if not names:
        msg = f"{where} names no service"
        raise ScenarioError(msg)
    given = {"kinds": kinds or {}, "engines": engines or {}, "probes": probes, "calls": calls or {}}
    check_names(names, given | {f"calls of {one}": many for one, many in (calls or {}).items()}, where)
    shared = frozenset(key for key, value in (common or {}).items() if isinstance(value, str))
    called = {
        command.service: tuple((calls or {}).get(command.service, calls_of(command, names, shared)))
        for command in commands.commands
    }
    chosen = entry or entry_of(called, where)
    check_names(names, {"entry": [chosen]}, where)
    services = []
    for command in commands.commands:
        one = command.service
        engine = (engines or {}).get(one, engine_of(command))
        usual = ServiceKind.GATEWAY if one == chosen else KINDS.get(engine, ServiceKind.APP)
        services.append(
            Service(
                name=one,
                kind=kind_of((kinds or {}).get(one, usual), one, where),
                calls=called[one],
                engine=engine,
                probe=probes.get(one, Probe()),
            )
        )
    if guessed:
        commands = _without_stores(commands, services)
    system = System(
        name=name, services=tuple(services), entry=chosen, journeys=tuple(journeys) or (visit("/"),),
        rate_rps=rate_rps, deploys=(commands,), telemetry=tuple(telemetry), workload=told_workload(workload),
        login=login, login_variables=tuple(login_variables),
    )  # fmt: skip
    catalog.register("systems", system)
    return system


def _check_forward(commands: Commands, where: str) -> None:
    receives = commands.otlp or any(asked.traces for _, asked in commands.agents)
    check_forward(commands.forward, where, receives=receives)


def _without_stores(commands: Commands, services: Sequence[Service]) -> Commands:
    """Commands with agents for what is no store: that is no program of the team's, whatever starts it."""
    stores = {one.name for one in services if one.kind in KINDS.values()}
    return dataclasses.replace(commands, agents=tuple(each for each in commands.agents if each[0] not in stores))


def _keep_secrets(commands: Commands) -> None:
    """Passwords of variables and logins are kept out of all that is recorded; services inherit the caller's own."""
    environments = {command.service: {**os.environ, **command.env} for command in commands.commands}
    logins = {f"login of {service}": {"URL": login} for service, login in commands.logins.items()}
    secrets.keep({**environments, **logins}, {command.service: command.argv for command in commands.commands})


def engine_of(command: Command) -> str:
    """What a command runs, by the name of its program; "http" for one that is not known to be a store."""
    words = command.argv[0].split() if len(command.argv) == 1 else command.argv
    return next((_ENGINES[Path(word).name] for word in words if Path(word).name in _ENGINES), "http")


def calls_of(command: Command, services: Mapping[str, object], shared: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Services whose ports a command is told: in its words and variables, in `shared` ones only if its words name them.

    What all services are told says nothing of one of them.
    """
    words = " ".join(command.argv)
    named = set(_VARIABLE.findall(words))
    values = [value for key, value in command.env.items() if key not in shared or key in named]
    places = [place for text in (words, *values) for place in _PLACE.findall(text)]
    return tuple(dict.fromkeys(place for place in places if place in services and place != command.service))


def _probes(probes: Mapping[str, Probe] | None, ports: Mapping[str, int | None] | None) -> dict[str, Probe]:
    silent = {name: Probe(kind="alive") for name, port in (ports or {}).items() if port is None}
    return silent | dict(probes or {})


def _parted(
    env: Environment, lines: Mapping[str, str], where: str
) -> tuple[dict[str, str], dict[str, Mapping[str, str]]]:
    """The variables of all services, and those of single ones."""
    common = {name: value for name, value in env.items() if isinstance(value, str)}
    own = {name: value for name, value in env.items() if not isinstance(value, str)}
    check_names(lines, {"env": own}, where)
    return common, own
