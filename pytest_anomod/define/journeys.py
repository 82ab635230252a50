"""Journeys for systems of which nothing but paths is known."""

from __future__ import annotations

from random import Random
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Journey
from pytest_anomod.model.workload import Client


def visit(path: str, *, weight: float = 1.0, name: str = "") -> Journey:
    """A journey that gets one page of the entry; its name is made of the path unless one is given."""
    if not path.startswith("/"):
        msg = f"path {path!r} of a journey must begin with /"
        raise ScenarioError(msg)

    async def play(client: Client, random: Random) -> Any:
        return await client.request("GET", path)

    words = "".join(letter if letter.isalnum() else " " for letter in path).split()
    return Journey(name=name or "_".join(["get", *words]), weight=weight, play=play)
