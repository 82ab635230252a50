"""The runtime `docker`: replicas as one container for each service and store, on a private network."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import files, ports, processes
from pytest_anomod.host.locks import boot_lock
from pytest_anomod.host.state import make_directory
from pytest_anomod.model import clock
from pytest_anomod.model.errors import AnomodError, DeploymentError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import System
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.capabilities import of_containers
from pytest_anomod.runtimes.docker.deployment import DockerDeployment
from pytest_anomod.runtimes.docker.engine import translated
from pytest_anomod.runtimes.docker.image import require_image
from pytest_anomod.runtimes.foreground import UpInForeground
from pytest_anomod.runtimes.replica import check_taken, host_options, lacking, no_replica, package_of
from pytest_anomod.safety import sessions
from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian
from pytest_anomod.safety.undo import remove_tree

if TYPE_CHECKING:
    from testcontainers.core.network import Network

BOOT_LIMIT_S = 120.0
LOG_OPTIONS = {"max-size": "256m", "max-file": "2"}
"""What the engine keeps of each container's output: hours of a busy service, and never more than that of a disk."""
HOST_PART = "host"
"""The part that plans the deployment, fills its stores and answers for their metrics."""
_MOUNTED = ("logs", "spans", "run", "names", "stores", "secret")
_EXTRA = "/opt/extra"
KILLED = 137
"""Exit code of a container whose program got SIGKILL."""
_numbers = itertools.count(1)
_blocks: dict[str, int] = {}
"""Descriptors that hold the blocks of ports of this process's deployments."""


class DockerRuntime(UpInForeground):
    """Brings replicas up as containers of a Docker engine; nothing of them is left even if the caller is killed."""

    name = "docker"

    @property
    def capabilities(self) -> frozenset[type]:
        """What can be done to containers of the engine that answers now; without one, what can be done to any."""
        url = docker_engine.engine_url()
        return frozenset(of_containers(local=not docker_engine.why_not(url) and _is_local(url)))

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the needs that a service will not have."""
        return lacking(system, service, needs, self.capabilities)

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can."""
        return no_replica(system, "there is no image of it")

    def check(self) -> None:
        """ScenarioError that says what is missing on this machine; called at collection."""
        try:
            require_image(docker_engine.connect(docker_engine.engine_url()))
        except DeploymentError as error:
            raise ScenarioError(str(error)) from error

    def up(
        self,
        system: System,
        session: Session,
        *,
        entry_port: int | None = None,
        seed: int = 1,
        coverage: bool = True,
        telemetry: bool = True,
    ) -> DockerDeployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up, and its log.

        The image must be there (`anomod image build`). Everything that is published is so on the loopback address.
        """
        check_taken(self.refusal(system))
        options = host_options(entry_port, seed=seed, coverage=coverage, telemetry=telemetry)
        image = require_image(docker_engine.connect(docker_engine.engine_url()))
        ensure_guardian(session.directory)
        with boot_lock(f"{system.name} of {session.run_id}/{session.worker}", alone=True):
            base_port, block = ports.claim_block()
            try:
                deployment = _prepare(system, session, base_port)
            except BaseException:  # an interrupt too must not keep the ports
                os.close(block)
                raise
            _blocks[deployment.ref["id"]] = block
            try:
                deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
                _Boot(deployment, system, session, image, options).run()
            except BaseException:  # an interrupt too must not leave half a system
                with contextlib.suppress(AnomodError):  # the first error says more; the guardian has what stays
                    self.down(deployment)
                raise
        return deployment

    def attach(self, ref: Mapping[str, Json]) -> DockerDeployment:
        """The deployment behind a ref, from any process; what is asked of one that is gone raises DeploymentError."""
        return DockerDeployment(ref)

    def down(self, deployment: DockerDeployment) -> None:
        """Take it down; no container, network, program or file of it is left on return; idempotent."""
        docker_engine.remove_all(deployment.client, f"{docker_engine.DEPLOYMENT}={deployment.ref['id']}")
        deployment.end_programs()
        block = _blocks.pop(deployment.ref["id"], None)
        if block is not None:
            os.close(block)
        remove_tree(deployment.directory)
        deployment.undo.deployment_is_down(deployment.directory)

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions of this user left; one line per thing removed. Living ones are not touched."""
        lines = sessions.sweep()
        url = docker_engine.engine_url()
        if docker_engine.why_not(url):
            return lines
        return (*lines, *docker_engine.remove_dead(docker_engine.connect(url)))


@functools.cache
def _is_local(url: str) -> bool:
    return docker_engine.is_local(docker_engine.connect(url))


def _prepare(system: System, session: Session, base_port: int) -> DockerDeployment:
    """The directory of a deployment to be, with its token, and its ref."""
    name = f"{next(_numbers)}-{package_of(system)}"
    directory = make_directory(session.directory / "deployments" / name)
    make_directory(directory / "undo")
    for folder in _MOUNTED:
        make_directory(directory / folder)
    (directory / "stores").chmod(0o755)  # PostgreSQL gives up being root; the directories above are closed to others
    for token_file in (directory / "undo" / "token", directory / "secret" / "token"):
        with open(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_urlsafe(32) if token_file.parent.name == "undo" else "")
    shutil.copyfile(directory / "undo" / "token", directory / "secret" / "token")
    return DockerDeployment(
        {
            "runtime": "docker",
            "system": system.name,
            "directory": str(directory),
            "undo": str(session.directory / JOURNAL),
            "token_file": str(directory / "undo" / "token"),
            "base_port": base_port,
            "tag": processes.own_tag(f"{session.directory.name}/{name}"),
            "id": f"{session.directory.name}-{name}".replace(".", "-").replace("_", "-"),
            "engine": docker_engine.engine_url(),
            "local": _is_local(docker_engine.engine_url()),
        }
    )


class _Boot:
    """Bringing one deployment up: the host first, which says what else there is to start."""

    def __init__(
        self, deployment: DockerDeployment, system: System, session: Session, image: str, options: list[str]
    ) -> None:
        self.deployment = deployment
        self.system = system
        self.image = image
        self.options = [package_of(system), "", "--dir", str(deployment.directory)]
        self.options += ["--base-port", str(deployment.ref["base_port"]), *options]
        self.labels = {
            docker_engine.OWNER: deployment.ref["tag"],
            docker_engine.SESSION: session.directory.name,
            docker_engine.RUN: session.run_id,
            docker_engine.WORKER: session.worker,
            docker_engine.DEPLOYMENT: deployment.ref["id"],
            docker_engine.SYSTEM: system.name,
        }
        self.extra = _extra_source(package_of(system))
        self.denier = ""

    def run(self) -> None:
        """Start everything, wait until it is filled and healthy, announce it."""
        directory = self.deployment.directory
        with _without_ryuk(), translated(f"system {self.system.name!r} did not come up"):
            self.network = self._create_network()
            self._start(HOST_PART, [self.deployment.ref["base_port"]], restart=False)
            self._wait(lambda: (directory / "run" / "plan.json").exists(), [HOST_PART], "to be planned")
            self.denier = self._address(HOST_PART)
            plan = files.read_json(directory / "run" / "plan.json")
            services: dict[str, Any] = plan["services"]
            docker_engine.each(lambda name: self._start_service(name, plan), _stores_first(services))
        plan["directory"] = str(directory)
        plan["host"] = {}
        self._wait(lambda: (directory / "run" / "filled").exists(), [HOST_PART, *services], "to be filled")
        waiting = dict(services)

        def all_answer() -> bool:
            for name in list(waiting):
                if self._answers(waiting[name]):
                    del waiting[name]
            return not waiting

        self._wait(all_answer, waiting, "to answer")
        files.write_json(directory / "deployment.json", plan)

    def _create_network(self) -> Network:
        from testcontainers.core.network import Network

        name = self.deployment.network()
        # the engine takes two of one name, and then knows neither by it
        if any(found["Name"] == name for found in self.deployment.client.api.networks(names=[name])):
            msg = f"a network {name!r} is there already, and not of this deployment: rename or remove that one"
            raise DeploymentError(msg)
        options = {"com.docker.network.bridge.enable_ip_masquerade": "false"}  # nothing of a replica goes out
        network = Network(docker_network_kw={"driver": "bridge", "labels": self.labels, "options": options})
        network.name = name
        return network.create()

    def _start_service(self, name: str, plan: Mapping[str, Any]) -> None:
        from urllib.parse import urlsplit

        described = plan["services"][name]
        published = [described["port"]]
        if described["agent_url"]:
            published.append(urlsplit(described["agent_url"]).port)
        signal = plan["stop_signals"].get(name, "SIGTERM")
        self._start(name, published, stop_signal=signal, engine=described["log_format"])

    def _start(
        self, part: str, published: list[int], *, stop_signal: str = "SIGTERM", engine: str = "", restart: bool = True
    ) -> None:
        """Create and start one container."""
        from testcontainers.core.container import DockerContainer

        command = [self.options[0], part, *self.options[2:]]
        # as root PostgreSQL wants a user namespace, which the engine's own profile denies; so it keeps our user outside
        unconfined = ["seccomp=unconfined"] if os.getuid() == 0 and engine == "postgres" else []
        container = DockerContainer(self.image, name=self.deployment.container(part)).with_command(command)
        container.with_network(self.network).with_network_aliases(part)
        container.ports = {f"{port}/tcp": (ports.HOST, port) for port in published}  # type: ignore[misc]
        for folder in _MOUNTED:
            container.with_volume_mapping(
                self.deployment.directory / folder, str(self.deployment.directory / folder), "rw"
            )
        if self.extra is not None:
            container.with_volume_mapping(self.extra, f"{_EXTRA}/{self.extra.name}", "ro")
            container.with_env("PYTHONPATH", f"/opt/replicas:{_EXTRA}")
        container.with_kwargs(
            labels={**self.labels, docker_engine.SERVICE: part},
            hostname=part,
            user=f"{os.getuid()}:{os.getgid()}",
            init=True,
            # not "always": containers that a crash left must not start again with the engine
            restart_policy={"Name": "on-failure"} if restart else None,
            stop_signal=stop_signal,
            # the host denies what the engine does not know; the host itself asks nobody else
            dns=[self.denier or "127.0.0.1"],
            dns_search=["."],
            dns_opt=["timeout:1", "attempts:1"],
            security_opt=["no-new-privileges", *unconfined],
            log_config={"Type": "json-file", "Config": LOG_OPTIONS},
        )
        container.start()

    def _address(self, part: str) -> str:
        """Of a container, on the private network."""
        found = self.deployment.client.api.inspect_container(self.deployment.container(part))
        return str(found["NetworkSettings"]["Networks"][self.deployment.network()]["IPAddress"])

    def _answers(self, described: Mapping[str, Any]) -> bool:
        from pytest_anomod.host import health

        return health.is_well(described["log_format"], (ports.HOST, described["port"]), 0.5)

    def _wait(self, done: Callable[[], bool], parts: Any, what: str) -> None:
        """Wait for something; DeploymentError with the last lines of whoever ended or did not get there."""
        looked = clock.monotonic_s()

        def look() -> bool:
            nonlocal looked
            if done():
                return True
            if clock.monotonic_s() - looked > 1.0:
                self._check_ended(list(parts))
                looked = clock.monotonic_s()
            return False

        try:
            clock.wait_until(look, timeout_s=BOOT_LIMIT_S, what=f"{self.system.name!r} {what}", every_s=0.05)
        except TimeoutError as error:
            said = "\n".join(f"{part}:\n{self.deployment.logs(part)}" for part in list(parts)[:3])
            msg = f"{error}; still waited for: {', '.join(parts)}; they last said: {said}"
            raise DeploymentError(msg) from error

    def _check_ended(self, parts: list[str]) -> None:
        api = self.deployment.client.api
        for part in parts:
            with translated(f"container of {part!r} is not there any more"):
                found = api.inspect_container(self.deployment.container(part))
            state, again = found["State"], found["RestartCount"]
            if state["Status"] in ("exited", "dead") or again > 3:
                msg = (
                    f"system {self.system.name!r} did not come up: the container of {part!r} {_how_it_ended(state)}; "
                    f"its last lines:\n{self.deployment.logs(part)}"
                )
                raise DeploymentError(msg)


def _how_it_ended(state: Mapping[str, Any]) -> str:
    if state.get("OOMKilled"):
        return "was killed by the kernel, for want of memory"
    if state["ExitCode"] == KILLED:
        return f"ended with code {KILLED}: it was killed, as the kernel does where a machine is short of memory"
    return f"ended with code {state['ExitCode']}"


def _stores_first(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted(services, key=lambda name: services[name]["agent_url"] is not None)


def _extra_source(replica: str) -> Path | None:
    """The directory of a package that is not in the image, to be mounted; None for replicas of ours."""
    if "." not in replica:
        return None
    spec = importlib.util.find_spec(replica.partition(".")[0])
    if spec is None or not spec.submodule_search_locations:
        msg = f"replica {replica!r} is not to be found as a package on this machine"
        raise DeploymentError(msg)
    return Path(next(iter(spec.submodule_search_locations))).absolute()


@contextlib.contextmanager
def _without_ryuk() -> Iterator[None]:
    """Our guardian does what testcontainers' reaper would, and needs no image for it."""
    from testcontainers.core.config import testcontainers_config

    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before


OFFERS = (DockerRuntime(),)
