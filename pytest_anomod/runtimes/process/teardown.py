"""Takes a deployment down: in order if its host still listens, else by force; then checks that nothing is left."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, ports, processes, shm
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.process.deployment import ProcessDeployment
from pytest_anomod.safety.undo import remove_tree

ORDERLY_LIMIT_S = 3.0
STORES = ("postgres", "redis-server")


def take_down(deployment: ProcessDeployment) -> None:
    """End every process, free every port, remove shared memory and files; DeploymentError for what stays."""
    ref, directory = deployment.ref, deployment.directory
    document = files.read_json(directory / "deployment.json")
    if document and processes.owner_alive(ref["tag"]):
        _ask(deployment, document["host"])
    segments = shm.segments_of(directory)

    def left() -> dict[int, float]:
        return processes_of(ref["tag"], directory)

    try:
        processes.kill_all(left, what=f"deployment {directory}")
    except TimeoutError as error:
        msg = f"{error}: still there are processes {sorted(left())}; end them by hand"
        raise DeploymentError(msg) from error
    processes.reap_ended()  # the host too, if it was ended by force or before it had said who it is
    shm.remove(segments)
    _check_ports(document)
    deployment.end_programs()
    remove_tree(directory)
    deployment.undo.deployment_is_down(directory)


def _ask(deployment: ProcessDeployment, host: dict[str, Any]) -> None:
    """Have the host shut down by itself; whether it does is looked at afterwards."""
    with contextlib.suppress(DeploymentError, TimeoutError):
        deployment.shut_down(1.0)
        clock.wait_until(lambda: _ended(host), timeout_s=ORDERLY_LIMIT_S, what="the host to end")


def _ended(host: dict[str, Any]) -> bool:
    processes.reap(host["pid"])
    return not processes.is_same(host["pid"], host["start_time"])


def processes_of(tag: str, directory: Path) -> dict[int, float]:
    """By tag, by descent from those, and stores by where they work: stores overwrite their environment."""
    found = processes.tagged(lambda text: text == tag)
    return found | processes.descendants(found) | processes.working_in(directory, STORES)


def _check_ports(document: dict[str, Any]) -> None:
    """DeploymentError when something still listens where the deployment did: then a process of it was not found."""
    taken: list[int] = []
    used = [described["port"] for described in document.get("services", {}).values()]

    def free() -> bool:
        taken[:] = [port for port in used if not ports.is_free(port)]
        return not taken

    try:
        clock.wait_until(free, timeout_s=2.0, what="the ports to be free")
    except TimeoutError as error:
        msg = f"ports of a deployment taken down are still listened on: {taken}; {ports.who_listens(taken[0])} does"
        raise DeploymentError(msg) from error
