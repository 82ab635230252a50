"""Sessions are private; sweeping removes what the dead left and nothing else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from pytest_anomod.host import processes
from pytest_anomod.host.state import state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError
from pytest_anomod.safety import guardian, sessions
from pytest_anomod.safety.undo import UndoJournal


def rewrite_owner(session, **changes):
    """Change what a session's owner file says; `boot` changes the tag's boot id."""
    path = session.directory / "owner.json"
    owner = json.loads(path.read_text())
    pid, started, boot, place, name = owner["tag"].split(":")
    owner["tag"] = ":".join(
        (changes.get("pid", pid), started, changes.get("boot", boot), changes.get("place", place), name)
    )
    path.write_text(json.dumps(owner))


def test_a_session_is_for_its_user_alone(session):
    """Directory 0700, below a root that is 0700."""
    assert stat.S_IMODE(session.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(state_root().stat().st_mode) == 0o700


def test_a_living_session_is_not_swept(session):
    """Whoever sweeps."""
    assert sessions.sweep() == ()
    assert session.directory.is_dir()


def test_ending_undoes_what_is_open_and_says_so(tmp_path):
    """An entry left open is a finding, not a leftover."""
    session = sessions.new_session(tmp_path, "run", "gw2")
    guardian.ensure_guardian(session.directory)
    thing = tmp_path / "thing"
    thing.mkdir()
    UndoJournal(session.directory / "undo.jsonl").record({"op": "tree", "path": str(thing)})
    assert sessions.end_session(session) == (f"removed {thing}",)
    assert not thing.exists()
    assert sessions.end_session(session) == ()


def test_after_a_reboot_files_go_and_pids_are_not_trusted(session, bystander, tmp_path):
    """Another boot id: a process that has the pid and even the start time of then is a stranger's."""
    thing = tmp_path / "thing"
    thing.mkdir()
    journal = UndoJournal(session.directory / "undo.jsonl")
    journal.record({"op": "tree", "path": str(thing)})
    journal.record({"op": "process", "pid": bystander.pid, "start_time": processes.start_time(bystander.pid)})
    journal.path.write_text(journal.path.read_text().replace(processes.boot_id(), "00000000"))
    rewrite_owner(session, boot="00000000")
    lines = sessions.sweep()
    assert not thing.exists()
    assert not session.directory.exists()
    assert not any("ended process" in line for line in lines)


def test_sessions_of_other_containers_are_left_alone(session):
    """Their pids mean nothing here, so nothing can be said about their owners."""
    rewrite_owner(session, place="elsewhere/1", pid="999999")
    assert sessions.sweep() == ()
    assert session.directory.is_dir()


def test_tagged_processes_of_a_dead_owner_end_without_any_journal(bystander, tmp_path):
    """As after someone removed the state directory."""
    owner = subprocess.Popen(["sleep", "300"])
    started = processes.start_time(owner.pid)
    tag = ":".join((str(owner.pid), f"{started:.2f}", processes.boot_id()[:8], processes.place(), "run-gw0-abc/1-demo"))
    child = subprocess.Popen(["sleep", "300"], env={**os.environ, processes.TAG: tag}, start_new_session=True)
    clock.wait_until(lambda: processes.tag_of(child.pid), timeout_s=20.0, what="the exec")
    assert sessions.sweep() == ()
    assert child.poll() is None
    owner.kill()
    owner.wait()
    with pytest.MonkeyPatch.context() as patch:  # whoever keeps things elsewhere has guardians of their own
        patch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "elsewhere"))
        assert sessions.sweep() == ()
    assert child.poll() is None
    assert sessions.sweep() == ("ended 1 processes of dead session run-gw0-abc/1-demo",)
    assert child.wait(5) == -9


def test_a_directory_in_the_making_is_left_alone_for_a_while():
    """Made, but its owner not written down yet; an old one is a leftover."""
    directory = state_root() / "sessions" / "half-made"
    directory.mkdir(parents=True)
    assert sessions.sweep() == ()
    old = clock.now_ns() / 1e9 - 120
    os.utime(directory, (old, old))
    assert sessions.sweep() == ("removed the directory of dead session half-made",)


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    """With what to do about it; a file is in its way here, as root may write everywhere else."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises(SafetyError, match=r"file/state can't be made: .*; set ANOMOD_STATE_DIR"):
        sessions.new_session(tmp_path, "run", "gw0")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a file system nobody can write to")
def test_a_read_only_file_system_is_named(tmp_path, monkeypatch):
    """Not even root can write below /sys/kernel."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", "/sys/kernel/state")
    with pytest.raises(SafetyError, match="/sys/kernel/state can't be made"):
        sessions.new_session(tmp_path, "run", "gw0")


def test_a_state_directory_behind_a_link_is_refused(tmp_path, monkeypatch):
    """In a directory everyone may write to, someone else might have put it there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "link"))
    with pytest.raises(SafetyError, match="not a directory of ours alone"):
        state_root()
