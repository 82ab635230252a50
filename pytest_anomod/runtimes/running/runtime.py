"""Uses a system that runs already, exclusively on this machine, and leaves it as it was."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.host import files, listening, ports, probes, processes
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, LocalProcess, Programs, StoreLogin
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import Running, Service, System
from pytest_anomod.runtimes.containers.deployment import ENGINES_WITH_LOGIN
from pytest_anomod.runtimes.containers.deployment import capabilities as of_containers
from pytest_anomod.runtimes.running import rules
from pytest_anomod.runtimes.running.containers import find_containers, offered
from pytest_anomod.runtimes.running.deployment import SEEN, RunningDeployment, find_process
from pytest_anomod.safety import sessions, undo
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian

WELL_WITHIN_S = 5.0
HELD_WITHIN_S = 3_600.0
_numbers = itertools.count(1)
_held: dict[str, int] = {}
"""Descriptors whose locks say that this process has hold of a running system, by the deployment's directory."""


class RunningRuntime:
    """Works with what runs already: never takes it down; only faults that leave no trace, or that are allowed."""

    name = "running"
    capabilities = frozenset(RunningDeployment.capabilities) | of_containers(local=True)

    def refusal(self, system: System) -> str:
        """Why this runtime can't work with a system; "" when it can."""
        if system.deploy(Running) is None:
            return f"system {system.name!r} names nothing that runs already: define it with running_system"
        return ""

    def refusal_of_fault(self, system: System, service: str, fault: str) -> str:
        """Why a fault is not put into a system that is not ours; "" when it may be."""
        return rules.refusal_of_fault(system, service, fault)

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the needs that a service will not have: without a pid nothing can be done to it."""
        running = rules.running_of(system)
        has: set[type] = set()
        if service in running.containers:
            has |= offered(running.allow)
            if system.service(service).engine not in ENGINES_WITH_LOGIN:
                has.discard(StoreLogin)
        if service in running.pids:
            has |= {LocalProcess, Programs}
            has |= {Lifecycle} if "kill_service" in running.allow else set()
        if _has_login(system.service(service), running):
            has.add(StoreLogin)
        return needs - has

    def up(
        self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1
    ) -> RunningDeployment:
        """Begin to use a system; DeploymentError names what does not run, may not be changed by us, or is unhealthy.

        Only one process of this machine at a time uses it: this waits until another one has ended.
        """
        if why := self.refusal(system):
            raise DeploymentError(why)
        if entry_port is not None:
            msg = f"system {system.name!r} runs already: its entry can't be put on port {entry_port}"
            raise DeploymentError(msg)
        ensure_guardian(session.directory)
        descriptor = _take_hold(system.name)
        try:
            deployment = _describe(system, session)
        except BaseException:  # an interrupt too must not keep it from others
            os.close(descriptor)
            raise
        _held[str(deployment.directory)] = descriptor
        deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
        try:
            clock.wait_until(lambda: not deployment.unhealthy(), timeout_s=WELL_WITHIN_S, what="it")
        except TimeoutError as error:
            sick = ", ".join(deployment.unhealthy())
            self.down(deployment)
            msg = f"system {system.name!r} is not well: no good answer from {sick}; start it, or name other probes"
            raise DeploymentError(msg) from error
        return deployment

    def attach(self, ref: Mapping[str, Json]) -> RunningDeployment:
        """The deployment behind a ref, from any process."""
        return RunningDeployment(ref)

    def down(self, deployment: RunningDeployment) -> None:
        """Stop using it: recover faults that are still in, end programs of ours; the system itself stays. Idempotent.

        DeploymentError names faults that can't be taken out; what is needed to do so is kept then.
        """
        if deployment.directory.exists():
            undo.recover_within(deployment.ref, deployment.undo.open_entries())
            deployment.programs.end_all()
            undo.remove_tree(deployment.directory)
        deployment.undo.deployment_is_down(deployment.directory)
        descriptor = _held.pop(str(deployment.directory), None)
        if descriptor is not None:
            os.close(descriptor)

    def sweep(self) -> tuple[str, ...]:
        """Undo what dead sessions of this user left; one line per thing undone."""
        return sessions.sweep()

    def up_in_foreground(
        self, system: System, *, port: int | None = None, say: Callable[[str], None], seed: int = 1
    ) -> int:
        """Nothing is to be brought up: say where it is."""
        say(f"{system.name} is not ours to bring up: it runs at {rules.running_of(system).entry}")
        return 0


def _has_login(service: Service, running: Running) -> bool:
    return service.name in running.logins


def _take_hold(system: str) -> int:
    """Have a running system for ourselves on this machine; the descriptor of the lock."""
    path = make_directory(state_root() / "running") / f"{system}.lock".replace("/", "_")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def taken() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    try:
        clock.wait_until(taken, timeout_s=HELD_WITHIN_S, what="it")
    except BaseException as error:  # an interrupt too
        os.close(descriptor)
        if isinstance(error, TimeoutError):
            msg = f"another process of this machine has had system {system!r} for {HELD_WITHIN_S:g} s"
            raise DeploymentError(msg) from error
        raise
    return descriptor


def _describe(system: System, session: Session) -> RunningDeployment:
    """The directory of a deployment, with what was found of the system; DeploymentError for what is not there."""
    running = rules.running_of(system)
    described, seen = {}, {}
    containers, engine, local = find_containers(running.containers) if running.containers else ({}, "", False)
    for service in system.services:
        row, process = _row(system, service, running, containers.get(service.name, ""))
        described[service.name] = row
        if process is not None:
            seen[service.name] = [list(process)]
    name = f"{next(_numbers)}-{system.name}".replace("/", "_")
    directory = make_directory(session.directory / "deployments" / name)
    own = make_directory(directory / "undo")
    document = {
        "entry_url": running.entry.rstrip("/"),
        "urls": {system.entry: running.entry.rstrip("/")},
        "notes": [f"{system.name} is not ours: it is never taken down, and every fault is taken out again"],
        "allow": list(running.allow),
        "services": described,
    }
    files.write_json(own / SEEN, seen)
    files.write_json(own / "logins.json", dict(running.logins))
    files.write_json(directory / "deployment.json", document)
    return RunningDeployment(
        {
            "runtime": RunningRuntime.name,
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
            "engine": engine,
            "local": local,
        }
    )


def _row(
    system: System, service: Service, running: Running, container: str
) -> tuple[dict[str, Json], tuple[int, float] | None]:
    """What is known of a service, and its process if it has one here."""
    given = running.pids.get(service.name)
    process = None
    if given is not None:
        process = _process(service.name, given)
    host, port = _address(system, service, running, process)
    kind = probes.kind_for(service.engine) if service.probe.kind == "auto" else service.probe.kind
    row = {
        "kind": str(service.kind),
        "engine": service.engine,
        "host": host,
        "port": port,
        "asked": service.probe.kind,
        "probe": kind if port else "alive",
        "probe_path": service.probe.path,
        "login": _has_login(service, running),
        "container": container,
        "pid": process[0] if process else None,
        "pid_file": given if isinstance(given, str) else "",
    }
    return row, process


def _process(service: str, given: int | str) -> tuple[int, float]:
    """The process that was named, with its start time."""
    if isinstance(given, str):
        found = find_process(given, 0)
        if found is None:
            msg = f"service {service!r}: the file {given} names no process that runs"
            raise DeploymentError(msg)
    else:
        started = processes.start_time(given)
        if started is None:
            msg = f"service {service!r}: no process {given} runs; name the pid that it has now, or its pid file"
            raise DeploymentError(msg)
        found = given, started
    owner = Path(f"/proc/{found[0]}")
    if os.geteuid() != 0 and owner.exists() and owner.stat().st_uid != os.geteuid():
        msg = f"service {service!r}: process {found[0]} is another user's; run the tests as that user"
        raise DeploymentError(msg)
    return found


def _address(system: System, service: Service, running: Running, process: tuple[int, float] | None) -> tuple[str, int]:
    """Where a service is reached: the entry's URL, the port that was given, or the only one its process listens on."""
    if service.name == system.entry:
        parts = urlsplit(running.entry)
        return parts.hostname or ports.HOST, parts.port or (443 if parts.scheme == "https" else 80)
    if service.port or process is None:
        return ports.HOST, service.port
    family = [process[0], *processes.descendants([process[0]])]
    listened = sorted({port for found in listening.ports_of(family).values() for port in found})
    return ports.HOST, listened[0] if len(listened) == 1 else 0


OFFERS: tuple[Any, ...] = (RunningRuntime(),)
