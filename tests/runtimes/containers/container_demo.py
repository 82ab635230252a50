"""The demo replica for containers, and a look at what an engine has of ours."""

from __future__ import annotations

from pytest_anomod.model.system import System

DEMO = System(name="demo", services=(), entry="front", journeys=(), replica="demo.system")


def ours(engine, label: str) -> list[str]:
    """Names of all containers and networks with a label."""
    found = [thing["Names"][0] for thing in engine.api.containers(all=True, filters={"label": label})]
    return found + [thing["Name"] for thing in engine.api.networks(filters={"label": label})]
