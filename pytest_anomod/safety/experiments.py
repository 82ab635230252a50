"""Plays experiments of files in a separate process, and their rollbacks in whichever process is alive.

The process is pytest_anomod/chaos/imported/player.py. What it needs, and how far it is, stands in a private directory;
an entry of the undo journal points there from before the method begins until the rollbacks have been played:

    {"op": "experiment", "directory": ..., "title": ...}
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, processes
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError, SafetyError
from pytest_anomod.model.fault import Json

SPEC, PROGRESS = "spec.json", "progress.jsonl"
LIMIT_S = 25.0
"""How long the rollbacks of an experiment may take when somebody else plays them."""
ANSWER_S = 60.0
"""How long a look with the experiment's own probes may take."""

_PLAYER = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_anomod.chaos.imported.player import main; code = main(sys.argv[2:]); os._exit(code)"
)
"""It ends without waiting: threads of foreign code must not delay it."""


class Undoing:
    """Where undo entries of an experiment go: a session's journal, or nowhere when there is nothing to roll back."""

    def __init__(self, record: Callable[[Mapping[str, Json]], str], done: Callable[[str], None]) -> None:
        self.record, self.done = record, done


class Played:
    """An experiment that is being played; one conversation with its process."""

    def __init__(self, directory: Path, spec: Mapping[str, Json], undoing: Undoing | None) -> None:
        self.directory = directory / f"experiment-{uuid.uuid4().hex[:8]}"
        self.directory.mkdir(mode=0o700)
        files.write_json(self.directory / SPEC, dict(spec))
        self.result: dict[str, Any] | None = None
        self.at: set[str] = set()
        """Edges that were passed: method (it waits there), action (the first of the method begins), method_completed,
        rollbacks (if framed it waits there), rolled_back, end (the same)."""
        self._title = str(spec["document"].get("title"))
        self._undoing = undoing
        self._entries: list[str] = []
        self._looked: dict[str, Any] | None = None
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        argv = [sys.executable, "-c", _PLAYER, json.dumps([os.path.abspath(entry) for entry in sys.path])]
        with theirs:
            self._process = subprocess.Popen(
                [*argv, str(self.directory), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
                env=environment,
            )
        self._socket, self._buffer = ours, b""

    def go(self) -> None:
        """Let it go on. Before the method it is written down first how to undo what the method does."""
        if "method_completed" not in self.at and not self._entries and self._undoing is not None:
            started = processes.start_time(self._process.pid)
            entry = {"op": "experiment", "directory": str(self.directory), "title": self._title}
            self._entries = [
                self._undoing.record(entry),
                # the later entry is undone first: its player must be dead before others play the rollbacks
                self._undoing.record({"op": "process", "pid": self._process.pid, "start_time": started}),
            ]
        self._send({"go": True})

    def look(self, wanted: str) -> dict[str, Any]:
        """A look with a probe of the experiment (its name), or with its hypothesis (""); InjectionError if it can't."""
        self._looked = None
        self._send({"look": wanted})
        until = clock.monotonic_s() + ANSWER_S
        while self._looked is None:
            if not self._hear(max(0.0, until - clock.monotonic_s())):
                msg = f"the experiment {self._title!r} did not answer a look within {ANSWER_S:g} s"
                raise InjectionError(msg)
        return self._looked

    def wait(self, *edges: str, timeout_s: float | None = None) -> bool:
        """Wait until one of these edges is passed, or the end is reached; False when it takes longer."""
        until = None if timeout_s is None else clock.monotonic_s() + timeout_s
        while self.result is None and not self.at.intersection(edges):
            left_s = None if until is None else max(0.0, until - clock.monotonic_s())
            if not self._hear(left_s):
                return False
        return True

    def interrupt(self) -> None:
        """Have the method end, as Ctrl-C would; its rollbacks are played all the same."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def ended(self) -> dict[str, Any]:
        """Wait for the end; the result, and nothing is left: where its process died the rollbacks are played here."""
        self.wait()
        assert self.result is not None
        self._process.wait()
        self._settle()
        self._socket.close()
        return self.result

    def abandon(self) -> tuple[str, ...]:
        """End it now, with all it started, and play the rollbacks that it has not; what was done, a line each."""
        started = processes.start_time(self._process.pid)
        if started is not None:
            processes.end(self._process.pid, started, grace_s=0.0)
        self._process.wait()
        said = self._settle()
        self._socket.close()
        return said

    def _settle(self) -> tuple[str, ...]:
        """Its process has ended: play the rollbacks that are left, and close the undo entry."""
        began, done = progress(self.directory)
        said: tuple[str, ...] = ()
        if began and len(done) < _rollbacks(self.directory):
            said = (play_rollbacks(self.directory),)
        if self._undoing is not None:
            for entry in self._entries:
                self._undoing.done(entry)
        self._entries = []
        return said

    def _send(self, line: Mapping[str, Any]) -> None:
        self._socket.settimeout(None)  # what `_hear` has left may be shorter than a busy machine takes to send
        with contextlib.suppress(OSError):  # its process is dead: the next `_hear` says so
            self._socket.sendall(json.dumps(line).encode() + b"\n")

    def _hear(self, timeout_s: float | None) -> bool:
        """Take in the next line; False when none comes in time."""
        while b"\n" not in self._buffer:
            # 0 would mean: don't wait at all, and say so by another error
            self._socket.settimeout(None if timeout_s is None else max(timeout_s, 0.001))
            try:
                more = self._socket.recv(1 << 16)
            except TimeoutError:
                return False
            except OSError:
                more = b""
            if not more:
                self._died()
                return True
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\n")
        line = json.loads(text)
        if "at" in line:
            self.at.add(line["at"])
        elif "looked" in line:
            self._looked = line["looked"]
        elif "done" in line:
            self.result = line["done"]
        return True

    def _died(self) -> None:
        """It ended without a result: killed, or foreign code ended the interpreter."""
        code = self._process.wait()
        began, _ = progress(self.directory)
        said = f"the process that played it ended early (exit code {code})"
        for line in self._settle():
            said += f"; {line}"
        self.result = {"error": said, "journal": None, "again": None, "output": "", "began": began}
        self._looked = {"active": False, "evidence": {}, "error": said}


def progress(directory: Path) -> tuple[bool, dict[int, str]]:
    """Whether the method was begun, and the rollbacks that have been played, by number, with how they ended."""
    lines = _progress_lines(directory)
    done = {line["rollback"]: str(line["status"]) for line in lines if "rollback" in line}
    return any("configuration" in line for line in lines), done


def configuration(directory: Path) -> dict[str, Any] | None:
    """The configuration that the method was played with; None when it was not begun."""
    return next((line["configuration"] for line in _progress_lines(directory) if "configuration" in line), None)


def _progress_lines(directory: Path) -> list[dict[str, Any]]:
    try:
        text = (directory / PROGRESS).read_text()
    except FileNotFoundError:
        return []
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # torn by a crash
            found.append(json.loads(line))
    return found


def _rollbacks(directory: Path) -> int:
    spec = json.loads((directory / SPEC).read_text())
    return len(spec["document"].get("rollbacks") or [])


def play_rollbacks(directory: Path) -> str:
    """Play, in a process of their own, the rollbacks that nobody has played; what was done, as a sentence.

    SafetyError when they can't be played. Each is played once: one that fails is told, and not tried again. The
    process waits until the one before it, if that should still live, has let go of the directory.
    """
    spec = json.loads((directory / SPEC).read_text())
    argv = [sys.executable, "-c", _PLAYER, json.dumps([os.path.abspath(entry) for entry in sys.path]), str(directory)]
    try:
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               timeout=LIMIT_S - 2.0, check=False)  # fmt: skip
        answer = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        msg = f"the rollbacks of {spec['document'].get('title')!r} could not be played: {error}"
        raise SafetyError(msg) from error
    return _sentence(spec, answer)


def _sentence(spec: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    played = answer["played"]
    failed = [f"{entry['name']} failed: {entry['why']}" for entry in played if entry["status"] != "succeeded"]
    many = "1 rollback" if len(played) == 1 else f"{len(played)} rollbacks"
    named = ", ".join(entry["name"] for entry in played)
    said = f"played {many} of the experiment {spec['document'].get('title')!r}" + (f" ({named})" if named else "")
    if answer["before"]:
        said += f", after {answer['before']} that its own process had played"
    holds = {True: "its hypothesis holds again", False: "its hypothesis does not hold", None: ""}[answer["holds"]]
    return "; ".join(filter(None, [said, *failed, holds]))
