"""Brings plain commands up and takes them down; nothing of them is left even if the caller is killed."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_anomod
from pytest_anomod.host import files, ports, processes
from pytest_anomod.host.leases import BOOT_CORES, lease
from pytest_anomod.host.locks import boot_lock
from pytest_anomod.host.state import make_directory
from pytest_anomod.model import clock
from pytest_anomod.model.errors import AnomodError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import Commands, System
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.commands import plan as plans
from pytest_anomod.runtimes.commands import teardown
from pytest_anomod.runtimes.commands.deployment import CommandsDeployment
from pytest_anomod.runtimes.foreground import UpInForeground
from pytest_anomod.safety import sessions
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

HOST_MODULE = "pytest_anomod.runtimes.commands.helpers.host"
BOOT_LIMIT_S = 300.0
_numbers = itertools.count(1)
_receivers: dict[str, OtlpReceiver] = {}
"""Receivers of what services export, of this process's deployments, by their directories."""


class CommandsRuntime(UpInForeground):
    """Starts a system's commands as processes of this machine: no Docker, no root."""

    name = "commands"
    capabilities = frozenset(CommandsDeployment.capabilities)

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can."""
        return plans.refusal(system)

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the needs that a service will not have."""
        return needs - (self.capabilities - plans.lacking(system, service))

    def refusal_of_fault(self, system: System, target: str, fault: str) -> str:
        """Why a fault can't be put into the code of a service; "" when it can."""
        deploys = system.deploy(Commands)
        return agents.refusal_of_fault(deploys.agents if deploys else (), target, fault)

    def up(
        self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1
    ) -> CommandsDeployment:
        """Bring a system up and return once all of it is well; DeploymentError names what is not, and its last lines.

        `entry_port` puts the entry on a port of the caller's choice. `seed` means nothing to commands. Where services
        listen on ports of their own choice, this waits until no other process has them.
        """
        if why := self.refusal(system):
            raise DeploymentError(why)
        if entry_port is not None and entry_port not in plans.fixed_ports(system).values():
            ports.check_entry_port(entry_port)
        ensure_guardian(session.directory)
        purpose = f"{system.name} of {session.run_id}/{session.worker}"
        held = ports.hold_fixed(plans.fixed_ports(system).values(), purpose)
        try:
            with boot_lock(purpose), lease(BOOT_CORES, f"boot of {purpose}"):
                return self._boot(system, session, entry_port, held)
        finally:
            for descriptor in held:
                os.close(descriptor)  # the host holds it now

    def attach(self, ref: Mapping[str, Json]) -> CommandsDeployment:
        """The deployment behind a ref, from any process; what is asked of one that is gone raises DeploymentError."""
        return CommandsDeployment(ref)

    def down(self, deployment: CommandsDeployment) -> None:
        """Take it down; nothing of it is left on return (no process, port, file of ours); idempotent.

        DeploymentError names what is left if that can't be done within some 10 s.
        """
        receiver = _receivers.pop(str(deployment.directory), None)
        if receiver is not None:
            receiver.close()
        teardown.take_down(deployment)

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions of this user left; one line per thing removed. Living ones are not touched."""
        return sessions.sweep()

    def _boot(self, system: System, session: Session, entry_port: int | None, held: list[int]) -> CommandsDeployment:
        base_port, block = ports.claim_block()
        try:
            deployment = _prepare(system, session, base_port)
            deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
            try:
                plan = plans.make_plan(
                    system,
                    base_port=base_port,
                    directory=deployment.directory,
                    tag=deployment.ref["tag"],
                    entry_port=entry_port,
                    receiver=_receiver(deployment, plans.commands_of(system)),
                )
                files.write_json(deployment.own / "plan.json", plan)
                files.write_json(deployment.own / "logins.json", plans.logins(system, plan))
                _start_host(deployment, (block, *held))
            except BaseException:  # an interrupt too must not leave half a system
                with contextlib.suppress(AnomodError):  # the first error says more; the guardian has what stays
                    self.down(deployment)
                raise
        finally:
            os.close(block)  # the host holds it now
        return deployment


def _prepare(system: System, session: Session, base_port: int) -> CommandsDeployment:
    """The directory of a deployment to be, with its token, and its ref."""
    name = f"{next(_numbers)}-{system.name}".replace("/", "_")
    directory = make_directory(session.directory / "deployments" / name)
    for folder in ("undo", "logs", "tmp"):
        make_directory(directory / folder)
    with open(os.open(directory / "undo" / "token", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secrets.token_urlsafe(32))
    return CommandsDeployment(
        {
            "runtime": CommandsRuntime.name,
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "base_port": base_port,
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
        }
    )


def _receiver(deployment: CommandsDeployment, commands: Commands) -> OtlpReceiver | None:
    """A receiver on the loopback address, if any service exports over OTLP or is to."""
    if not commands.otlp and not any(asked.traces for _, asked in commands.agents):
        return None
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

    receiver = OtlpReceiver(
        directory=make_directory(deployment.directory / "otlp"), forward_to=commands.forward or None
    )
    receiver.start()
    _receivers[str(deployment.directory)] = receiver
    return receiver


def _start_host(deployment: CommandsDeployment, kept: tuple[int, ...]) -> None:
    """Start the host program, which dies with us by the pipe we hold, and wait until everything is well."""
    directory = deployment.directory
    with (deployment.own / "host.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", HOST_MODULE, str(directory)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=_environment(deployment.ref["tag"]),
            pass_fds=kept,
        )
    processes.adopt(process)
    what = f"{deployment.system!r} to come up"
    try:
        clock.wait_until(
            lambda: (directory / "deployment.json").exists() or process.poll() is not None,
            timeout_s=BOOT_LIMIT_S,
            what=what,
        )
    except TimeoutError as error:
        msg = f"{error}; the host last said: {_last_words(directory)}"
        raise DeploymentError(msg) from error
    if not (directory / "deployment.json").exists():
        msg = f"system {deployment.system!r} did not come up: {_last_words(directory)}"
        raise DeploymentError(msg)


def _environment(tag: str) -> dict[str, Any]:
    """Ours, with the package to be found and the tag; the services get theirs from the plan."""
    here = str(Path(pytest_anomod.__file__).parents[1])
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), here)))
    return {**os.environ, "PYTHONPATH": path, processes.TAG: tag}


def _last_words(directory: Path) -> str:
    """What the host wrote about its failure."""
    for name in ("error.txt", "undo/host.out"):
        with contextlib.suppress(OSError):
            text = (directory / name).read_text(errors="replace").strip()
            if text:
                return "\n".join(text.splitlines()[-30:])
    return "nothing"
