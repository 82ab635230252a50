"""What tests of runtimes, of the host and of safety share: a state directory of their own, sessions, owners to kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_anomod.host import processes
from pytest_anomod.safety import guardian, sessions

RUNTIMES = Path(__file__).parent / "runtimes"


@pytest.fixture(scope="session", autouse=True)
def _private_state(tmp_path_factory):
    """No test meets the sessions, locks and port blocks of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMOD_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        paths = [str(RUNTIMES), str(RUNTIMES / "third_party"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture
def session(tmp_path):
    """A session of ours with its guardian, ended afterwards."""
    session = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(session.directory)
    yield session
    sessions.end_session(session)


class Owner:
    """A child program that owns a session: tests/runtimes/owner.py; `told` is what it printed once it was ready."""

    def __init__(self, *words: str, program: Path = RUNTIMES / "owner.py") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(program), *words],
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        assert self.process.stdout is not None
        self.told = json.loads(self.process.stdout.readline() or "{}")

    @property
    def directory(self) -> Path:
        """Of its session."""
        return Path(self.told["directory"])

    @property
    def guardian(self) -> int:
        """Pid of its guardian."""
        return int((self.directory / "guardian.lock").read_text())

    def kill_group(self) -> None:
        """SIGKILL to its whole process group, as a shell or a CI runner does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def owner():
    """Starts owners, and sees to it that no one outlives the test."""
    owners: list[Owner] = []

    def start(*words: str, **more: Path) -> Owner:
        owners.append(Owner(*words, **more))
        return owners[-1]

    yield start
    for each in owners:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGCONT)
            each.kill_group()
        each.process.stdout.close()
    sessions.sweep()
    name = lambda tag: tag.split(":")[-1].split("/")[0]  # noqa: E731
    assert not processes.tagged(lambda tag: name(tag) in {each.directory.name for each in owners if each.told})


@pytest.fixture
def bystander(tmp_path):
    """A process that has nothing to do with us, though it works where our things are; it must live on."""
    process = subprocess.Popen(["sleep", "300"], cwd=sessions.state_root(), start_new_session=True)
    yield process
    assert process.poll() is None, "a process that is none of ours was ended"
    process.kill()
    process.wait()
