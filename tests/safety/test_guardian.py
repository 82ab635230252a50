"""Whatever happens to an owner, nothing of it is left, and nothing else is touched."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pytest_anomod.host import ports, processes
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError
from pytest_anomod.safety import guardian, sessions
from pytest_anomod.safety.undo import UndoJournal


def left_of(told):
    """What is still there of what an owner told."""
    left = [f"process {pid}" for pid in told.get("processes", []) if processes.start_time(pid) is not None]
    left += [path for path in (told["directory"], *told.get("shared_memory", [])) if Path(path).exists()]
    if "ref" in told:
        block = range(told["ref"]["base_port"], told["ref"]["base_port"] + ports.BLOCK)
        left += [f"port {port}" for port in block if not ports.is_free(port)]
    return left


def gone_within(told, seconds):
    """Wait until nothing is left; on failure say what is."""
    try:
        clock.wait_until(lambda: not left_of(told), timeout_s=seconds, what="everything to be gone")
    except TimeoutError:
        pytest.fail(f"after {seconds} s there are still {left_of(told)}")


def test_a_killed_process_group_leaves_nothing_within_five_seconds(owner, bystander, tmp_path):
    """Deployment, helper with a child that ignores SIGTERM, changed file: all undone by the guardian."""
    file = tmp_path / "ledger"
    file.write_text("original")
    it = owner("helper", "scribble", str(file))
    assert len(it.told["processes"]) > 6
    assert file.read_text() == "scribble"
    it.kill_group()
    gone_within(it.told, 5.0)
    assert file.read_text() == "original"


def test_a_recovery_that_hangs_does_not_keep_the_rest(owner, tmp_path):
    """Faults get a share of the time; their deployment goes anyway."""
    file = tmp_path / "ledger"
    file.write_text("original")
    it = owner("hang", str(file))
    it.kill_group()
    gone_within(it.told, 5.0)


def test_a_killed_host_and_owner_leave_nothing(owner):
    """Not even when the host can't clean up behind itself."""
    it = owner()
    os.kill(it.told["host"], signal.SIGSTOP)
    it.kill_group()
    gone_within(it.told, 5.0)


def test_without_a_guardian_the_next_sweep_undoes_it(owner, bystander, tmp_path):
    """Guardian and owner both killed, as by an out-of-memory killer."""
    file = tmp_path / "ledger"
    file.write_text("original")
    it = owner("helper", "scribble", str(file))
    os.kill(it.guardian, signal.SIGKILL)
    it.kill_group()
    lines = sessions.sweep()
    assert left_of(it.told) == []
    assert file.read_text() == "original"
    assert any("took down deployment" in line for line in lines)
    assert sessions.sweep() == ()


def test_a_stopped_owner_is_left_alone(owner):
    """SIGSTOP is not death: neither guardian nor sweep touch what it has."""
    it = owner("bare")
    os.kill(it.process.pid, signal.SIGSTOP)
    assert sessions.sweep() == ()
    clock.sleep(0.7)  # longer than the guardian's tick: an absence has no condition to wait for
    assert it.directory.is_dir()
    assert guardian.guardian_alive(it.directory)


def test_an_overdue_entry_is_undone_while_its_owner_lives(owner, tmp_path):
    """A hung owner doesn't hold a fault in beyond its deadline; its deployment stays."""
    file = tmp_path / "ledger"
    file.write_text("original")
    it = owner("overdue", str(file))
    clock.wait_until(lambda: file.read_text() == "original", timeout_s=5.0, what="the guardian to recover the fault")
    assert it.process.poll() is None
    assert processes.start_time(it.told["host"]) is not None
    clock.wait_until(
        lambda: len(UndoJournal(it.directory / "undo.jsonl").open_entries()) == 1,
        timeout_s=20.0,
        what="the entry to be done",
    )


def test_where_there_are_no_pidfds_the_guardian_watches_its_parent(owner):
    """The way of macOS and old kernels."""
    it = owner("bare", "pipe")
    it.kill_group()
    gone_within(it.told, 5.0)


def test_without_a_guardian_nothing_is_recorded(session):
    """No one would undo it; and a stopped guardian is none."""
    journal = UndoJournal(session.directory / "undo.jsonl")
    pid = int((session.directory / "guardian.lock").read_text())
    os.kill(pid, signal.SIGSTOP)
    clock.wait_until(lambda: not guardian.guardian_alive(session.directory), timeout_s=20.0, what="it to stop")
    with pytest.raises(SafetyError, match="no guardian watches"):
        journal.record({"op": "tree", "path": "/nowhere/at/all"})
    os.kill(pid, signal.SIGCONT)
    clock.wait_until(lambda: guardian.guardian_alive(session.directory), timeout_s=20.0, what="it to go on")
    journal.done(journal.record({"op": "tree", "path": "/nowhere/at/all"}))


def test_a_dead_guardian_can_be_replaced_by_the_owner(session):
    """`ensure_guardian` starts one only when there is none."""
    assert guardian.ensure_guardian(session.directory) is None
    os.kill(int((session.directory / "guardian.lock").read_text()), signal.SIGKILL)
    clock.wait_until(lambda: not guardian.guardian_alive(session.directory), timeout_s=20.0, what="its end")
    assert guardian.ensure_guardian(session.directory) is not None
    assert guardian.guardian_alive(session.directory)


def test_the_guardian_leaves_with_its_session(tmp_path):
    """No watcher stays behind an orderly end."""
    session = sessions.new_session(tmp_path, "run", "gw1")
    pid = guardian.ensure_guardian(session.directory)
    assert sessions.end_session(session) == ()
    assert processes.start_time(pid) is None
    assert not session.directory.exists()
