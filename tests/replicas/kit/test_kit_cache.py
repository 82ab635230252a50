"""Where the empty PostgreSQL cluster is kept: nobody's home is needed, and what is not as usual is said."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

from pytest_anomod.replicas.kit import cache, postgres_server

ASK = "from pytest_anomod.replicas.kit.cache import cache_directory; print(cache_directory()[0])"


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A home that can't be, for root either; a state directory and a directory for temporary files that can."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(cache.atexit, "register", lambda *_: None)  # pytest removes what is below tmp_path
    cache.cache_directory.cache_clear()
    yield tmp_path
    cache.cache_directory.cache_clear()


def test_a_home_that_can_be_written_has_it_and_nothing_is_said(world, monkeypatch):
    monkeypatch.setenv("HOME", str(world / "home"))
    assert cache.cache_directory() == (world / "home" / ".cache" / "pytest-anomod", "")


def test_a_cache_that_was_chosen_may_belong_to_another(world, monkeypatch):
    """That of our image is made by one user and used by whoever runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(world / "chosen"))
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert cache.cache_directory() == (world / "chosen" / "pytest-anomod", "")


def test_without_a_home_the_state_directory_has_it(world):
    directory, sentence = cache.cache_directory()
    assert directory == world / "state" / "cache"
    assert str(world / "file" / "home") in sentence
    assert sentence.endswith(f"the empty PostgreSQL cluster is kept in {directory}")


def test_a_user_whom_nobody_knows_has_no_home(world, monkeypatch):
    """As Python says it of a uid without a name."""
    monkeypatch.setattr(cache.os.path, "expanduser", lambda path: path)
    assert cache.cache_directory()[1].startswith("no cache of the user (this user has no home)")


@pytest.mark.parametrize("state", ["a file", "of another"])
def test_without_either_it_is_a_private_directory(world, monkeypatch, state):
    """One that somebody else made below the directory for temporary files is not trusted."""
    if state == "a file":
        monkeypatch.setenv("ANOMOD_STATE_DIR", str(world / "file" / "state"))
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    directory, sentence = cache.cache_directory()
    assert directory.parent == world / "tmp"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert "state" in sentence


def test_the_private_directory_ends_with_its_process(world, monkeypatch):
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(world / "file" / "state"))
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert Path(said.strip()).parent == world / "tmp"
    assert not list((world / "tmp").iterdir())


@pytest.mark.parametrize(
    ("named", "uid", "expected"),
    [((0, 1, 1000), 1, 1), ((0, 1, 1000), 0, 1000), ((0, 1, 1000), 12345, 1000), ((0, 7, 8), 12345, 7), ((), 5, 1000)],
)
def test_initdb_is_somebody_whom_the_user_database_names(monkeypatch, named, uid, expected):
    """It refuses to be root, and a user without a name."""
    entries = {each: types.SimpleNamespace(pw_uid=each) for each in named}
    monkeypatch.setattr(postgres_server.pwd, "getpwall", lambda: list(entries.values()))
    monkeypatch.setattr(postgres_server.pwd, "getpwuid", lambda each: entries[each])
    assert postgres_server._named_user(uid) == expected


def test_a_user_without_a_name_is_told_what_to_do_where_a_namespace_is_refused():
    """In one line: the error is one of the kit's own."""
    words = "echo 'initdb: error: could not look up effective user ID 5: user does not exist' >&2; exit 1"
    with pytest.raises(postgres_server.ClusterError, match=r"\(1\): initdb: .*\n?; .* a line for \d+ to /etc/passwd"):
        postgres_server._run_as_user(["sh", "-c", words])
