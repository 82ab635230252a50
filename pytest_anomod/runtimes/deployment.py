"""A replica that runs as plain processes: what can be asked of it and done to it, from any process that has its ref."""

from __future__ import annotations

import difflib
import functools
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability, Json
from pytest_anomod.model.runtime import Instance, Stats
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.runtimes import files, health, ports, processes
from pytest_anomod.runtimes.calls import call_json
from pytest_anomod.runtimes.programs import Programs
from pytest_anomod.runtimes.undo import UndoJournal

ABILITIES = frozenset(Ability)
CONTROL_TIMEOUT_S = 2.0
ORDER_TIMEOUT_S = 20.0
"""How long the host gets to stop or start a service, or an agent to answer."""
KILL_LIMIT_S = 5.0
INSTANCES_KEPT_S = 0.05
_AGENT_GETS = frozenset({"/healthz", "/code/patched"})


class ProcessDeployment:
    """The Deployment of the process runtime. Its ref holds paths and numbers, no secrets.

    `directory` holds deployment.json, logs/ and spans/; what we keep for ourselves is below its undo/.
    """

    runtime = "process"
    abilities = ABILITIES

    def __init__(self, ref: Mapping[str, Json]) -> None:
        self.ref = ref
        self.system: str = ref["system"]
        self.directory = Path(ref["directory"])
        self.undo = UndoJournal(Path(ref["undo"]))
        self._own = self.directory / "undo"
        self._programs = Programs(self._own, self.undo, ref["tag"])
        self._instances: tuple[float, tuple[Instance, ...]] = (float("-inf"), ())
        self._handed_out: set[int] = set()

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

    # what is there

    def instances(self) -> tuple[Instance, ...]:
        """All instances, as they are now (or were at most 50 ms ago)."""
        asked_at, instances = self._instances
        if clock.monotonic_s() - asked_at > INSTANCES_KEPT_S:
            asked_at = clock.monotonic_s()
            states = self._control("GET", "/services", CONTROL_TIMEOUT_S)
            instances = tuple(self._as_instance(name, states.get(name) or {}) for name in self.document["services"])
            self._instances = (asked_at, instances)
        return instances

    def instance(self, service: str) -> Instance:
        """The instance of a service, as it is now."""
        self._described(service)
        return next(instance for instance in self.instances() if instance.service == service)

    def stats(self, service: str) -> Stats | None:
        """Resource use of a service's process and its children now; None while no process is there."""
        from pytest_anomod.runtimes.figures import measure

        instance = self.instance(service)
        return None if instance.pid is None else measure(instance.pid, instance.start_time)

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

    def kill(self, service: str) -> None:
        """SIGKILL the very process that runs now, and wait until it is dead; the restart policy brings it back."""
        self._forget_instances()
        instance = self.instance(service)
        if instance.pid is None or instance.start_time is None:
            msg = f"service {service!r} of {self.system!r} has no process to kill: it is {instance.state}"
            raise DeploymentError(msg)
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        # until the host knows it too: asked earlier, it would take the dead one for running and not start another
        clock.wait_until(
            lambda: not processes.is_same(pid, started) and self._pid_of(service) != pid,
            timeout_s=KILL_LIMIT_S,
            what=f"the end of {service!r}",
        )

    def stop(self, service: str) -> None:
        """Stop the service for good and remove its name from resolution; idempotent."""
        self._order(service, "stop")

    def start(self, service: str) -> None:
        """Start a stopped service and wait until it answers; idempotent."""
        self._order(service, "start")

    def exec(self, service: str, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a helper program on behalf of a service; return its pid. It ends at the deadline at the latest.

        It leads a session of its own, gets SIGALRM half a second after its deadline, and is ended by the guardian if
        that does not help, or if we die. What it prints is in the deployment's undo/<service>.<name>.out.
        """
        self._described(service)
        return self._programs.start(service, argv, name, deadline_s)

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

    def shut_down(self, timeout_s: float) -> None:
        """Ask the host to end everything in good order; it answers before it is done."""
        self._control("POST", "/shutdown", timeout_s)

    def _described(self, service: str) -> Mapping[str, Any]:
        services = self.document["services"]
        if service not in services:
            near = difflib.get_close_matches(service, services, n=3) or sorted(services)
            msg = f"deployment of {self.system!r} has no service {service!r}; did you mean {', '.join(near)}?"
            raise DeploymentError(msg)
        return services[service]

    def _as_instance(self, name: str, state: Mapping[str, Any]) -> Instance:
        described = self.document["services"][name]
        restarts = state.get("restarts", 0)
        span_file = described["span_file"]
        return Instance(
            service=name,
            kind=ServiceKind(described["kind"]),
            instance_id=f"{name}-{restarts + 1}",
            address=(ports.HOST, described["port"]),
            pid=state.get("pid"),
            start_time=state.get("start_time"),
            state=state.get("state", "stopped"),
            restarts=restarts,
            log_file=self.directory / described["log_file"],
            log_format=described["log_format"],
            span_file=self.directory / span_file if span_file else None,
            metrics_url=described["metrics_url"],
            agent_url=described["agent_url"],
        )

    def _pid_of(self, service: str) -> int | None:
        self._forget_instances()
        return self.instance(service).pid

    def _order(self, service: str, verb: str) -> None:
        self._described(service)
        self._forget_instances()
        self._control("POST", f"/services/{service}/{verb}", ORDER_TIMEOUT_S)

    def _control(self, verb: str, path: str, timeout_s: float) -> Any:
        url = self.document["control_url"] + path
        who = f"the host of {self.system!r}"
        return call_json(url, who=who, verb=verb, token=self._token(), timeout_s=timeout_s)

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
