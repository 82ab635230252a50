"""Owns a session with manifests in the cluster and faults in them, until it is killed.

Arguments: the manifests, and JSON [[fault, parameters, target], ...]. Once each was seen it prints its ref.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.model import catalog, clock
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.safety.guardian import ensure_guardian
from pytest_anomod.safety.sessions import new_session

SEEN_WITHIN_S = 60.0

system = kubernetes_system(sys.argv[1], name="k8s_owned", entry="web")
session = new_session(Path.cwd(), "owner", "main")
ensure_guardian(session.directory)
deployment = KubernetesRuntime().up(system, session)
native = catalog.find("injectors", "native")
for name, parameters, target in json.loads(sys.argv[2]):
    fault = catalog.make_fault(name, parameters)
    fault.check(system, target)
    native.prepare(fault, deployment, target)
    native.inject(fault, deployment, target)
    clock.wait_until(
        lambda fault=fault, target=target: native.active(fault, deployment, target),
        timeout_s=SEEN_WITHIN_S,
        what=f"{name} to be seen in {target}",
    )
sys.stdout.write(json.dumps(dict(deployment.ref)) + "\n")
sys.stdout.flush()
while True:
    signal.pause()
