"""Journeys for systems of which only paths are known, and workloads that a file of another tool describes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from pytest_anomod.define.caller import beside_caller
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Journey
from pytest_anomod.model.workload import Client

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Workload


def visit(path: str, *, weight: float = 1.0, name: str = "") -> Journey:
    """A journey that gets one page of the entry; its name is made of the path unless one is given."""
    if not path.startswith("/"):
        msg = f"path {path!r} of a journey must begin with /"
        raise ScenarioError(msg)

    async def play(client: Client, random: Random) -> Any:
        return await client.request("GET", path)

    words = "".join(letter if letter.isalnum() else " " for letter in path).split()
    return Journey(name=name or "_".join(["get", *words]), weight=weight, play=play)


def told_workload(told: Workload | str | None) -> Workload | None:
    """The workload of a definition: "KIND:FILE", relative to the file that defines the system, is read and checked."""
    if not isinstance(told, str):
        return told
    from pytest_anomod.workloads.named import named_workload

    return named_workload(told, beside_caller("."))
