"""Takes plain commands down: in order if their host still listens, else by force; then checks that nothing is left."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, ports, processes
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.commands.deployment import CommandsDeployment
from pytest_anomod.safety.undo import remove_tree

ORDERLY_LIMIT_S = 4.0


def take_down(deployment: CommandsDeployment) -> None:
    """End every process, free every port, remove files; DeploymentError for what stays. Idempotent."""
    directory, tag = deployment.directory, deployment.ref["tag"]
    document = files.read_json(directory / "deployment.json")
    if document and processes.owner_alive(tag):
        with contextlib.suppress(DeploymentError, TimeoutError):
            deployment.shut_down(1.0)
            what = "the host to end"
            clock.wait_until(lambda: _ended(document["host"]), timeout_s=ORDERLY_LIMIT_S, what=what)

    def left() -> dict[int, float]:
        return processes_of(tag, directory)

    try:
        processes.kill_all(left, what=f"deployment {directory}")
    except TimeoutError as error:
        msg = f"{error}: still there are processes {sorted(left())}; end them by hand"
        raise DeploymentError(msg) from error
    processes.reap_ended()  # the host too, if it was ended by force
    _check_ports(document)
    deployment.programs.end_all()
    remove_tree(directory)
    deployment.undo.deployment_is_down(deployment.directory)


def _ended(host: dict[str, Any]) -> bool:
    processes.reap(host["pid"])
    return not processes.is_same(host["pid"], host["start_time"])


def processes_of(tag: str, directory: Path) -> dict[int, float]:
    """By tag, by descent, and by the sessions that its services led: some programs overwrite their environment."""
    found = processes.tagged(lambda text: text == tag)
    for pid, started in _leaders(directory):
        if processes.start_time(pid) in (None, started):  # else the pid belongs to another process now
            found |= processes.session_of(pid)
    return found | processes.descendants(found)


def _leaders(directory: Path) -> list[tuple[int, float]]:
    """The first process of each service, at each of its starts."""
    found: list[tuple[int, float]] = []
    with contextlib.suppress(OSError):
        for line in (directory / "undo" / "leaders.jsonl").read_text().splitlines():
            with contextlib.suppress(ValueError):  # torn when its host was killed
                found.append(tuple(json.loads(line)))
    return found


def _check_ports(document: dict[str, Any]) -> None:
    """DeploymentError when something still listens where the deployment did: then a process of it was not found."""
    services = document.get("services", {})
    used = {row[name] for row in services.values() if row["probe"] != "alive" for name in ("port", "inner_port")}
    taken: list[int] = []

    def free() -> bool:
        taken[:] = [port for port in used if not ports.is_free(port)]
        return not taken

    try:
        clock.wait_until(free, timeout_s=2.0, what="the ports to be free")
    except TimeoutError as error:
        msg = f"ports of a deployment taken down are still listened on: {taken}; {ports.who_listens(taken[0])} does"
        raise DeploymentError(msg) from error
