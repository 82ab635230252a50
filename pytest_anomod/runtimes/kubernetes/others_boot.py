"""Bringing up other people's manifests in a namespace of ours, or taking hold of what runs in theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import files, probes
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Manifests, Service, System
from pytest_anomod.runtimes.kubernetes import figures, manifests, telemetry
from pytest_anomod.runtimes.kubernetes.api import OWNER, path_of, service_of
from pytest_anomod.runtimes.kubernetes.others import OthersDeployment
from pytest_anomod.runtimes.kubernetes.progress import Progress
from pytest_anomod.runtimes.kubernetes.ways import Ways, is_routed, wants_forwarding, watch

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

UP_WITHIN_S = 300.0
WELL_WITHIN_S = 30.0
"""How long what runs already may take to be found well."""
LOOK_EVERY_S = 2.0


class OthersBoot:
    """Bringing one such deployment up; its namespace is there, and written down if it is ours."""

    def __init__(self, deployment: OthersDeployment, system: System) -> None:
        self.deployment = deployment
        self.api = deployment.api
        self.system = system
        asked = system.deploy(Manifests)
        assert asked is not None
        self.asked = asked
        self.rows: dict[str, dict[str, Any]] = {}
        self.receiver: OtlpReceiver | None = None
        self.sink = ""
        self.unseen: dict[str, str] = {}

    def run(self) -> None:
        """Apply, find each service's pods and address, wait until all are well, write down what is where."""
        sink = {}
        if self.asked.otlp:
            self.receiver, self.sink, sink[telemetry.SINK] = telemetry.bring_up(self.deployment, self.asked.forward)
        if self.asked.paths:
            self._apply()
        for service in self.system.services:
            self.rows[service.name] = self._row(service)
        watch(
            self.deployment,
            {
                name: {"labels": row["labels"], "container": row["container"], "format": "text"}
                for name, row in self.rows.items()
            }
            | sink,
            is_made=bool(self.asked.paths),
        )
        self._wait_running()
        self._place()
        files.write_json(self.deployment.own / "logins.json", self._logins())
        files.write_json(self.deployment.directory / "deployment.json", self._document())
        self._wait_well()

    def _apply(self) -> None:
        documents = manifests.read(self.asked.paths)
        exporting = {
            (one.kind, one.workload): one.name for one in manifests.workloads(documents) if one.name in self.asked.otlp
        }
        for kind, document in manifests.placed(documents, str(self.deployment.ref["id"])):
            version, collection = manifests.COLLECTIONS[kind]
            service = exporting.get((kind, document["metadata"]["name"]))
            if service and self.receiver:
                telemetry.told(document, service, self.sink, protobuf=self.receiver.reads_protobuf)
            annotations = document["metadata"].get("annotations") or {}
            document["metadata"]["annotations"] = {**annotations, OWNER: str(self.deployment.ref["tag"])}
            self.api.create(path_of(version, collection, self.deployment.namespace), document)

    def _row(self, service: Service) -> dict[str, Any]:
        """What there is of a service; DeploymentError when nothing has its labels."""
        labels = self.asked.pods[service.name]
        workload = self._workload(labels)
        template = workload["spec"]["template"] if workload else self._any_pod(service.name, labels)
        container = template["spec"]["containers"][0]
        leads = self._service(self.asked.services.get(service.name, service.name), labels)
        ports = (leads or {"spec": {}})["spec"].get("ports") or ()
        chosen = next((row for row in ports if row["port"] == service.port), ports[0] if ports else None)
        kind = probes.kind_for(service.engine) if service.probe.kind == "auto" else service.probe.kind
        port = int(chosen["port"]) if chosen else 0
        return {
            "kind": str(service.kind),
            "engine": service.engine,
            "labels": dict(labels),
            "container": container["name"],
            "workload": [workload["kind"], workload["metadata"]["name"]] if workload else None,
            "inner": [leads["spec"]["clusterIP"] if leads else "", port],
            "pod_port": _target(chosen, container) if chosen else 0,
            "target": chosen.get("targetPort", chosen["port"]) if chosen else 0,
            "service": leads["metadata"]["name"] if leads else "",
            "probe": kind if port else "alive",
            "probe_path": service.probe.path,
            "login": service.name in self.asked.logins,
        }

    def _workload(self, labels: Mapping[str, str]) -> dict[str, Any] | None:
        for kind in manifests.WORKLOADS:
            path = path_of("apps/v1", f"{kind.lower()}s", self.deployment.namespace)
            for found in self._listed(path, kind):
                template = found["spec"]["template"].get("metadata") or {}
                if labels.items() <= (template.get("labels") or {}).items():
                    return {**found, "kind": kind}
        return None

    def _listed(self, path: str, kind: str) -> list[dict[str, Any]]:
        """Those of a kind; none of one that we may not list, which a note says."""
        try:
            return list(self.api.get(path)["items"])
        except DeploymentError as error:
            self.unseen[kind] = f"the {kind}s of {self.system.name!r} can't be seen, so none can be stopped: {error}"
            return []

    def _any_pod(self, service: str, labels: Mapping[str, str]) -> dict[str, Any]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = self.api.get(path_of("v1", "pods", self.deployment.namespace), labelSelector=selector)["items"]
        if not found:
            msg = (
                f"service {service!r} of {self.system.name!r}: no pod and no workload in namespace "
                f"{self.deployment.namespace!r} has the labels {selector}; kubectl get pods --show-labels tells theirs"
                f"{''.join(f'; {why}' for why in self.unseen.values())}"
            )
            raise DeploymentError(msg)
        pod: dict[str, Any] = found[0]
        return pod

    def _service(self, name: str, labels: Mapping[str, str]) -> Mapping[str, Any] | None:
        path = path_of("v1", "services", self.deployment.namespace)
        return manifests.service_of(self.api.get(path)["items"], name, labels)

    def _wait_running(self) -> None:
        ours = str(self.deployment.ref["id"]) if self.asked.paths else ""
        progress = Progress(
            self.api, self.deployment.namespace, self.system.name, ours, lambda pod: service_of(pod, self.rows)
        )
        looked = clock.monotonic_s()

        def run() -> bool:
            nonlocal looked
            pods = self.deployment.seen()["services"]
            if clock.monotonic_s() - looked > LOOK_EVERY_S:
                progress.check()
                looked = clock.monotonic_s()
            return all(name in pods and pods[name]["state"] == "running" for name in self.rows)

        self._wait(run, UP_WITHIN_S if self.asked.paths else WELL_WITHIN_S, "to run")

    def _place(self) -> None:
        """Where each service is reached from here."""
        reached = [(row["inner"][0], row["inner"][1]) for row in self.rows.values() if row["inner"][1]]
        ways = Ways(self.deployment, lambda name: self.rows[name]["labels"])
        ways.addresses = {name: row["inner"][0] for name, row in self.rows.items()}
        if wants_forwarding() or not all(is_routed(address) for address in reached[:1]):
            ways.forward((name, row["pod_port"]) for name, row in self.rows.items() if row["pod_port"])
        for name, row in self.rows.items():
            row["forwarded"] = ways.forwarded
            port = row["pod_port"] if ways.forwarded else row["inner"][1]
            row["host"], row["port"] = ways.to(name, port) if row["inner"][1] else (row["inner"][0], 0)

    def _logins(self) -> dict[str, str]:
        """Addresses of stores, with where they are reached."""
        return {
            name: login.replace("{host}", self.rows[name]["host"]).replace("{port}", str(self.rows[name]["port"]))
            for name, login in self.asked.logins.items()
        }

    def _document(self) -> dict[str, Any]:
        entry = self.rows[self.system.entry]
        url = f"http://{entry['host']}:{entry['port']}"
        note = f"{self.system.name} is not ours: it is never taken down, and every fault is taken out again"
        return {
            "entry_url": url,
            "urls": {self.system.entry: url},
            "notes": [*([] if self.asked.paths else [note]), *self.unseen.values()],
            "allow": list(self.asked.allow),
            "figures": figures.way(self.api, self.deployment.namespace, self._node()),
            "inbox": telemetry.INBOX if self.receiver else "",
            "services": self.rows,
        }

    def _node(self) -> str:
        """The node of one of the pods."""
        return next((pod["node"] for pod in self.deployment.seen()["services"].values() if pod["node"]), "")

    def _wait_well(self) -> None:
        seconds = UP_WITHIN_S if self.asked.paths else WELL_WITHIN_S
        self._wait(lambda: not self.deployment.unhealthy(), seconds, "to answer")

    def _wait(self, done: Any, seconds: float, what: str) -> None:
        try:
            clock.wait_until(done, timeout_s=seconds, what=f"{self.system.name!r} {what}", every_s=0.3)
        except TimeoutError as error:
            pods = self.deployment.seen()["services"]
            states = [
                f"{name}: {pods[name]['why'] or pods[name]['state']}" if name in pods else f"{name}: no pod"
                for name in self.rows
            ]
            msg = f"{error}; {'; '.join(states)}"
            raise DeploymentError(msg) from error


def _target(port: Mapping[str, Any], container: Mapping[str, Any]) -> int:
    """The port of the container that a port of a Service leads to."""
    target = port.get("targetPort", port["port"])
    named = {row.get("name"): row["containerPort"] for row in container.get("ports") or ()}
    return int(named.get(target, target))
