"""Plays one experiment with chaoslib in a process of its own, and tells its parent in lines of JSON what it does.

    main([DIRECTORY, FD])       play it; FD is a socket to the parent
    main([DIRECTORY])           its player is dead: play the rollbacks that are left

DIRECTORY is private and holds spec.json: {"document", "folder", "var_files", "framed"}. The process works in the
folder of the experiment, which comes first on its module path; it has no standard input, and what is written to its
outputs is kept. To the parent go {"at": edge}, answered by {"go": true} before the method and (if framed) before the
rollbacks and the end, {"looked": ...} for each {"look": probes}, and last {"done": result}. When the parent dies, so
does this process with all that it started: then somebody else plays the rollbacks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from chaoslib import merge_vars
from chaoslib.activity import execute_activity
from chaoslib.caching import cache_activities
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.run import EventHandlerRegistry, RunEventHandler
from chaoslib.secret import load_secrets
from chaoslib.types import Schedule, Strategy

from pytest_anomod.chaos.imported import looking, scrubbing
from pytest_anomod.safety import experiments
from pytest_anomod.safety.helpers.watch import append_line

_ALWAYS = {"runtime": {"rollbacks": {"strategy": "always"}}}
"""Other strategies leave a fault in after a failure or an interrupt; what the file asks for is told by `check`."""
_LOG_KEPT = 200
"""Lines of output and log that go into the report, the last ones."""


class Parent:
    """The other end of the socket. A thread listens, so that looks are answered while the method is played."""

    def __init__(self, descriptor: int, look: Any) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._file = self._socket.makefile("r", encoding="utf-8")
        self._sending = threading.Lock()
        self._go = threading.Semaphore(0)
        self._look = look
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, line: dict[str, Any]) -> None:
        """Send a line without secrets; values that JSON does not have are sent as text."""
        text = json.dumps(scrubbing.clean(line), ensure_ascii=True) + "\n"
        with self._sending:
            self._socket.sendall(text.encode())

    def ask(self, edge: str) -> None:
        """Tell the parent of an edge and wait for its permission to go on."""
        self.say({"at": edge})
        self._go.acquire()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for text in self._file:
                line = json.loads(text)
                if "go" in line:
                    self._go.release()
                if "look" in line:
                    self.say({"looked": self._look(line["look"])})
        # the parent is dead: nobody would undo what is done from here on
        os.killpg(os.getpgrp(), signal.SIGKILL)


class Watch(RunEventHandler):
    """Tells edges to the parent as chaoslib passes them, and keeps on disk how far the rollbacks are."""

    def __init__(self, directory: Path, spec: dict[str, Any]) -> None:
        self.directory, self.document, self.framed = directory, spec["document"], spec["framed"]
        self.parent: Parent | None = None
        self.journal: dict[str, Any] = {}
        self.configuration: dict[str, Any] = {}
        self.secrets: dict[str, Any] = {}
        self._undoing = False
        self._in_method = False
        self._begun = 0

    def started(self, experiment: Any, journal: Any) -> None:
        self.journal = journal

    def running(
        self, experiment: Any, journal: Any, configuration: Any, secrets: Any, schedule: Any, settings: Any
    ) -> None:
        self.configuration, self.secrets = configuration, secrets
        scrubbing.know(secrets, configuration)

    def start_method(self, experiment: Any) -> None:
        assert self.parent is not None
        self.parent.ask("method")
        kept = json.loads(json.dumps(self.configuration, default=str))
        append_line(self.directory / experiments.PROGRESS, {"configuration": kept})
        self._in_method = True

    def start_activity(self, activity: Any) -> None:
        if self._in_method and activity.get("type") == "action" and self.parent is not None:
            self.parent.say({"at": "action"})

    def method_completed(self, experiment: Any, state: Any = None) -> None:
        assert self.parent is not None
        self._in_method = False
        self.parent.say({"at": "method_completed"})

    def start_rollbacks(self, experiment: Any) -> None:
        assert self.parent is not None
        self._undoing = True
        if self.framed:
            self.parent.ask("rollbacks")

    def activity_completed(self, activity: Any, run: Any) -> None:
        if self._undoing:
            append_line(self.directory / experiments.PROGRESS, {"rollback": self._begun, "status": run.get("status")})
            self._begun += 1

    def rollbacks_completed(self, experiment: Any, journal: Any) -> None:
        assert self.parent is not None
        self._undoing = False


def play(directory: Path, spec: dict[str, Any], descriptor: int, output: Path) -> None:
    """Play the experiment of a specification and send the result."""
    document = spec["document"]
    watch = Watch(directory, spec)
    watch.parent = parent = Parent(descriptor, lambda wanted: looking.look(document, watch, wanted))
    result: dict[str, Any] = {"error": "", "again": None}
    try:
        variables = merge_vars({}, spec["var_files"])
        ensure_experiment_is_valid(document)
        run_experiment(
            document,
            settings=_ALWAYS,
            experiment_vars=variables,
            strategy=strategy_of(document),
            schedule=Schedule(),
            event_handlers=[watch],
        )
    except ChaosException as error:
        result["error"] = str(error)
    except BaseException as error:  # whatever foreign code raises, SystemExit included, is the result of the experiment
        result["error"] = f"{type(error).__name__}: {error}"
    finish(directory, watch, result)
    parent.say({"at": "rolled_back"})
    if spec["framed"]:
        parent.ask("end")
    journal = {**watch.journal, "experiment": {**document, "secrets": scrubbing.names_only(document.get("secrets"))}}
    parent.say({"done": {**result, "journal": journal if watch.journal else None, "output": _tail(output)}})


def strategy_of(document: dict[str, Any]) -> Strategy:
    """When the hypothesis is to be looked at, as `chaos run` reads it, in the spelling that it had once, too."""
    strategy = (document.get("runtime") or {}).get("hypothesis", {}).get("strategy", "default")
    return Strategy.from_string("continuously" if strategy == "continously" else strategy)


def finish(directory: Path, watch: Watch, result: dict[str, Any]) -> None:
    """Play the rollbacks that chaoslib left out, and see whether the hypothesis holds once they are all played."""
    began, done = experiments.progress(directory)
    left = [number for number in range(len(watch.document.get("rollbacks") or [])) if number not in done]
    if began and left:
        if watch.framed and watch.parent is not None and not done:
            watch.parent.ask("rollbacks")
        with contextlib.suppress(KeyboardInterrupt):
            watch.journal.setdefault("rollbacks", []).extend(roll_back(directory, watch, left))
    if began and watch.document.get("rollbacks"):
        result["again"] = hypothesis_again(watch)


def roll_back(directory: Path, watch: Watch, numbers: list[int]) -> list[dict[str, Any]]:
    """Play these rollbacks, one after the other, whatever becomes of each; their entries as the journal has them."""
    cache_activities(watch.document)
    entries: list[dict[str, Any]] = []
    for number in numbers:
        activity = watch.document["rollbacks"][number]
        status = "failed"
        try:
            execute_activity(
                watch.document, activity, watch.configuration, watch.secrets, dry=None, runs=entries
            )  # fmt: skip
            status = entries[-1]["status"]
        except Exception as error:  # one that fails must not keep the next from being played
            entries.append(
                {"activity": activity, "status": "failed", "exception": [f"{type(error).__name__}: {error}"]}
            )
        append_line(directory / experiments.PROGRESS, {"rollback": number, "status": status})
    return entries


def hypothesis_again(watch: Watch) -> dict[str, Any] | None:
    """The hypothesis once more, after the rollbacks; None when there is none or the file wants it skipped."""
    from chaoslib.hypothesis import run_steady_state_hypothesis
    from chaoslib.run import has_steady_state_hypothesis_with_probes

    if strategy_of(watch.document) is Strategy.SKIP or not has_steady_state_hypothesis_with_probes(watch.document):
        return None
    cache_activities(watch.document)
    try:
        state: dict[str, Any] = run_steady_state_hypothesis(
            watch.document, watch.configuration, watch.secrets, dry=None, event_registry=EventHandlerRegistry()
        )
    except Exception as error:  # a probe that can't be evaluated does not hold
        return {"steady_state_met": False, "probes": [], "error": f"{type(error).__name__}: {error}"}
    return state


def play_what_is_left(directory: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """The player is dead: play the rollbacks that it did not, and look at the hypothesis."""
    document = spec["document"]
    watch = Watch(directory, spec)
    variables = merge_vars({}, spec["var_files"])
    kept = experiments.configuration(directory)
    watch.configuration = (
        kept if kept is not None else load_configuration(document.get("configuration", {}), variables[0])
    )
    try:
        watch.secrets = load_secrets(document.get("secrets", {}), watch.configuration, variables[1])
    except ChaosException:
        watch.secrets = {}  # a rollback without its secrets may still do something
    scrubbing.know(watch.secrets, watch.configuration)
    began, done = experiments.progress(directory)
    left = [number for number in range(len(document.get("rollbacks") or [])) if number not in done] if began else []
    entries = roll_back(directory, watch, left)
    again = hypothesis_again(watch) if document.get("rollbacks") else None
    said = [
        {"name": str(entry["activity"].get("name")), "status": entry.get("status"), "why": _why(entry)}
        for entry in entries
    ]
    holds = None if again is None else bool(again["steady_state_met"])
    return scrubbing.clean({"played": said, "before": len(done), "holds": holds})


def _why(entry: dict[str, Any]) -> str:
    lines = entry.get("exception") or []
    return str(lines[-1]).strip() if lines else ""


def _tail(output: Path) -> str:
    sys.stdout.flush()
    sys.stderr.flush()
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_KEPT:])


def main(argv: list[str]) -> int:
    """Play the experiment of a directory, or what is left of it."""
    directory = Path(argv[0])
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # for as long as we live: two players never meet
    spec = json.loads((directory / experiments.SPEC).read_text())
    output = directory / "output.txt"
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    answer = os.dup(1)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.set_inheritable(answer, False)
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s", stream=sys.stderr)
    os.chdir(spec["folder"])
    sys.path.insert(0, spec["folder"])
    if len(argv) > 1:
        os.set_inheritable(int(argv[1]), False)
        play(directory, spec, int(argv[1]), output)
        return 0
    os.write(answer, json.dumps(play_what_is_left(directory, spec)).encode())
    return 0
