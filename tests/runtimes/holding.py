"""What programs share that own a system with faults in it until they are killed, and the tests that kill them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.fault import lacking
from pytest_anomod.safety.guardian import ensure_guardian
from pytest_anomod.safety.sessions import new_session

SEEN_WITHIN_S = 60.0


def hold(runtime, system, faults: str, told=lambda deployment: {}) -> None:
    """Bring the system up, put the faults in, print the ref (and what `told` gives) once each was seen, and wait.

    `faults` is JSON: [[fault, parameters, target], ...]. Those that this machine does not allow are left out.
    """
    session = new_session(Path.cwd(), "owner", "main")
    ensure_guardian(session.directory)
    deployment, native = runtime.up(system, session), NativeInjector()
    for name, parameters, target in json.loads(faults):
        fault = catalog.make_fault(name, parameters)
        if lacking(fault, lambda needs, to=target: {kind for kind in needs if not deployment.capability(kind, to)}):
            continue
        fault.check(system, target)
        native.prepare(fault, deployment, target)
        native.inject(fault, deployment, target)
        clock.wait_until(
            lambda fault=fault, target=target: native.active(fault, deployment, target),
            timeout_s=SEEN_WITHIN_S,
            what=f"{name} to be seen in {target}",
        )
    sys.stdout.write(json.dumps({"ref": dict(deployment.ref), **told(deployment)}) + "\n")
    sys.stdout.flush()
    while True:
        signal.pause()


class Holder:
    """Such a program, and what it printed; it leads a process group of its own."""

    def __init__(self, program: Path, *words: str, directory: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(program), *words],
            stdout=subprocess.PIPE, start_new_session=True, text=True, cwd=directory,
            env={**os.environ, **environment},
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line, f"the owner of {words} ended with {self.process.wait()} before all was in"
        self.told = json.loads(line)

    def kill(self) -> None:
        """SIGKILL to its process group, as a shell or a CI runner does; idempotent."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()
