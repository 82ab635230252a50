"""The write-ahead undo journal of a session, and playing it: newest entry first, each one idempotent and identified.

Entries are data, so that any process can undo them:

    {"op": "process", "pid": ..., "start_time": ...}                                a helper program, a workload
    {"op": "fault", "fault": {"name", "parameters"}, "target": ..., "ref": ...}     undone by the fault's own recover
    {"op": "injector", "injector": name, "entry": ...}                              undone by that injector's `undo`
    {"op": "deployment", "ref": ...}                                                taken down by its runtime
    {"op": "tree", "path": ...}                                                     a directory or file, removed
    {"op": "experiment", "directory": ...}                                          its rollbacks are played, once

An entry may have "deadline_s": so many seconds after it was recorded the guardian undoes it even if the owner lives.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.host import processes
from pytest_anomod.model import clock
from pytest_anomod.model.errors import AnomodError, DeploymentError, SafetyError
from pytest_anomod.model.fault import Json
from pytest_anomod.safety import guardian
from pytest_anomod.safety.helpers import watch

FAULTS_LIMIT_S = 2.5
"""How long all faults together may take to recover when their owner is dead: their deployments go anyway."""
GONE_WITHIN_S = 5.0
OVERDUE_LIMIT_S = 20.0
"""The same while the owner lives and the deployment stays."""


class UndoJournal:
    """The UndoLog of a session; may be used from any process that knows the path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, entry: Mapping[str, Json]) -> str:
        """Durably append an entry before the change is made; its id. SafetyError unless a guardian watches."""
        if not guardian.guardian_alive(self.path.parent):
            msg = f"no guardian watches {self.path.parent}, so {entry.get('op')!r} is refused; start the run again"
            raise SafetyError(msg)
        entry = {**entry, "boot_id": processes.boot_id()}
        deadline_s = entry.pop("deadline_s", None)
        deadline = None
        if deadline_s is not None:
            deadline = {"monotonic_s": clock.monotonic_s() + deadline_s, "boot_id": processes.boot_id()}
        entry_id = uuid.uuid4().hex[:12]
        line = {"id": entry_id, "at_unix_nano": clock.now_ns(), "entry": entry, "deadline": deadline}
        watch.append_line(self.path, line)
        return entry_id

    def done(self, entry_id: str) -> None:
        """The change is undone and that was verified; idempotent."""
        if self.path.parent.is_dir():
            watch.append_line(self.path, {"done": entry_id})

    def deployment_is_down(self, directory: Path) -> None:
        """Note that what was open of a deployment, itself and changes to it, is over: nothing of it is left."""
        for entry_id, entry in self.open_entries():
            if entry.get("ref", {}).get("directory") == str(directory):
                self.done(entry_id)

    def open_entries(self) -> list[tuple[str, dict[str, Any]]]:
        """What is not undone yet, oldest first, as (id, entry)."""
        return [(line["id"], line["entry"]) for line in watch.read_lines(self.path)[0]]


def play(directory: Path, ids: Sequence[str] = (), *, limit_s: float = FAULTS_LIMIT_S) -> tuple[list[str], list[str]]:
    """Undo what is open in a session's journal (only `ids`, if given), newest first.

    Returns a line per thing undone and a line per thing that could not be; the latter stay open. `limit_s` bounds the
    time that faults get in all. Whoever plays holds a lock: two players never meet.
    """
    journal = UndoJournal(directory / guardian.JOURNAL)
    done_lines: list[str] = []
    failures: dict[str, str] = {}
    faults_until = clock.monotonic_s() + limit_s
    with _PlayLock(directory):
        entries = [item for item in reversed(journal.open_entries()) if not ids or item[0] in ids]
        for entry_id, entry in entries:
            try:
                said = _undo(entry, faults_until)
            except Exception as error:  # recover of any fault may raise anything, and the rest must still be undone
                failures[entry_id] = f"could not undo {_describe(entry)}: {type(error).__name__}: {error}"
                continue
            journal.done(entry_id)
            if said:
                done_lines.append(said)
            if entry["op"] == "deployment":  # what was in it is gone with it
                for other_id in (other for other, text in entries if text.get("ref") == entry["ref"]):
                    journal.done(other_id)
        still_open = {entry_id for entry_id, _ in journal.open_entries()}
    return done_lines, [text for entry_id, text in failures.items() if entry_id in still_open]


def _undo(entry: Mapping[str, Any], faults_until: float) -> str:
    """Undo one entry; what was done, or "" when there was nothing to do."""
    match entry["op"]:
        case "process":
            # start times count from the boot: after another one they may be those of other processes
            same_boot = entry["boot_id"] == processes.boot_id()
            ended = same_boot and processes.end(entry["pid"], entry["start_time"], grace_s=0.3)
            return f"ended process {entry['pid']}" if ended else ""
        case "fault" | "injector":
            ref = entry.get("ref") or entry.get("entry", {}).get("ref", {})
            stays = ref.get("ours") is False  # its deployment: what is in it does not go with it
            _recover_within(entry, OVERDUE_LIMIT_S if stays else max(0.2, faults_until - clock.monotonic_s()))
            return f"recovered {_describe(entry)}"
        case "deployment":
            return _take_down(entry["ref"])
        case "tree":
            return f"removed {entry['path']}" if remove_tree(Path(entry["path"])) else ""
        case "experiment":
            from pytest_anomod.safety.experiments import play_rollbacks

            return play_rollbacks(Path(entry["directory"]))
    msg = f"no way to undo {entry['op']!r}; a newer version wrote it: run its `anomod clean`"
    raise SafetyError(msg)


def recover_within(ref: Mapping[str, Json], entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Take out the faults that entries say are in the deployment of a ref; DeploymentError names what can't be."""
    trouble = []
    for _, entry in reversed(entries):
        where = entry.get("ref") or entry.get("entry", {}).get("ref")
        if entry["op"] in ("fault", "injector") and where == ref:
            try:
                _recover_within(entry, OVERDUE_LIMIT_S)
            except Exception as error:  # recover of any fault may raise anything, and the rest must still be undone
                trouble.append(f"{_describe(entry)}: {type(error).__name__}: {error}")
    if trouble:
        msg = f"faults could not be taken out of {ref['system']!r}, which is not ours: {'; '.join(trouble)}"
        raise DeploymentError(msg)


def _take_down(ref: Mapping[str, Json]) -> str:
    from pytest_anomod.model.catalog import find

    runtime = find("runtimes", ref["runtime"])
    runtime.down(runtime.attach(ref))
    return f"took down {_describe({'op': 'deployment', 'ref': ref})}"


def _recover_within(entry: Mapping[str, Any], limit_s: float) -> None:
    """Recover a fault, in a thread that is left behind when it takes too long: the deployment may be half dead."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            _recover(entry)
        except BaseException as error:  # it belongs to the caller, in whose thread it is raised again
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        msg = f"{_describe(entry)} took more than {limit_s:.1f} s"
        raise TimeoutError(msg)
    if errors:
        raise errors[0]


def _recover(entry: Mapping[str, Any]) -> None:
    from pytest_anomod.model.catalog import find, make_fault

    if entry["op"] == "injector":
        find("injectors", entry["injector"]).undo(entry["entry"])
        return
    fault = make_fault(entry["fault"]["name"], entry["fault"]["parameters"])
    deployment = find("runtimes", entry["ref"]["runtime"]).attach(entry["ref"])
    target = entry["target"]
    fault.recover(deployment, target)
    clock.wait_until(
        lambda: not fault.active(deployment, target), timeout_s=GONE_WITHIN_S, what=f"{fault.name!r} to be gone"
    )


def _describe(entry: Mapping[str, Any]) -> str:
    match entry["op"]:
        case "process":
            return f"process {entry['pid']}"
        case "fault":
            return f"fault {entry['fault']['name']!r} in {entry['target']!r}"
        case "injector":
            return f"what injector {entry['injector']!r} had begun"
        case "experiment":
            return f"experiment {entry['title']!r}"
        case "deployment":
            return f"deployment of {entry['ref'].get('system')!r} in {entry['ref'].get('directory')}"
    return f"{entry['op']} {entry.get('path', '')}".strip()


def remove_tree(path: Path) -> bool:
    """Remove a directory or file of ours; False when it was gone. SafetyError for what can't be meant."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    path = path.absolute()
    if len(path.parts) < 4 or path in (Path(os.path.expanduser("~")), Path.cwd()) or status.st_uid != os.getuid():
        msg = f"{path} is not removed: it is too near the root, in use, or not ours"
        raise SafetyError(msg)
    if not stat.S_ISDIR(status.st_mode):
        path.unlink(missing_ok=True)
        return True

    def gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)  # a process that is dying may still add a file: look and try again
        return not path.exists()

    clock.wait_until(gone, timeout_s=3.0, what=f"the removal of {path}")
    return True


class _PlayLock:
    """Keeps a guardian and a sweep from undoing the same things at once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "play.lock"

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def main(argv: Sequence[str]) -> int:
    """What the guardian starts: play a session's journal (or the ids named); 0 when nothing is left to undo."""
    directory, ids = Path(argv[0]), argv[1:]
    if not directory.is_dir():
        return 0
    try:
        lines, failures = play(directory, ids, limit_s=OVERDUE_LIMIT_S if ids else FAULTS_LIMIT_S)
    except (AnomodError, OSError) as error:
        if not directory.is_dir():
            return 0  # another player has just finished
        lines, failures = [], [f"could not play {directory}: {error}"]
    if not failures and not ids:
        remove_tree(directory)
    text = "".join(f"{clock.ns_to_iso(clock.now_ns())} {line}\n" for line in [*lines, *failures])
    os.write(1, text.encode())
    os._exit(1 if failures else 0)  # a fault that hangs in its thread must not hold us up
