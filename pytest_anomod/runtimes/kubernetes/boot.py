"""Bringing one replica up in a cluster: the host first, which says what else there is to start."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pytest_anomod.host import files, health
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import System
from pytest_anomod.runtimes.kubernetes import objects
from pytest_anomod.runtimes.kubernetes.api import OWNER, SYSTEM, path_of
from pytest_anomod.runtimes.kubernetes.asking import ask
from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment
from pytest_anomod.runtimes.kubernetes.objects import BASE_PORT, HOST_PART, INSIDE_PORT, named
from pytest_anomod.runtimes.kubernetes.progress import Progress
from pytest_anomod.runtimes.kubernetes.ways import Ways, is_routed, placed, ports_of, wants_forwarding, watch
from pytest_anomod.runtimes.replica import package_of

BOOT_LIMIT_S = 300.0
LOOK_EVERY_S = 0.3
SILENT_S = 10.0
"""After so long a host whose address is not reached is reached through the API server."""
AT_ONCE = 8


class Boot:
    """Bringing one deployment up; its namespace is there, and written down."""

    def __init__(self, deployment: KubernetesDeployment, system: System, options: list[str]) -> None:
        self.deployment = deployment
        self.api = deployment.api
        self.namespace = deployment.namespace
        self.system = system
        self.options = ["--dir", objects.DIRECTORY, "--base-port", str(BASE_PORT), *options]
        self.ways = Ways(deployment, lambda part: objects.labels(deployment.ref, part))
        self.inner_ports: dict[str, list[int]] = {}
        self.formats: dict[str, str] = {}
        self.progress = Progress(
            self.api, self.namespace, system.name, str(deployment.ref["id"]),
            lambda pod: str(pod["metadata"]["labels"][objects.SERVICE]),
        )  # fmt: skip
        self.in_reach = False
        self.silent_s = 0.0

    def run(self) -> None:
        """Start everything, wait until it is filled and healthy, announce it."""
        token = self.deployment.token()
        self._create("secrets", objects.secret(self.deployment.ref, {"secret/token": token}))
        self._create("configmaps", objects.our_program(self.deployment.ref))
        parts = [HOST_PART, *(service.name for service in self.system.services)]
        self.ways.addresses.update(zip(parts, _each(self._create_service, parts), strict=True))
        self._start(HOST_PART, INSIDE_PORT)  # its own port is there once all is filled
        plan = self._plan(token)
        services: dict[str, Any] = plan["services"]
        self.formats = {name: described["log_format"] for name, described in services.items()}
        self._watch()
        _each(lambda name: self._publish(name, self.inner_ports[name]), services)
        _each(lambda name: self._start(name, self.inner_ports[name][-1]), _stores_first(services))
        self._wait(lambda: self._ask_host("read", path="run/filled") is not None, "to be filled")
        waiting = set(services)

        def all_answer() -> bool:
            waiting.difference_update(name for name in sorted(waiting) if self._answers(services[name]))
            return not waiting

        self._wait(all_answer, "to answer", waiting)
        files.write_json(self.deployment.directory / "deployment.json", plan)

    def _create(self, kind: str, value: Mapping[str, Any], version: str = "v1") -> Any:
        metadata = {**value["metadata"], "annotations": {OWNER: str(self.deployment.ref["tag"])}}
        metadata["labels"] = {**metadata["labels"], SYSTEM: self.system.name}
        return self.api.create(path_of(version, kind, self.namespace), {**value, "metadata": metadata})

    def _create_service(self, part: str) -> str:
        """Its address is needed before its ports are known."""
        made = self._create("services", objects.service(self.deployment.ref, part, [BASE_PORT, INSIDE_PORT]))
        return str(made["spec"]["clusterIP"])

    def _publish(self, part: str, ports: list[int]) -> None:
        path = path_of("v1", "services", self.namespace, named(self.deployment.ref, part))
        self.api.patch(path, {"spec": {"ports": objects.service_ports([*ports, INSIDE_PORT])}})

    def _start(self, part: str, probe_port: int) -> None:
        program = ["python3", "-m", "pytest_anomod.replicas.kit.container", package_of(self.system), part]
        made = objects.deployment(
            self.deployment.ref,
            part,
            argv=[*program, *self.options],
            probe_port=probe_port,
            aliases=self.ways.addresses,
        )
        self._create("deployments", made, "apps/v1")

    def _plan(self, token: str) -> dict[str, Any]:
        """What the host says there will be, with the addresses by which it is reached from here."""
        self._wait(lambda: self._ask_host("read", path="run/plan.json") is not None, "to be planned")
        plan: dict[str, Any] = json.loads(str(self._ask_host("read", path="run/plan.json")))
        if self.ways.forwarded:
            self.ways.forward(
                (name, port)
                for name, described in plan["services"].items()
                for port in (*ports_of(described), INSIDE_PORT)
            )
        self._give(plan, token)
        self.inner_ports = {name: ports_of(described) for name, described in plan["services"].items()}
        return {**placed(plan, self.ways), "directory": str(self.deployment.directory)}

    def _give(self, plan: Mapping[str, Any], token: str) -> None:
        """Give all parts what the host wrote down for them, and keep the logins of stores."""
        given = {"secret/token": token, "run/stores.json": str(self._ask_host("read", path="run/stores.json"))}
        for name, described in plan["services"].items():
            file = described.get("secret_file")
            if file:
                given[file] = login = str(self._ask_host("read", path=file))
                host, port = self.ways.to(name, described["port"])
                files.write_json(self.deployment.directory / file, {**json.loads(login), "host": host, "port": port})
        secret = objects.secret(self.deployment.ref, given)
        self.api.patch(path_of("v1", "secrets", self.namespace, secret["metadata"]["name"]), {"data": secret["data"]})

    def _watch(self) -> None:
        ref, container = self.deployment.ref, objects.CONTAINER
        rows = {
            name: {"labels": objects.labels(ref, name), "container": container, "format": form}
            for name, form in self.formats.items()
        }
        watch(self.deployment, rows, is_made=True)

    def _ask_host(self, do: str, **words: Any) -> Any:
        """The host's answer; None while there is none."""
        try:
            return ask(self.ways.to(HOST_PART, INSIDE_PORT), self.deployment.token(), do, timeout_s=2.0, **words)
        except DeploymentError:
            if not self.ways.forwarded and self._is_out_of_reach():
                self.ways.forward([(HOST_PART, BASE_PORT), (HOST_PART, INSIDE_PORT)])
            return None

    def _is_out_of_reach(self) -> bool:
        """Whether the host's pod has run for a while, and yet at its address nobody even refuses a connection."""
        if wants_forwarding():
            return True
        if self.in_reach or is_routed(self.ways.to(HOST_PART, INSIDE_PORT)):
            self.in_reach = True
            return False
        if not any(part == HOST_PART and not why for part, _, why in self.progress.pods()):
            return False
        self.silent_s = self.silent_s or clock.monotonic_s()
        return clock.monotonic_s() - self.silent_s > SILENT_S

    def _answers(self, described: Mapping[str, Any]) -> bool:
        return health.is_well(described["log_format"], (described["host"], described["port"]), 0.5)

    def _wait(self, done: Callable[[], bool], what: str, waited_for: Iterable[str] = ()) -> None:
        """Wait for something; DeploymentError says which pods are in the way, and why."""
        looked = clock.monotonic_s()

        def look() -> bool:
            nonlocal looked
            if done():
                return True
            if clock.monotonic_s() - looked > 2.0:
                self.progress.check()
                looked = clock.monotonic_s()
            return False

        try:
            clock.wait_until(look, timeout_s=BOOT_LIMIT_S, what=f"{self.system.name!r} {what}", every_s=LOOK_EVERY_S)
        except TimeoutError as error:
            late = ", ".join(waited_for) or HOST_PART
            msg = f"{error}; still waited for: {late}; {self.progress.told() or 'all its pods run'}"
            raise DeploymentError(msg) from error


def _each(work: Callable[[str], Any], items: Iterable[str]) -> list[Any]:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(work, items))


def _stores_first(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted(services, key=lambda name: services[name]["agent_url"] is not None)
