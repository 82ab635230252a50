"""Things of others on the same engine: with testcontainers' labels, names like ours, a network named like ours."""

from __future__ import annotations

import uuid

from container_belongings import rules

from pytest_anomod.runtimes.docker import image as docker_image

SLEEP = ["-c", "import time; time.sleep(600)"]
OF_TESTCONTAINERS = {
    "org.testcontainers": "true",
    "org.testcontainers.lang": "python",
    "org.testcontainers.session-id": "00000000-0000-0000-0000-000000000000",
}
LIKE_OURS = {"pytest-anomod": "owner", "pytest-anomod-owner": "1:1.00:dead:here:x", "owner": "pytest-anomod.owner"}
KEPT = ("Id", "Name", "Config", "HostConfig", "Mounts", "RestartCount", "Created")


class Bystanders:
    """A few containers, one of them ended, a network and a volume."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self._mark = uuid.uuid4().hex[:6]
        name = f"run-gw0-{self._mark}-1-demo-system"
        self.network = engine.networks.create(name, driver="bridge", labels=OF_TESTCONTAINERS)
        self.volume = engine.volumes.create(f"{name}-volume", labels=OF_TESTCONTAINERS)
        self.containers = [
            self._run(f"stranger-{self._mark}"),
            self._run(f"{name}-back", labels=LIKE_OURS, network=name, ports={"80/tcp": ("127.0.0.1", None)}),
            self._run(f"testcontainers-{self._mark}", labels=OF_TESTCONTAINERS, network=name),
            self._run(f"{name}-front", ["-c", "pass"], labels={**OF_TESTCONTAINERS, **LIKE_OURS}),
        ]
        self.containers[-1].wait()

    def _run(self, name, words=SLEEP, **options):
        image = docker_image.image_name()
        mounted = {self.volume.name: {"bind": "/data", "mode": "rw"}}
        return self._engine.containers.run(
            image, words, name=name, entrypoint="python3", detach=True, volumes=mounted, **options
        )

    def look(self) -> dict:
        """All about them that must not change."""
        seen = {}
        for one in self.containers:
            found = self._engine.api.inspect_container(one.id)
            state = {key: found["State"][key] for key in ("Status", "Pid", "StartedAt", "FinishedAt", "Paused")}
            seen[found["Name"]] = [state, found["NetworkSettings"], {key: found[key] for key in KEPT}]
        network = self._engine.api.inspect_network(self.network.id)
        seen["network"] = network
        seen["volume"] = self._engine.api.inspect_volume(self.volume.name)
        bridge = f"br-{self.network.id[:12]}"
        addresses = [row["IPv4Address"].partition("/")[0] for row in network["Containers"].values()]
        seen["rules"] = sorted(rule for rule in rules() if any(sign in rule for sign in (bridge, *addresses)))
        return seen

    def remove(self) -> None:
        """Take them away."""
        for one in self.containers:
            one.remove(force=True)
        self.network.remove()
        self.volume.remove()
