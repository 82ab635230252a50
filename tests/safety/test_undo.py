"""The journal survives crashes, and playing it is idempotent and harms no one."""

from __future__ import annotations

import subprocess

import pytest

from pytest_anomod.host import processes
from pytest_anomod.model.errors import SafetyError
from pytest_anomod.safety import undo
from pytest_anomod.safety.helpers import watch
from pytest_anomod.safety.undo import UndoJournal, remove_tree


@pytest.fixture
def journal(session):
    """The journal of a session with a guardian."""
    return UndoJournal(session.directory / "undo.jsonl")


def test_what_is_done_is_not_open(journal):
    """Entries leave in any order, and twice is fine."""
    first, second = (journal.record({"op": "tree", "path": f"/no/such/{n}"}) for n in "ab")
    journal.done(first)
    journal.done(first)
    assert [entry_id for entry_id, _ in journal.open_entries()] == [second]


def test_a_line_torn_by_a_crash_costs_only_itself(journal):
    """What follows is written on a line of its own."""
    first = journal.record({"op": "tree", "path": "/no/such/a"})
    with journal.path.open("ab") as stream:
        stream.write(b'{"id": "torn", "entry": {"op"')
    second = journal.record({"op": "tree", "path": "/no/such/b"})
    assert [entry_id for entry_id, _ in journal.open_entries()] == [first, second]


def test_playing_goes_from_the_newest_to_the_oldest(journal, session, tmp_path):
    """As changes pile up, so they are taken down."""
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        journal.record({"op": "tree", "path": str(tmp_path / name)})
    lines, failures = undo.play(session.directory)
    assert [line.rpartition("/")[2] for line in lines] == ["third", "second", "first"]
    assert failures == []


def test_playing_twice_is_playing_once(journal, session, tmp_path):
    """Also when the second player starts from the same journal, as after a crash between undoing and noting it."""
    (tmp_path / "thing").mkdir()
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    started = processes.start_time(process.pid)
    journal.record({"op": "tree", "path": str(tmp_path / "thing")})
    journal.record({"op": "process", "pid": process.pid, "start_time": started})
    before = journal.path.read_bytes()
    assert len(undo.play(session.directory)[0]) == 2
    process.wait()
    journal.path.write_bytes(before)
    assert undo.play(session.directory) == ([], [])
    assert journal.open_entries() == []


def test_one_failure_does_not_keep_the_rest(journal, session, tmp_path):
    """What can't be undone stays open and is told; the others are undone."""
    (tmp_path / "thing").mkdir()
    journal.record({"op": "tree", "path": str(tmp_path / "thing")})
    bad = journal.record({"op": "unheard-of"})
    lines, failures = undo.play(session.directory)
    assert len(lines) == 1
    assert "no way to undo 'unheard-of'" in failures[0]
    assert [entry_id for entry_id, _ in journal.open_entries()] == [bad]
    journal.done(bad)


@pytest.mark.parametrize(
    ("ours", "limit_s"), [(True, 0.2), (False, undo.OVERDUE_LIMIT_S)], ids=["goes with it", "stays"]
)
def test_a_fault_in_a_deployment_that_stays_is_given_time(ours, limit_s, monkeypatch):
    """Of one that is taken down nothing is left anyway; in somebody else's system what is cut short would be."""
    given = []
    monkeypatch.setattr(undo, "_recover_within", lambda _, limit: given.append(limit))
    undo._undo({"op": "injector", "injector": "chaos_mesh", "entry": {"ref": {"ours": ours}}}, 0.0)
    assert given == [limit_s]


def test_a_process_entry_of_a_pid_given_to_another_does_nothing(journal, session, bystander):
    """The bystander has the pid, not the start time."""
    journal.record({"op": "process", "pid": bystander.pid, "start_time": processes.start_time(bystander.pid) - 5.0})
    assert undo.play(session.directory) == ([], [])


@pytest.mark.parametrize("path", ["/", "/usr", "/home/somebody"])
def test_nothing_near_the_root_is_removed(path, monkeypatch):
    """A journal gone wrong must not cost anyone their files."""
    monkeypatch.setattr("pytest_anomod.safety.undo.shutil.rmtree", lambda *_, **__: pytest.fail("removing"))
    monkeypatch.setattr("pytest_anomod.safety.undo.Path.lstat", lambda _: pytest.importorskip("os").stat("/tmp"))
    with pytest.raises(SafetyError, match="not removed"):
        remove_tree(undo.Path(path))


def test_a_link_is_removed_and_not_what_it_points_to(tmp_path):
    """Trees are not followed out of their place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert remove_tree(tmp_path / "link")
    assert (tmp_path / "real").is_dir()
    assert not remove_tree(tmp_path / "link")


def test_a_deadline_counts_only_in_the_boot_it_was_set_in():
    """Monotonic clocks begin anew with every boot."""
    line = {"deadline": {"monotonic_s": 0.0, "boot_id": "one"}}
    assert watch._is_overdue(line, "one")
    assert not watch._is_overdue(line, "other")
    assert not watch._is_overdue({"deadline": None}, "one")
