"""Brings systems up from compose files, several side by side, and takes them down by their labels alone."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import re
from collections.abc import Mapping

from pytest_anomod.host import ports, processes
from pytest_anomod.host.locks import boot_lock, project_lock
from pytest_anomod.host.state import make_directory
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import AnomodError, DeploymentError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import ComposeFiles, System
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.compose import cli, refusals
from pytest_anomod.runtimes.compose.boot import Boot
from pytest_anomod.runtimes.compose.deployment import ComposeDeployment
from pytest_anomod.runtimes.compose.resolve import resolve
from pytest_anomod.runtimes.containers.deployment import capabilities, lacking
from pytest_anomod.runtimes.docker import engine
from pytest_anomod.runtimes.foreground import UpInForeground
from pytest_anomod.safety import sessions
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian
from pytest_anomod.safety.undo import remove_tree

_numbers = itertools.count(1)
_held: dict[str, contextlib.ExitStack] = {}
"""What this process holds for its deployments: blocks of ports, and the right to have a project up alone."""


class ComposeRuntime(UpInForeground):
    """Brings systems up from their compose files; nothing of them is left even if the caller is killed."""

    name = "compose"

    @property
    def capabilities(self) -> frozenset[type]:
        """What can be done to containers of the engine that answers now; without one, what can be done to any."""
        url = engine.engine_url()
        return capabilities(local=not engine.why_not(url) and _is_local(url)) | {Agent}

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can."""
        if system.deploy(ComposeFiles) is None:
            return f"system {system.name!r} has no compose file"
        return engine.why_not() or cli.why_not()

    def check(self) -> None:
        """ScenarioError that says what is missing on this machine; called at collection."""
        why = engine.why_not() or cli.why_not()
        if why:
            raise ScenarioError(why)

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the capabilities that a service of a system will not have."""
        deploys = system.deploy(ComposeFiles)
        why = agents.why_none(deploys.agents if deploys else (), service)
        return lacking(system.service(service), needs, self.capabilities - ({Agent} if why else set()))

    def refusal_of_fault(self, system: System, target: str, fault: str) -> str:
        """Why a fault can't be put into the code of a service; "" when it can."""
        deploys = system.deploy(ComposeFiles)
        return agents.refusal_of_fault(deploys.agents if deploys else (), target, fault)

    def up(
        self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1
    ) -> ComposeDeployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up, and its log.

        Images are built once a run. Everything that is published is so on the loopback address. What can be up only
        once on a machine waits for its turn.
        """
        deploys = system.deploy(ComposeFiles)
        why = self.refusal(system)
        if deploys is None or why:
            msg = f"{why}; use another runtime"
            raise DeploymentError(msg)
        if entry_port is not None:
            ports.check_entry_port(entry_port)
        resolved = resolve(deploys)
        refused = refusals.refusals(resolved.document)
        if refused:
            msg = f"system {system.name!r} can't be brought up: {'; '.join(refused)}"
            raise DeploymentError(msg)
        ensure_guardian(session.directory)
        purpose = f"{system.name} of {session.run_id}/{session.worker}"
        deployment = _prepare(system, session)
        deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
        held = _held[deployment.ref["id"]] = contextlib.ExitStack()
        try:
            alone = refusals.alone(resolved.document)
            if alone:
                held.enter_context(project_lock(resolved.project, purpose))
            base_port, block = ports.claim_block()
            held.callback(os.close, block)
            boot = Boot(deployment, system, session, deploys, resolved, base_port=base_port, entry_port=entry_port)
            held.callback(boot.close_receiver)
            if alone:
                boot.wait_alone()
            boot.make_images()
            with boot_lock(purpose, alone=True):
                boot.run()
        except BaseException:  # an interrupt too must not leave half a system
            with contextlib.suppress(AnomodError):  # the first error says more; the guardian has what stays
                self.down(deployment)
            raise
        return deployment

    def attach(self, ref: Mapping[str, Json]) -> ComposeDeployment:
        """The deployment behind a ref, from any process; what is asked of one that is gone raises DeploymentError."""
        return ComposeDeployment(ref)

    def down(self, deployment: ComposeDeployment) -> None:
        """Take it down; no container, network, volume, program or file of it is left on return; idempotent.

        Named volumes of ours go too; what is external stays.
        """
        tag = deployment.ref["tag"]
        processes.kill_all(lambda: processes.tagged(lambda text: text == tag), what="compose and helper programs")
        engine.remove_all(deployment.client, f"{engine.DEPLOYMENT}={deployment.ref['id']}")
        deployment.end_programs()
        held = _held.pop(deployment.ref["id"], None)
        if held is not None:
            held.close()
        remove_tree(deployment.directory)
        deployment.undo.deployment_is_down(deployment.directory)

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions of this user left; one line per thing removed. Living ones are not touched."""
        lines = sessions.sweep()
        url = engine.engine_url()
        if engine.why_not(url):
            return lines
        return (*lines, *engine.remove_dead(engine.connect(url)))


@functools.cache
def _is_local(url: str) -> bool:
    return engine.is_local(engine.connect(url))


def _prepare(system: System, session: Session) -> ComposeDeployment:
    """The directory of a deployment to be, and its ref."""
    name = f"{next(_numbers)}-{system.name}"
    directory = make_directory(session.directory / "deployments" / name)
    make_directory(directory / "undo")
    short = hashlib.sha256(str(session.directory).encode()).hexdigest()[:8]
    return ComposeDeployment(
        {
            "runtime": "compose",
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
            "id": re.sub(r"[^a-z0-9_-]", "-", f"anomod-{short}-{name}".lower()),
            "engine": engine.engine_url(),
            "local": _is_local(engine.engine_url()),
        }
    )


OFFERS = (ComposeRuntime(),)
