"""A replica that is up, whatever it runs on: what its files, agents and published ports make possible."""

from __future__ import annotations

import abc
import difflib
import functools
import os
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.host import files, health, ports
from pytest_anomod.host.calls import call_json
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability, Json
from pytest_anomod.model.runtime import ControlGroup, Instance, NetNamespace
from pytest_anomod.model.system import ServiceKind, System
from pytest_anomod.runtimes.programs import Programs
from pytest_anomod.safety.undo import UndoJournal

ABILITIES = frozenset(Ability) - {Ability.CONTROL_GROUP, Ability.NET_NAMESPACE}
ORDER_TIMEOUT_S = 20.0
"""How long an agent or a host gets to answer, and a service to stop or start."""
INSTANCES_KEPT_S = 0.05
_AGENT_GETS = frozenset({"/healthz", "/code/patched"})


def no_replica(system: System, otherwise: str) -> str:
    """Why a system without a replica is refused: what can't be done otherwise; "" for one that has a replica."""
    return f"system {system.name!r} has no replica, so {otherwise}" if system.replica is None else ""


def check_taken(refusal: str) -> None:
    """DeploymentError with the refusal of a system, unless it is ""."""
    if refusal:
        msg = f"{refusal}; use another runtime"
        raise DeploymentError(msg)


def host_options(entry_port: int | None, *, seed: int, coverage: bool, telemetry: bool) -> list[str]:
    """Options of a replica's host program; DeploymentError when the port is taken."""
    options = ["--seed", str(seed)]
    if entry_port is not None:
        ports.check_entry_port(entry_port)
        options += ["--entry-port", str(entry_port)]
    options += [] if coverage else ["--no-coverage"]
    options += [] if telemetry else ["--no-telemetry"]
    return options


class ReplicaDeployment(abc.ABC):
    """What the deployments of all runtimes share. The ref holds paths and numbers, no secrets.

    `directory` holds deployment.json, logs/ and spans/; what we keep for ourselves is below its undo/. Whatever
    runs them, services listen on the loopback ports that deployment.json names.
    """

    runtime: str
    abilities = ABILITIES
    listen_host = ports.HOST

    def __init__(self, ref: Mapping[str, Json]) -> None:
        self.ref = ref
        self.system: str = ref["system"]
        self.directory = Path(ref["directory"])
        self.undo = UndoJournal(Path(ref["undo"]))
        self._own = self.directory / "undo"
        self._programs = Programs(self._own, self.undo, ref["tag"])
        self._instances: tuple[float, tuple[Instance, ...]] = (float("-inf"), ())
        self._handed_out: set[int] = set()
        self._paths: dict[str, tuple[Path, Path | None]] = {}

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """What the host wrote down about itself (deployment.json)."""
        document = files.read_json(self.directory / "deployment.json")
        if not document:
            msg = f"deployment of {self.system!r} is gone or never came up: no deployment.json in {self.directory}"
            raise DeploymentError(msg)
        return document

    @property
    def entry_url(self) -> str:
        """Where users come in."""
        return str(self.document["entry_url"])

    @property
    def urls(self) -> Mapping[str, str]:
        """Public services and their base URLs."""
        return dict(self.document["urls"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever brought it up should know: things that are not as usual on this machine."""
        return tuple(self.document.get("notes", ()))

    # what is there

    def instances(self) -> tuple[Instance, ...]:
        """All instances, as they are now (or were at most 50 ms ago)."""
        asked_at, instances = self._instances
        if clock.monotonic_s() - asked_at > INSTANCES_KEPT_S:
            asked_at = clock.monotonic_s()
            instances = self._look()
            self._instances = (asked_at, instances)
        return instances

    @abc.abstractmethod
    def _look(self) -> tuple[Instance, ...]:
        """All instances, as they are now."""

    def _as_instance(
        self, service: str, *, state: str, pid: int | None, start_time: float | None, restarts: int
    ) -> Instance:
        """What deployment.json says of a service, and what its runtime sees of it now."""
        described = self._described(service)
        log_file, span_file = self._files(service)
        return Instance(
            service=service,
            kind=ServiceKind(described["kind"]),
            instance_id=f"{service}-{restarts + 1}",
            address=(ports.HOST, described["port"]),
            pid=pid,
            start_time=start_time,
            state=state,
            restarts=restarts,
            log_file=log_file,
            log_format=described["log_format"],
            span_file=span_file,
            metrics_url=described["metrics_url"],
            agent_url=described["agent_url"],
        )

    def _files(self, service: str) -> tuple[Path, Path | None]:
        """Log file and span file; the paths are made once, as instances are asked for every second."""
        if service not in self._paths:
            described = self._described(service)
            span_file = described["span_file"]
            self._paths[service] = (
                self.directory / described["log_file"],
                self.directory / span_file if span_file else None,
            )
        return self._paths[service]

    def instance(self, service: str) -> Instance:
        """The instance of a service, as it is now."""
        self._described(service)
        return next(instance for instance in self.instances() if instance.service == service)

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service takes a connection on its public address and answers a health request."""
        described = self._described(service)
        return health.is_well(described["log_format"], (ports.HOST, described["port"]), timeout_s)

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; all of them when the host is gone."""
        from concurrent.futures import ThreadPoolExecutor

        names = list(self.document["services"])
        with ThreadPoolExecutor(max_workers=8) as pool:
            return tuple(name for name, well in zip(names, pool.map(self.answers, names), strict=True) if not well)

    # what can be done to it

    def executed(self, service: str) -> Mapping[str, int]:
        """Helper programs that run on behalf of a service now: name -> pid."""
        self._described(service)
        return self._programs.running(service)

    def end(self, service: str, name: str) -> None:
        """End a helper program (SIGTERM, a second, SIGKILL) and its children, wait until they are gone; idempotent."""
        self._described(service)
        self._programs.end(service, name)

    def agent(self, service: str, path: str, payload: Json = None) -> Json:
        """Ask the agent inside a service (POST JSON); DeploymentError when it can't be reached or refuses."""
        url = self._described(service)["agent_url"]
        if url is None:
            msg = f"service {service!r} of {self.system!r} has no agent: it is a store"
            raise DeploymentError(msg)
        verb = "GET" if path in _AGENT_GETS else "POST"
        body = {} if payload is None and verb == "POST" else payload
        who = f"the agent of {service!r}"
        return call_json(url + path, who=who, payload=body, verb=verb, token=self._token(), timeout_s=ORDER_TIMEOUT_S)

    def move_listener(self, service: str, port: int | None) -> None:
        """Have the service listen on another port (None: its own again); closes pooled connections; idempotent."""
        self.agent(service, "/listener/move", {"port": port})

    def hide_names(self, service: str, names: Collection[str]) -> None:
        """Have the service's own resolver not know just these names (none: it knows all again); idempotent.

        It drops what connections it keeps to them. Holds for its next processes as well, and can be told while it has
        none: the names are in the deployment's names/<service>.json.
        """
        for name in (service, *names):
            self._described(name)
        path = self.directory / "names" / f"{service}.json"
        if names:
            files.write_json(path, sorted(names))
        else:
            path.unlink(missing_ok=True)
        while (before := self.instance(service)).state == "running":
            try:
                self.agent(service, "/names/refresh")
                return
            except DeploymentError:
                clock.sleep(0.2)  # it may have died just now, and the next process reads the file itself
                if self.instance(service) == before:
                    raise

    def free_port(self) -> int:
        """A port of this deployment's own block that nothing listens on and that was not handed out before."""
        services = self.document["services"].values()
        taken = {described["port"] for described in services} | self._handed_out
        taken |= {urlsplit(described["agent_url"]).port for described in services if described["agent_url"]}
        for port in reversed(range(self.ref["base_port"], self.ref["base_port"] + ports.BLOCK)):
            if port not in taken and ports.is_free(port):
                self._handed_out.add(port)
                return port
        self._handed_out.clear()
        msg = f"no free port in the block of deployment {self.directory} (from {self.ref['base_port']}, {ports.BLOCK})"
        raise DeploymentError(msg)

    def store_dsn(self, service: str) -> str:
        """Where a store is reached by an administrator: postgresql://user:password@host:port/database or redis://..."""
        described = self._described(service)
        path = self.directory / "secret" / f"{service}.json"
        login = files.read_json(path)
        if not login:
            msg = (
                f"service {service!r} of {self.system!r} is of kind {described['kind']}, no store: {path} is not there"
            )
            raise DeploymentError(msg)
        where = f"{login['host']}:{login['port']}"
        if login["engine"] == "redis":
            return f"redis://{where}/0"
        return f"postgresql://{login['superuser']}:{login['superuser_password']}@{where}/{login['database']}"

    def pid_inside(self, service: str) -> int | None:
        """Pid of the service's process as programs inside its boundary know it; None while there is none."""
        return self.instance(service).pid

    def control_group(self, service: str) -> ControlGroup | None:
        """That of a service's container; plain processes have none of their own."""
        self._described(service)
        return None

    def listens(self, service: str, port: int) -> bool:
        """Whether something inside the boundary of a service listens on a port."""
        self._described(service)
        try:
            with socket.create_connection((ports.HOST, port), timeout=0.5):
                return True
        except OSError:
            return False

    def net_namespace(self, service: str) -> NetNamespace | None:
        """The network namespace of a service as it runs now; None where it has none of its own, or can't be ruled."""
        self._described(service)
        return None

    def inner_address(self, service: str) -> tuple[str, int] | None:
        """Where other services reach a service; None while it is nowhere."""
        return ports.HOST, int(self._described(service)["port"])

    # originals

    def remember(self, key: str, value: Json) -> None:
        """Write an original down, durably and outside the target, before it is changed; the first value stays."""
        if not self._own.is_dir():
            msg = f"deployment {self.directory} is gone: there is nothing to remember {key!r} for"
            raise DeploymentError(msg)
        with files.edited(self._own / "originals.json") as originals:
            originals.setdefault(key, value)

    def recall(self, key: str) -> Json:
        """The remembered value, or None."""
        return files.read_json(self._own / "originals.json").get(key)

    def forget(self, key: str) -> None:
        """Drop a remembered value, once it is restored and that was verified; idempotent."""
        if self._own.is_dir():
            with files.edited(self._own / "originals.json") as originals:
                originals.pop(key, None)

    def end_programs(self) -> None:
        """End all helper programs, of whatever service."""
        self._programs.end_all()

    def _described(self, service: str) -> Mapping[str, Any]:
        services = self.document["services"]
        if service not in services:
            near = difflib.get_close_matches(service, services, n=3) or sorted(services)
            msg = f"deployment of {self.system!r} has no service {service!r}; did you mean {', '.join(near)}?"
            raise DeploymentError(msg)
        return services[service]

    def _token(self) -> str:
        try:
            return Path(self.ref["token_file"]).read_text().strip()
        except OSError as error:
            msg = f"the token of deployment {self.directory} can't be read: {error.strerror}; is it down already?"
            raise DeploymentError(msg) from error

    def _forget_instances(self) -> None:
        self._instances = (float("-inf"), ())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.system} in {os.fspath(self.directory)}>"
