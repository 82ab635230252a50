"""Ways from this machine into pods, where their addresses are not reached: ports here, handed on by the API server.

A program of its own: `python -m ...forward JSON` with place, namespace, `services` (name -> the labels of its pods),
`routes` ([service, port in its pod] each) and `file`, to which it writes the port here of each route,
{"service/port": port}. What connects there is connected to the service's pod of that moment; where there is none the
connection is closed.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import cluster, files, ports
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes.api import Api, path_of, service_of, shared_selector

KNOWN_FOR_S = 0.3
PIECE = 65_536


class Forwarder:
    """All routes of one deployment."""

    def __init__(self, orders: Mapping[str, Any]) -> None:
        self.place = orders["place"]
        self.api = Api(self.place)
        self.namespace: str = orders["namespace"]
        self.services: dict[str, dict[str, Any]] = orders["services"]
        self.selector = shared_selector(self.services)
        self.routes = [(str(part), int(port)) for part, port in orders["routes"]]
        self.file = Path(orders["file"])
        self._pods: tuple[float, dict[str, str]] = (float("-inf"), {})
        self._lock = threading.Lock()

    def run(self) -> None:
        """Listen, and say where; until ended."""
        chosen = selectors.DefaultSelector()
        listening = {}
        for part, port in self.routes:
            listener = socket.create_server((ports.HOST, 0), backlog=64)
            chosen.register(listener, selectors.EVENT_READ, (part, port))
            listening[f"{part}/{port}"] = listener.getsockname()[1]
        files.write_json(self.file, listening)
        while True:
            for key, _ in chosen.select():
                assert isinstance(key.fileobj, socket.socket)
                client, _ = key.fileobj.accept()
                threading.Thread(target=self._serve, args=(client, *key.data), daemon=True).start()

    def _serve(self, client: socket.socket, part: str, port: int) -> None:
        with client, contextlib.suppress(DeploymentError, OSError, ValueError):
            pod = self._pod(part)
            if pod:
                way = cluster.forward(self.place, self.namespace, pod, port)
                with contextlib.closing(way):
                    _hand_on(client, way.socket(port))

    def _pod(self, part: str) -> str:
        """Name of the pod of a part; "" while there is none that runs."""
        with self._lock:
            asked_s, pods = self._pods
            if clock.monotonic_s() - asked_s > KNOWN_FOR_S:
                found = self.api.get(path_of("v1", "pods", self.namespace), labelSelector=self.selector)
                pods = {
                    service_of(pod, self.services): pod["metadata"]["name"]
                    for pod in sorted(found["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])
                    if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
                }
                self._pods = clock.monotonic_s(), pods
            return pods.get(part, "")


def _hand_on(client: socket.socket, pod: Any) -> None:
    """Bytes both ways, until either side ends."""
    with selectors.DefaultSelector() as chosen:
        chosen.register(client, selectors.EVENT_READ, pod)
        chosen.register(pod.fileno(), selectors.EVENT_READ, client)
        while True:
            for key, _ in chosen.select():
                source = client if key.fileobj is client else pod
                piece = source.recv(PIECE)
                if not piece:
                    return
                key.data.sendall(piece)


def main(argv: list[str]) -> None:
    """Forward as the orders say."""
    Forwarder(json.loads(argv[1])).run()


if __name__ == "__main__":
    main(sys.argv)
