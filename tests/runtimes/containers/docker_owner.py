"""Owns the demo replica in containers and the faults named in its argument, until it is killed (holding.py)."""

from __future__ import annotations

import sys

from container_demo import DEMO
from holding import hold

from pytest_anomod.model.capability import Programs
from pytest_anomod.model.runtime import need
from pytest_anomod.runtimes.docker.runtime import DockerRuntime

hold(
    DockerRuntime(), DEMO, sys.argv[1],
    lambda deployment: {"helpers": need(deployment, Programs, "back").running()},
)  # fmt: skip
