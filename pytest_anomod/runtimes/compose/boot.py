"""Brings one compose deployment up: its images, its one file, its containers, and the wait until all are healthy."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host import files, ports
from pytest_anomod.host.engine import translated
from pytest_anomod.host.locks import image_lock
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.runtime import Session
from pytest_anomod.model.system import ComposeFiles, System
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.compose import cli, inside, refusals, telemetry, transform
from pytest_anomod.runtimes.compose.deployment import ComposeDeployment
from pytest_anomod.runtimes.compose.resolve import Resolved, environment_words
from pytest_anomod.runtimes.containers import seen as looking
from pytest_anomod.runtimes.containers.deployment import describe
from pytest_anomod.runtimes.containers.seen import Seen
from pytest_anomod.runtimes.docker import engine

if TYPE_CHECKING:
    import docker

    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

IMAGES_LIMIT_S = 3_600.0
START_LIMIT_S = 900.0
"""How long compose may take to create all containers and start them, each after those that it depends on."""
WELL_LIMIT_S = 300.0
OTHER_PORT_AFTER_S = 15.0
"""After so long a service that listens, but not where we thought, is taken to listen there."""
LEFT_LIMIT_S = 60.0
RESTARTS_MOST = 3
LINES_SHOWN = 15
FILE = "compose.json"
INBOX = "otlp"
PROJECT = "pytest-anomod.project"
"""Label: the name that the files give to the project."""
_COMPOSE = re.compile(r"COMPOSE_(?:FILE|PROJECT_NAME|PROFILES|PATH_SEPARATOR|ENV_FILES)")


class Boot:
    """Steps in order: `make_images`, then `run`."""

    def __init__(
        self,
        deployment: ComposeDeployment,
        system: System,
        session: Session,
        deploys: ComposeFiles,
        resolved: Resolved,
        *,
        base_port: int,
        entry_port: int | None,
    ) -> None:
        self.deployment = deployment
        self.system = system
        self.session = session
        self.deploys = deploys
        self.resolved = resolved
        self.described: dict[str, dict[str, Any]] = describe(system)
        self.collector = telemetry.collector(deploys, resolved.document)
        more = [*telemetry.trace_servers(deploys).values(), *([self.collector] if self.collector else [])]
        self.ports = _chosen_ports(resolved.document, system, base_port, entry_port, more)
        why_no_agents = "" if deployment.ref["local"] else "the engine is not on this machine: it can't mount agents"
        self.agents = agents.plan(deploys.agents, deployment.directory, why_no_agents)
        self.has_images = False
        self.receiver: OtlpReceiver | None = None
        """What takes telemetry while this process lives; whoever takes the deployment down closes it."""
        self.environment = {name: value for name, value in os.environ.items() if not _COMPOSE.fullmatch(name)}

    @property
    def client(self) -> docker.DockerClient:
        """The engine."""
        return self.deployment.client

    # images

    def wait_alone(self) -> None:
        """Wait until nothing of ours is left of the same project: its guardian may be taking it down."""
        label = f"{PROJECT}={self.resolved.project}"

        def none_left() -> bool:
            with translated("containers of the same project can't be looked for"):
                found = self.client.api.containers(all=True, filters={"label": label})
                return not found and not self.client.api.networks(filters={"label": label})

        what = f"what is left of another {self.resolved.project!r} to be gone (label {label})"
        try:
            clock.wait_until(none_left, timeout_s=LEFT_LIMIT_S, what=what, every_s=0.2)
        except TimeoutError as error:
            msg = f"{error}; it can be up only once on this machine"
            raise DeploymentError(msg) from error

    def close_receiver(self) -> None:
        """End the receiver of what services export, if one was begun."""
        if self.receiver is not None:
            self.receiver.close()

    def make_images(self) -> None:
        """Build what is to be built, once a run, and pull what is missing; DeploymentError says what failed."""
        to_build = transform.to_build(self.resolved.document)
        if to_build["services"]:
            self._build(to_build)
        missing = {
            name: transform.image_of(self.resolved.document, name)
            for name in self.resolved.document["services"]
            if not self._has(transform.image_of(self.resolved.document, name))
        }
        self._write(self._ours())
        if missing:
            try:
                self._compose(["pull", "--quiet", *missing], IMAGES_LIMIT_S)
            except DeploymentError as error:
                msg = f"images that are not here, {', '.join(sorted(set(missing.values())))}, can't be had: {error}"
                raise DeploymentError(msg) from error

    def _build(self, document: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
        done = make_directory(state_root() / "builds") / f"{self.session.run_id}-{digest}".replace("/", "_")
        with image_lock(f"images of {self.system.name}", timeout_s=IMAGES_LIMIT_S):
            if not done.exists():
                self._write(document)
                self._compose(["build", "--quiet"], IMAGES_LIMIT_S, project=str(document["name"]))
                done.touch()

    def _has(self, image: str) -> bool:
        import docker.errors

        try:
            with translated(f"image {image} can't be looked for"):
                self.client.images.get(image)
        except DeploymentError as error:
            if isinstance(error.__cause__, docker.errors.ImageNotFound):
                return False
            raise
        return True

    @property
    def _labels(self) -> dict[str, str]:
        ref = self.deployment.ref
        return {
            engine.OWNER: ref["tag"],
            engine.SESSION: self.session.directory.name,
            engine.RUN: self.session.run_id,
            engine.WORKER: self.session.worker,
            engine.DEPLOYMENT: ref["id"],
            engine.SYSTEM: self.system.name,
            PROJECT: self.resolved.project,
        }

    def _ours(self) -> dict[str, Any]:
        document = self.resolved.document
        environment: Mapping[str, Mapping[str, str]] = {}
        mounts: inside.Mounts = {}
        if self.receiver is not None:
            environment = telemetry.told(document, self.deploys.otlp, self.receiver)
        if self.has_images:
            environment, mounts = inside.put_in(self.agents, self._own_environment, environment, self.receiver)
        plan = transform.Plan(
            project=self.deployment.ref["id"],
            labels=self._labels,
            service_label=engine.SERVICE,
            ports=self.ports,
            environment=environment,
            mounts=mounts,
        )
        return transform.transform(self.resolved.document, plan)

    def _forward_to(self) -> str:
        """Where what comes is sent on to, as this machine sees it."""
        if self.collector is None:
            return self.deploys.forward
        parts = urlsplit(self.deploys.forward)
        return f"{parts.scheme}://{ports.HOST}:{self.ports.get(self.collector, self.collector[1])}{parts.path}"

    def _own_environment(self, service: str) -> dict[str, str]:
        """What a service's process has in its environment without us: of its image, and as the files say."""
        image = transform.image_of(self.resolved.document, service)
        with translated(f"image {image} can't be looked at"):
            words = self.client.images.get(image).attrs["Config"].get("Env") or ()
        told = self.resolved.document["services"][service].get("environment") or {}
        of_image = dict(word.partition("=")[::2] for word in words)
        return of_image | {name: transform.plain(str(value)) for name, value in told.items() if value is not None}

    def _write(self, document: Mapping[str, Any]) -> None:
        """Write the one file that compose gets: readable by us only, and removed with the deployment."""
        files.write_json(self.deployment.directory / FILE, document)

    def _compose(self, words: list[str], limit_s: float, project: str = "") -> None:
        file = str(self.deployment.directory / FILE)
        named = ["--project-name", project or self.deployment.ref["id"], "--file", file]
        cli.run(
            [*named, *environment_words(self.deploys), *words],
            tag=self.deployment.ref["tag"],
            undo=self.deployment.undo,
            limit_s=limit_s,
            environment=self.environment,
        )

    # containers

    def run(self) -> None:
        """Start everything, wait until it is healthy, and write down what was found."""
        self.has_images = True
        exporting = [*self.deploys.otlp, *agents.traced(self.agents)]
        if exporting:
            document, project = self.resolved.document, self.deployment.ref["id"]
            gateway = telemetry.make_network(self.client, document, project, exporting[0], self._labels)
            self.receiver = telemetry.start_receiver(gateway, self.deployment.directory / INBOX, self._forward_to())
        if exporting or self.agents:
            self._write(self._ours())
        try:
            self._compose(["up", "--detach", "--no-build", "--quiet-pull"], START_LIMIT_S)
        except DeploymentError as error:
            msg = f"system {self.system.name!r} did not come up: {error}{self._what_the_ended_said()}"
            raise DeploymentError(msg) from error
        waiting = dict(self.deployment.containers())
        began = clock.monotonic_s()

        def all_well() -> bool:
            for name in list(waiting):
                if all(self._is_well(name, self._look(one), clock.monotonic_s() - began) for one in waiting[name]):
                    del waiting[name]
            return not waiting

        self._wait(all_well, waiting)
        self._announce()
        waiting = dict.fromkeys(self.described, ())
        self._wait(lambda: not self.deployment.unhealthy(), waiting)

    def _look(self, container: str) -> Seen:
        with translated("a container of the system can't be seen"):
            return looking.read(self.client.api.inspect_container(container))

    def _is_well(self, name: str, seen: Seen, waited_s: float) -> bool:
        """Whether a container is where it should be for the system to be up; DeploymentError if it never will."""
        if seen.status in ("exited", "dead"):
            if seen.exit_code == 0 and name not in self.described:
                return True
            if not seen.exit_code and not seen.restarts_itself:
                msg = (
                    f"service {name!r} of {self.system.name!r} ended with code 0: if it is a job, name it in jobs=[...]"
                )
                raise DeploymentError(msg)
            if not seen.restarts_itself or seen.restart_count > RESTARTS_MOST:
                ended = f"service {name!r} {_end_of(seen)}"
                msg = f"system {self.system.name!r} did not come up: {ended}{self._said(seen.id)}"
                raise DeploymentError(msg)
            return False
        if seen.status != "running":
            return False
        if seen.health:
            if seen.health != "healthy":
                return False
        elif name in self.described and self.deployment.ref["local"]:
            port, listening = self.described[name]["port"], looking.listening_ports(seen.pid)
            if port and port not in listening and not (listening and waited_s > OTHER_PORT_AFTER_S):
                return False
        if name in self.described:
            self.described[name]["port"] = self._port_of(name, seen)
        return True

    def _port_of(self, name: str, seen: Seen) -> int:
        """Where a service that is up is reached by others: where it was thought to be, else the one port that fits."""
        thought = int(self.described[name]["port"])
        if not self.deployment.ref["local"]:
            return thought or next(iter(seen.exposed), 0)
        listening = looking.listening_ports(seen.pid)
        if thought in listening:
            return thought
        fitting = [port for port in seen.exposed if port in listening] or list(listening)
        return fitting[0] if len(fitting) == 1 or (seen.exposed and fitting) else 0

    def _wait(self, done: Any, waiting: Mapping[str, Any]) -> None:
        try:
            clock.wait_until(done, timeout_s=WELL_LIMIT_S, what=f"{self.system.name!r} to be well", every_s=0.1)
        except TimeoutError as error:
            ids = self.deployment.containers()
            said = "".join(self._said(one) for name in list(waiting)[:3] for one in ids.get(name, ())[:1])
            msg = f"{error}; still waited for: {', '.join(waiting)}{said}"
            raise DeploymentError(msg) from error

    def _announce(self) -> None:
        document = self.resolved.document
        alone = refusals.alone(document)
        notes = [*transform.renamed(document), *self.resolved.warnings]
        notes += [f"only one of it at a time on this machine: {'; '.join(alone)}"] if alone else []
        published = {service: here for (service, _, protocol), here in self.ports.items() if protocol == "tcp"}
        http = {name: row for name, row in self.described.items() if row["engine"] == "http" and name in published}
        entry = _entry_key(document, self.system)
        of_entry = self.ports.get(entry, entry[1])  # in the network of the machine it is reached as it is
        urls = {name: f"http://{ports.HOST}:{published[name]}" for name in http}
        files.write_json(
            self.deployment.directory / "deployment.json",
            {
                "services": self.described,
                "entry": self.system.entry,
                "urls": {self.system.entry: "", **urls} | {self.system.entry: f"http://{ports.HOST}:{of_entry}"},
                "notes": [redact_text(note) for note in notes],
                "domains": [f"{self.deployment.ref['id']}_{key}" for key in document.get("networks") or ()],
                "spared_ports": [urlsplit(self.receiver.url).port] if self.receiver is not None else [],
                "metrics": dict(self.deploys.metrics),
                "agents": self.agents,
                "inbox": INBOX if self.receiver is not None else "",
                "traces": {
                    kind: f"http://{ports.HOST}:{self.ports.get(key, key[1])}"
                    for kind, key in telemetry.trace_servers(self.deploys).items()
                },
                "reported_as": [list(pair) for pair in self.deploys.reported_as],
            },
        )

    def _what_the_ended_said(self) -> str:
        """The last lines of containers that ended badly, for an error."""
        said = ""
        for name, ids in self.deployment.containers().items():
            for seen in map(self._look, ids):
                if seen.exit_code or (seen.status == "running" and seen.health == "unhealthy"):
                    said += f"\nservice {name!r} {_end_of(seen)}{self._said(seen.id)}"
        return said

    def _said(self, container: str) -> str:
        with translated("no logs"):
            raw: Any = self.client.api.logs(container, tail=LINES_SHOWN)
            text = redact_text(raw.decode("utf-8", "replace").strip())
        return f"; its last lines:\n{text}" if text else ""


def _end_of(seen: Seen) -> str:
    if seen.health == "unhealthy" and seen.status == "running":
        return "is unhealthy"
    if seen.oom_killed:
        return "was killed by the kernel, for want of memory"
    return f"ended with code {seen.exit_code}"


def _entry_key(document: Mapping[str, Any], system: System) -> tuple[str, int, str]:
    """The port of the entry that users connect to: the one the system names, else the first that is published."""
    entry = system.service(system.entry)
    published = [key for key in transform.published_ports(document) if key[0] == entry.name and key[2] == "tcp"]
    port = entry.port or (published[0][1] if published else 0)
    if not port:
        msg = f"the entry {entry.name!r} of {system.name!r} publishes no port: publish one, or give the entry's port"
        raise DeploymentError(msg)
    return entry.name, port, "tcp"


def _chosen_ports(
    document: Mapping[str, Any],
    system: System,
    base_port: int,
    entry_port: int | None,
    more: Iterable[tuple[str, int, str]],
) -> dict[tuple[str, int, str], int]:
    """A port of our block for all that is published, and for `more`: one that the engine picks changes at a restart."""
    key = _entry_key(document, system)
    if document["services"][key[0]].get("network_mode") == "host":
        return dict(zip(transform.published_ports(document), range(base_port, base_port + ports.BLOCK), strict=False))
    keys = dict.fromkeys((key, *more, *transform.published_ports(document)))
    chosen = dict(zip(keys, range(base_port, base_port + ports.BLOCK), strict=False))
    return chosen | ({key: entry_port} if entry_port is not None else {})
