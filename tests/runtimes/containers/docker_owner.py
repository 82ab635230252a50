"""Owns a session with the demo replica in containers and a program inside one of them, until it is killed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from container_demo import DEMO

from pytest_anomod.faults import _programs
from pytest_anomod.runtimes.docker import DockerRuntime
from pytest_anomod.runtimes.guardian import ensure_guardian
from pytest_anomod.runtimes.sessions import new_session

session = new_session(Path.cwd(), "owner", "main")
ensure_guardian(session.directory)
deployment = DockerRuntime().up(DEMO, session)
pid = deployment.pid_inside("back")
helper = _programs.start(deployment, "back", "governor", "load", pid=pid, duty_ms=20, period_ms=100, burners=1)
told = {"directory": str(session.directory), "ref": dict(deployment.ref), "helper": helper}
sys.stdout.write(json.dumps(told) + "\n")
sys.stdout.flush()
while True:
    signal.pause()
