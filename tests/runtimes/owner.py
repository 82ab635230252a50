"""Owns a session until it is told or made to end: brings the demo replica up, breaks things, says what it has.

python owner.py [bare] [helper] [scribble FILE] [hang FILE] [overdue FILE] [pipe]
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
from pathlib import Path

from demo_faults import Hang, Scribble

from pytest_anomod.host import processes
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.runtime import need
from pytest_anomod.model.system import Replica, System
from pytest_anomod.runtimes.process import ProcessRuntime, teardown
from pytest_anomod.safety.guardian import ensure_guardian
from pytest_anomod.safety.sessions import new_session

DEMO = System(name="demo", services=(), entry="front", journeys=(), deploys=(Replica(package="demo.system"),))


def inject(deployment, fault, **more):
    """As an injector does: the way back first."""
    entry = {"op": "fault", "fault": {"name": fault.name, "parameters": parameters(fault)}, "target": "back", **more}
    deployment.undo.record(entry | {"ref": dict(deployment.ref)})
    fault.inject(deployment, "back")


def shared_memory_of(pids):
    """Files of shared memory that these processes have mapped."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return {line.partition("/dev/shm/")[2] and "/dev/shm/" + line.partition("/dev/shm/")[2] for line in lines} - {""}


def main(words: list[str]) -> None:
    """Do what the words say, tell it, wait."""
    session = new_session(Path.cwd(), "owner", "main")
    told = {"directory": str(session.directory)}
    ensure_guardian(session.directory, use_pidfd="pipe" not in words)
    if "bare" not in words:
        deployment = ProcessRuntime().up(DEMO, session, coverage=False)
        told["ref"] = dict(deployment.ref)
        found = teardown.processes_of(deployment.ref["tag"], deployment.directory)
        told["shared_memory"] = sorted(shared_memory_of(found))
        told["host"] = deployment.document["host"]["pid"]
        if "helper" in words:
            argv = ["sh", "-c", "sleep 300 & trap '' TERM; while :; do wait; done"]
            told["helper"] = need(deployment, Programs, "back").run(argv, name="burner", deadline_s=60)
        for word, file in itertools.pairwise(words):
            if word in ("scribble", "hang", "overdue"):
                fault = Hang(path=file) if word == "hang" else Scribble(path=file)
                inject(deployment, fault, **({"deadline_s": 0.1} if word == "overdue" else {}))
        told["processes"] = list(teardown.processes_of(deployment.ref["tag"], deployment.directory))
    told["tag"] = processes.own_tag("owner")
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    while True:
        signal.pause()


main(sys.argv[1:])
