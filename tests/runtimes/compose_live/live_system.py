"""The tiny system as a user defines it, and a look at what an engine has of a deployment."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_anomod import compose_system
from pytest_anomod.model.system import System

WHERE = "ANOMOD_TEST_TINY"
"""Environment variable: the directory of the tiny system, for processes that run this file again."""


def define(directory: Path | str) -> System:
    """Define it, by the files that it is made of."""
    os.environ[WHERE] = str(directory)
    return compose_system(Path(directory) / "compose.yaml")


def things(engine, label: str) -> list[str]:
    """Names of all containers, networks and volumes with a label."""
    found = [row["Names"][0] for row in engine.api.containers(all=True, filters={"label": label})]
    found += [row["Name"] for row in engine.api.networks(filters={"label": label})]
    return found + [row["Name"] for row in engine.api.volumes(filters={"label": label})["Volumes"] or ()]


if WHERE in os.environ and __name__.startswith("anomod_definitions"):
    define(os.environ[WHERE])
