"""Sessions: the private directory of one pytest process, and the search for what dead ones left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from pytest_anomod.host import files, processes
from pytest_anomod.host.state import STATE_DIR, make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Session
from pytest_anomod.safety import guardian, undo
from pytest_anomod.safety.helpers import watch

HALF_MADE_S = 60.0
"""A session's directory without an owner is left alone for so long: it may be in the making."""
LIMIT_S = 30.0
"""How long the journal of one dead session may take to play."""
REPORTS_KEPT_S = 7 * 86_400.0


def new_session(out: Path, run_id: str, worker: str) -> Session:
    """A session that the calling process owns; its directory is private. SafetyError when that can't be made."""
    root = make_directory(state_root() / "sessions")
    directory = make_directory(root / f"{run_id}-{worker}-{uuid.uuid4().hex[:6]}".replace("/", "_"))
    owner = {
        "pid": os.getpid(),
        "start_time": processes.start_time(os.getpid()),
        "boot_id": processes.boot_id(),
        "tag": processes.own_tag(directory.name),
        "executable": sys.executable,
        "sys_path": [os.path.abspath(entry) for entry in sys.path],
    }
    files.write_json(directory / guardian.OWNER, owner)
    return Session(run_id=run_id, worker=worker, directory=directory, out=out)


def end_session(session: Session) -> tuple[str, ...]:
    """Undo whatever is still open, end the guardian, remove the directory; one line per thing undone.

    Lines beginning with "could not" name what stays; then the directory stays too, for the sweep. Idempotent.
    """
    directory = session.directory
    if not directory.is_dir():
        return ()
    lines, failures = undo.play(directory, limit_s=undo.OVERDUE_LIMIT_S)
    guardian.dismiss_guardian(directory)
    if not failures:
        undo.remove_tree(directory)
        guardian.report_path(directory).unlink(missing_ok=True)
    return (*lines, *failures)


def sweep() -> tuple[str, ...]:
    """Remove what dead sessions of this user left behind; one line per thing removed.

    Never touched: what belongs to a living session (a stopped one lives), to another user, or to another container.
    """
    lines: list[str] = []
    root = make_directory(state_root() / "sessions")
    for directory in sorted(root.iterdir()):
        if _is_dead(directory):
            lines += _clear(directory)
    lines += _clear_untold()
    _forget_old_reports(state_root() / "reports")
    return tuple(lines)


def _is_dead(directory: Path) -> bool:
    try:
        tag = files.read_json(directory / guardian.OWNER).get("tag", "")
        age_s = clock.now_ns() / clock.NS_PER_S - directory.stat().st_mtime
    except (OSError, ValueError):
        return False
    if not tag:
        return age_s > HALF_MADE_S
    return processes.owner_alive(tag) is False


def _clear(directory: Path) -> list[str]:
    """Have a dead session's journal played as its guardian would: by its own interpreter, which knows its faults."""
    lines = _played_by_its_own(directory)
    if lines is None:
        try:
            lines, failures = undo.play(directory)
        except FileNotFoundError:
            return []  # its guardian was at work and has just finished
        if failures:
            return [*lines, *failures]
        shutil.rmtree(directory, ignore_errors=True)
    if not directory.exists():
        lines.append(f"removed the directory of dead session {directory.name}")
    return lines


def _played_by_its_own(directory: Path) -> list[str] | None:
    """What a player in the dead owner's environment says; None when there can be none any more."""
    try:
        owner = files.read_json(directory / guardian.OWNER)
        argv = [owner["executable"], "-c", watch.PLAYER, json.dumps(owner["sys_path"]), str(directory)]
        played = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT_S,
        )
    except (OSError, KeyError, subprocess.TimeoutExpired):
        return None
    if played.returncode not in (0, 1) or (played.returncode == 1 and not played.stdout):
        return None
    return [line.partition(" ")[2] for line in played.stdout.splitlines()]


def _clear_untold() -> list[str]:
    """End processes that carry the tag of a dead session, whether or not a journal tells of them.

    Those of another state directory are left to its guardians, who may be about to undo what they did, in good order.
    """
    ended: dict[str, int] = {}

    def find() -> dict[int, float]:
        dead, ours = processes.tagged(lambda tag: processes.owner_alive(tag) is False), os.environ.get(STATE_DIR, "")
        return {pid: started for pid, started in dead.items() if processes.variable_of(pid, STATE_DIR) == ours}

    for pid in find():
        ended[processes.tag_of(pid)] = ended.get(processes.tag_of(pid), 0) + 1
    if not ended:
        return []
    processes.kill_all(find, what="processes of dead sessions")
    return [f"ended {count} processes of dead session {tag.rpartition(':')[2]}" for tag, count in ended.items()]


def _forget_old_reports(directory: Path) -> None:
    """What guardians wrote is kept for a week."""
    now_s = clock.now_ns() / clock.NS_PER_S
    for report in directory.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            status = report.stat()
            if now_s - status.st_mtime > REPORTS_KEPT_S:
                report.unlink()
