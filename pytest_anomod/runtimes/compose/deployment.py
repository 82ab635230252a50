"""A system that was brought up from compose files, from any process that has its ref."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pytest_anomod.host.engine import translated
from pytest_anomod.model.source import Jaeger, MetricsPage, OtlpInbox, Source, Zipkin
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.containers.deployment import ContainersDeployment
from pytest_anomod.runtimes.docker import engine
from pytest_anomod.runtimes.written_down import read_document

NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"


class ComposeDeployment(ContainersDeployment):
    """Its containers are told apart by our labels and compose's number; what else is known is in deployment.json."""

    runtime = "compose"

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """What was found out when it came up: services, urls, notes, domains, receiver."""
        return read_document(self.system, self.directory)

    @property
    def described(self) -> Mapping[str, Mapping[str, Any]]:  # type: ignore[override]
        """Of each service what a System says of it, with its port as it was found."""
        services: Mapping[str, Mapping[str, Any]] = self.document["services"]
        return services

    @property
    def urls(self) -> Mapping[str, str]:
        """Services with a published port, and their base URLs."""
        return dict(self.document["urls"])

    @property
    def entry_url(self) -> str:
        """Where users come in."""
        return str(self.document["urls"][self.document["entry"]])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as the files say, and what compose warned of."""
        return tuple(self.document["notes"])

    @property
    def domains(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of its networks: a service is known by NAME and by NAME.NETWORK."""
        return tuple(self.document["domains"])

    @property
    def spared_ports(self) -> tuple[int, ...]:  # type: ignore[override]
        """Ports of our own, which no rule over packets may touch: that of the receiver of telemetry."""
        return tuple(self.document["spared_ports"])

    @property
    def agents(self) -> Mapping[str, Mapping[str, Any]]:  # type: ignore[override]
        """What was put into services, by name."""
        rows: Mapping[str, Mapping[str, Any]] = self.document["agents"]
        return rows

    def find(self) -> Mapping[str, tuple[str, ...]]:
        """By label; looked for once, as nobody but us makes or removes containers of the deployment."""
        return self._found

    @functools.cached_property
    def _found(self) -> Mapping[str, tuple[str, ...]]:
        return {name: ids for name, ids in self.containers().items() if name in self.described}

    def containers(self) -> dict[str, tuple[str, ...]]:
        """Ids of all containers by service, those that have ended too, in the order of their numbers."""
        label = f"{engine.DEPLOYMENT}={self.ref['id']}"
        with translated(f"the containers of {self.system!r} can't be seen"):
            rows = self.client.api.containers(all=True, filters={"label": label})
        found: dict[str, list[tuple[int, str]]] = {}
        for row in rows:
            labels = row["Labels"]
            if labels.get(ONE_OFF) != "True":
                found.setdefault(labels[engine.SERVICE], []).append((int(labels.get(NUMBER, 1)), row["Id"]))
        return {name: tuple(one for _, one in sorted(numbered)) for name, numbered in found.items()}

    def sources(self) -> tuple[Source, ...]:
        """Beside output and figures: pages of metrics and servers of traces that are declared, our receiver's inbox."""
        pages = [
            MetricsPage(service=name, url=f"http://{one.address[0]}:{one.address[1]}{path}", number=number)
            for name, path in self.document["metrics"].items()
            for number, one in self._numbered(name)
        ]
        names = tuple((reported, service) for reported, service in self.document["reported_as"])
        makers: Mapping[str, type[Jaeger | Zipkin]] = {"jaeger": Jaeger, "zipkin": Zipkin}
        traces = [makers[kind](url=url, names=names) for kind, url in self.document["traces"].items()]
        inbox = self.document["inbox"]
        ours = tuple(agents.traced(self.agents))
        checks = ((name, row["probe"]) for name, row in self.described.items())
        probes = tuple((name, probe["path"]) for name, probe in checks if probe["kind"] == "http")
        own = [OtlpInbox(directory=self.directory / inbox, ours=ours, probes=probes)] if inbox else []
        return (*super().sources(), *pages, *traces, *own)

    def _numbered(self, service: str) -> list[tuple[int, Any]]:
        instances = self.instances(service)
        return list(enumerate(instances, 1 if len(instances) > 1 else 0))
