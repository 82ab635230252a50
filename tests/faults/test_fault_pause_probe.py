"""The probe of a pause: every process of the target stands still; a dead child that nobody buries does not deny it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types

import psutil
import pytest
from programs import until

from pytest_anomod.faults import PauseService

PARENT = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"


@pytest.fixture
def family():
    """Starts a process whose child runs a program; yields how to start it, and ends it."""
    started = []

    def start(child: str) -> psutil.Process:
        started.append(subprocess.Popen([sys.executable, "-c", PARENT, child], start_new_session=True))
        parent = psutil.Process(started[-1].pid)
        until(parent.children)
        return parent

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def deployment_of(process):
    """What the probe asks of a deployment, of one process that answers nobody."""
    its = types.SimpleNamespace(pid=lambda: process.pid)
    return types.SimpleNamespace(capability=lambda *_: its, answers=lambda *_: False)


def states(parent):
    return {child.status() for child in parent.children()}


def test_a_dead_child_that_is_not_buried_does_not_hide_the_pause(family):
    """Who would bury it is held."""
    parent = family("")
    until(lambda: states(parent) == {psutil.STATUS_ZOMBIE})
    parent.send_signal(signal.SIGSTOP)
    until(lambda: PauseService().active(deployment_of(parent), "app"))


def test_a_child_that_goes_on_does(family):
    """Half a pause is none."""
    parent = family("import time; time.sleep(60)")
    parent.send_signal(signal.SIGSTOP)
    until(lambda: parent.status() == psutil.STATUS_STOPPED)
    looked = PauseService().active(deployment_of(parent), "app")
    assert not looked
    assert len(looked.evidence["states"]) == 2
