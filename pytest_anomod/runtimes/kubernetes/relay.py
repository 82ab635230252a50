"""A relay of ours in a pod beside other people's: their Service leads to it, and it hands on to their pods.

The Service's selector is switched and put back exactly. Connections that callers keep stay where they were: nothing in
the rights of a namespace cuts them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Detour
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.runtimes.kubernetes import objects
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, path_of
from pytest_anomod.runtimes.kubernetes.asking import ask
from pytest_anomod.runtimes.kubernetes.objects import INSIDE_PORT
from pytest_anomod.runtimes.plain import OfService, ServicePrograms

if TYPE_CHECKING:
    from pytest_anomod.runtimes.kubernetes.others import OthersDeployment

UP_WITHIN_S = 60.0
SWITCHED_WITHIN_S = 10.0
READY_PORT = INSIDE_PORT - 1
_WAITS = "import signal; signal.pause()"


class RelayListener(OfService):
    """The address of a service is that of its Service: it is given to the relay and taken back there."""

    deployment: OthersDeployment

    def detour(self) -> Detour:
        """The relay's pod is brought up; nothing else is changed yet."""
        described = self.deployment.described(self.service)
        Relay(self.deployment, self.service).up()
        return Detour(
            host="0.0.0.0",
            listen=int(described["pod_port"]),
            upstream_host=Relay(self.deployment, self.service).address("direct"),
            upstream=int(described["inner"][1]),
            ready=READY_PORT,
        )

    def divert(self, detour: Detour) -> None:
        """Have the Service lead to the relay, for new connections."""
        deployment, service = self.deployment, self._service()
        deployment.originals.remember(self._key, dict(service["spec"]["selector"]))
        self._select(Relay(deployment, self.service).labels)
        clock.wait_until(self._leads_to_relay, timeout_s=SWITCHED_WITHIN_S, what="the Service to lead to the relay")

    def restore(self) -> None:
        self.lead_home()
        Relay(self.deployment, self.service).down()
        self.deployment.originals.forget(self._key)

    def lead_home(self) -> None:
        """Have the Service lead to its own pods again, if it was changed; idempotent."""
        original: Any = self.deployment.originals.recall(self._key)
        if original is not None:
            self._select(original)
            if self._service()["spec"]["selector"] != original:
                msg = f"the Service of {self.service!r} does not lead to its own pods again: {self._service()['spec']}"
                raise DeploymentError(msg)

    def is_listening(self, port: int) -> bool:
        try:
            return bool(Relay(self.deployment, self.service).ask("listening", port=port))
        except DeploymentError:
            return False

    @property
    def _key(self) -> str:
        return f"selector of {self.service}"

    def _path(self) -> str:
        name = self.deployment.described(self.service)["service"]
        return path_of("v1", "services", self.deployment.namespace, name)

    def _service(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] | None = self.deployment.api.get(self._path())
        if found is None:
            msg = f"service {self.service!r} of {self.deployment.system!r} has no Service any more"
            raise DeploymentError(msg)
        return found

    def _select(self, wanted: Mapping[str, str]) -> None:
        """In a merge patch what is null goes."""
        now = self._service()["spec"]["selector"]
        self.deployment.api.patch(self._path(), {"spec": {"selector": {**dict.fromkeys(now), **wanted}}})

    def _leads_to_relay(self) -> bool:
        """Whether the address of the Service is the relay's by now, as the cluster's own list of endpoints says."""
        name = self.deployment.described(self.service)["service"]
        found = self.deployment.api.get(path_of("v1", "endpoints", self.deployment.namespace, name)) or {}
        pods = {
            address.get("targetRef", {}).get("name", "")
            for subset in found.get("subsets") or ()
            for address in subset.get("addresses") or ()
        }
        own = Relay(self.deployment, self.service).name
        return bool(pods) and all(pod.startswith(own) for pod in pods)


class RelayPrograms(ServicePrograms):
    """Our stand-alone programs ([python, "-I", "-S", file, ...]) run in the relay's pod; any other on this machine."""

    deployment: OthersDeployment

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program; its pid, where it runs."""
        if list(argv[:3]) != [sys.executable, "-I", "-S"]:
            return super().run(argv, name=name, deadline_s=deadline_s)
        words: Json = {"name": name, "argv": list(argv[4:]), "deadline_s": deadline_s + 0.5}
        source = Path(argv[3]).read_text()
        self.deployment.originals.remember(self._key(name), True)
        pid: Any = Relay(self.deployment, self.service).ask("run", source=source, **words)
        return int(pid)

    def running(self) -> Mapping[str, int]:
        return {**super().running(), **self._inside()}

    def end(self, name: str) -> None:
        """End a program; what runs in a relay that gives no answer ends with it, when the way is restored."""
        super().end(name)
        if not self.deployment.originals.recall(self._key(name)):
            return
        RelayListener(self.deployment, self.service).lead_home()  # before callers meet a relay that has ended
        with contextlib.suppress(DeploymentError):
            if name in self._inside():
                Relay(self.deployment, self.service).ask("end", name=name)
        self.deployment.originals.forget(self._key(name))

    def _key(self, name: str) -> str:
        return f"program {name} in the relay of {self.service}"

    def _inside(self) -> Mapping[str, int]:
        relay = Relay(self.deployment, self.service)
        if not relay.is_there():
            return {}
        found: Any = relay.ask("running")
        return dict(found)


class Relay:
    """The relay of one service: its pod, a Service that leads to it, and one that leads to the service's own pods."""

    def __init__(self, deployment: OthersDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service
        self.name = f"anomod-relay-{service}"
        self.labels = {DEPLOYMENT: str(deployment.ref["id"]), "pytest-anomod/relay": service}

    def up(self) -> None:
        """Bring it up, unless it is there, and wait until it answers."""
        if not self.is_there():
            ref = self._ref
            described = self.deployment.described(self.service)
            self._create("v1", "secrets", objects.secret(ref, {"secret/token": self.deployment.token()}))
            self._create("v1", "configmaps", objects.our_program(ref))
            port = {"name": "inside", "port": INSIDE_PORT}
            self._create("v1", "services", self._service(self.name, self.labels, [port]))
            own = {"name": "direct", "port": described["inner"][1], "targetPort": described["target"]}
            self._create("v1", "services", self._service(f"{self.name}-direct", described["labels"], [own]))
            made = objects.deployment(
                ref, self.name, argv=["python3", "-c", _WAITS], probe_port=INSIDE_PORT, aliases={}
            )
            made["metadata"]["name"] = self.name
            made["spec"]["selector"] = {"matchLabels": self.labels}
            made["spec"]["template"]["metadata"]["labels"] = self.labels
            container = made["spec"]["template"]["spec"]["containers"][0]
            port_name = {} if isinstance(described["target"], int) else {"name": described["target"]}
            container["ports"] = [{"containerPort": described["pod_port"], **port_name}]
            self._create("apps/v1", "deployments", made)
        clock.wait_until(self._answers, timeout_s=UP_WITHIN_S, what=f"the relay of {self.service!r} to come up")

    def down(self) -> None:
        """Take it away; idempotent."""
        api, namespace = self.deployment.api, self.deployment.namespace
        for version, kind, name in self._objects():
            api.delete(path_of(version, kind, namespace, name))

    def is_there(self) -> bool:
        """Whether it was brought up and not taken away."""
        path = path_of("apps/v1", "deployments", self.deployment.namespace, self.name)
        return self.deployment.api.get(path) is not None

    def address(self, which: str = "") -> str:
        """Address of its Service, or ("direct") of the one that leads to the service's own pods."""
        name = f"{self.name}-{which}" if which else self.name
        found = self.deployment.api.get(path_of("v1", "services", self.deployment.namespace, name))
        if found is None:
            msg = f"the relay of {self.service!r} is gone"
            raise DeploymentError(msg)
        return str(found["spec"]["clusterIP"])

    def ask(self, do: str, **words: Json) -> Json:
        """Ask its first process."""
        return ask((self.address(), INSIDE_PORT), self.deployment.token(), do, **words)

    @property
    def _ref(self) -> Mapping[str, Any]:
        return {**self.deployment.ref, "prefix": f"{self.name}-", "image": self.deployment.ref["relay_image"]}

    def _answers(self) -> bool:
        try:
            return self.ask("running") == {}
        except DeploymentError:
            return False

    def _objects(self) -> list[tuple[str, str, str]]:
        return [
            ("apps/v1", "deployments", self.name),
            ("v1", "services", self.name),
            ("v1", "services", f"{self.name}-direct"),
            ("v1", "secrets", objects.named(self._ref, objects.GIVEN_NAME)),
            ("v1", "configmaps", objects.named(self._ref, objects.OURS_NAME)),
        ]

    def _create(self, version: str, kind: str, value: Mapping[str, Any]) -> None:
        self.deployment.api.create(path_of(version, kind, self.deployment.namespace), value)

    def _service(self, name: str, selector: Mapping[str, str], ports: list[dict[str, Any]]) -> dict[str, Any]:
        metadata = {"name": name, "labels": {DEPLOYMENT: str(self.deployment.ref["id"])}}
        return {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": {"selector": selector, "ports": ports},
        }
