"""Helper programs of faults: started on behalf of a service, recorded before they run, ended for sure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, processes
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import UndoLog
from pytest_anomod.runtimes.helpers import bounded

ALARM_AFTER_S = 0.5
GUARDIAN_AFTER_S = 3.0
"""How long after a program's deadline the kernel's alarm and the guardian step in, if it did not end by itself."""


class HelperPrograms:
    """The helper programs of one deployment; the list is a file, so that any process can end what another started."""

    def __init__(self, directory: Path, undo: UndoLog, tag: str) -> None:
        self._directory = directory
        self._list = directory / "programs.json"
        self._undo = undo
        self._tag = tag

    def start(self, service: str, argv: Sequence[str], name: str, deadline_s: float) -> int:
        """Start a program and return its pid; DeploymentError when one of that name runs or when it can't be started.

        It leads a session of its own. Its pid is on disk before it runs: until then it is a few lines that wait.
        """
        self.check_new(service, name, deadline_s)
        process = self._spawn(service, argv, name, deadline_s)
        try:
            self._register(process.pid, service, name, deadline_s)
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.close()
        except BaseException:  # an interrupt too must not leave a program that nobody knows of
            process.kill()
            process.wait()
            raise
        processes.adopt(process)
        return process.pid

    def check_new(self, service: str, name: str, deadline_s: float) -> None:
        """DeploymentError when a program can't be started under that name or with that deadline."""
        if deadline_s <= 0:
            msg = f"deadline_s={deadline_s!r} of {name!r} in {service!r} must be above 0 s"
            raise DeploymentError(msg)
        running = self.running(service)
        if name in running:
            msg = f"a program {name!r} already runs in {service!r} (pid {running[name]}); end it first"
            raise DeploymentError(msg)

    def take_over(self, service: str, pid: int, name: str, deadline_s: float) -> None:
        """Look after a program that someone else has started; DeploymentError when it has ended already."""
        self._register(pid, service, name, deadline_s)

    def running(self, service: str) -> dict[str, int]:
        """The programs that run on behalf of a service now: name -> pid."""
        mine = {key: row for key, row in self._rows().items() if row["service"] == service}
        return {row["name"]: row["pid"] for row in mine.values() if _runs(row)}

    def end(self, service: str, name: str) -> None:
        """End a program and its children, and wait until they are gone; idempotent."""
        row = self._rows().get(_key(service, name))
        if row is None:
            return
        processes.end(row["pid"], row["start_time"])
        processes.reap(row["pid"])
        self._undo.done(row["undo_id"])
        with files.edited(self._list) as rows:
            rows.pop(_key(service, name), None)

    def end_all(self) -> None:
        """End whatever runs."""
        for row in self._rows().values():
            self.end(row["service"], row["name"])

    def _rows(self) -> Mapping[str, dict[str, Any]]:
        return files.read_json(self._list)

    def _spawn(self, service: str, argv: Sequence[str], name: str, deadline_s: float) -> subprocess.Popen[bytes]:
        output = self._directory / f"{service}.{name}.out".replace("/", "_")
        with output.open("ab") as sink:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", bounded.__file__, str(deadline_s + ALARM_AFTER_S), *argv],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                cwd=self._directory,
                env={**os.environ, processes.TAG: self._tag},
            )

    def _register(self, pid: int, service: str, name: str, deadline_s: float) -> None:
        started = processes.start_time(pid)
        if started is None:
            msg = f"program {name!r} for {service!r} ended before it began"
            raise DeploymentError(msg)
        row = {"service": service, "name": name, "pid": pid, "start_time": started}
        deadline_s += GUARDIAN_AFTER_S
        row["undo_id"] = self._undo.record(
            {"op": "process", "pid": pid, "start_time": started, "deadline_s": deadline_s}
        )
        with files.edited(self._list) as rows:
            rows[_key(service, name)] = row


def _runs(row: Mapping[str, Any]) -> bool:
    processes.reap(row["pid"])
    return processes.is_same(row["pid"], row["start_time"])


def _key(service: str, name: str) -> str:
    return f"{service}/{name}"
