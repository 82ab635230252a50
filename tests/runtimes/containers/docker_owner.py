"""Owns a session with the demo replica in containers and the faults named in its argument, until it is killed.

The argument is JSON: [[fault, parameters, target], ...]. Once each was seen it prints its ref.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from container_demo import DEMO

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.runtime import need
from pytest_anomod.runtimes.docker.runtime import DockerRuntime
from pytest_anomod.safety.guardian import ensure_guardian
from pytest_anomod.safety.sessions import new_session

SEEN_WITHIN_S = 60.0

session = new_session(Path.cwd(), "owner", "main")
ensure_guardian(session.directory)
deployment = DockerRuntime().up(DEMO, session)
native = catalog.find("injectors", "native")
for name, parameters, target in json.loads(sys.argv[1]):
    fault = catalog.make_fault(name, parameters)
    if any(deployment.capability(kind, target) is None for kind in fault.needs):
        continue  # its limits can't be set on this machine
    fault.check(DEMO, target)
    native.prepare(fault, deployment, target)
    native.inject(fault, deployment, target)
    clock.wait_until(
        lambda fault=fault, target=target: native.active(fault, deployment, target),
        timeout_s=SEEN_WITHIN_S,
        what=f"{name} to be seen in {target}",
    )
helpers = need(deployment, Programs, "back").running()
sys.stdout.write(json.dumps({"ref": dict(deployment.ref), "helpers": helpers}) + "\n")
sys.stdout.flush()
while True:
    signal.pause()
