"""The governor: how it holds a process to its share, and that it never leaves one stopped."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest
from programs import running, until

COUNT = "n=0\nwhile True: n+=1"


@pytest.fixture
def busy():
    """A process that would take a whole core."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", COUNT])
    yield psutil.Process(child.pid)
    child.kill()
    child.wait()


def governed(busy, **options):
    given = {"pid": busy.pid, "duty_ms": 10, "period_ms": 100, "burners": 1, "deadline_s": 20, **options}
    return running("governor", **given)


def test_the_target_gets_its_share_and_no_more(busy):
    """10 ms of each 100 ms: about a tenth of a core for a process that would take all of it."""
    with governed(busy) as governor:
        until(lambda: busy.status() == psutil.STATUS_STOPPED)
        before, began = sum(busy.cpu_times()[:2]), time.monotonic()
        time.sleep(1.0)
        share = (sum(busy.cpu_times()[:2]) - before) / (time.monotonic() - began)
        burners = psutil.Process(governor.pid).children()
        assert share < 0.3
        assert any(sum(child.cpu_times()[:2]) > 0 for child in burners)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_the_target_goes_on_however_the_governor_ends(busy, number):
    """A SIGKILL leaves it to the keeper; nothing of the governor stays either."""
    with governed(busy) as governor:
        until(lambda: busy.status() == psutil.STATUS_STOPPED)
        family = psutil.Process(governor.pid).children(recursive=True)
        assert len(family) == 2  # keeper and burner
        governor.kill() if number == "SIGKILL" else governor.terminate()
        governor.wait(20)
        until(lambda: not any(alive(child) for child in family), 20)
        before = sum(busy.cpu_times()[:2])
        until(lambda: busy.status() != psutil.STATUS_STOPPED and sum(busy.cpu_times()[:2]) > before)


def test_it_ends_by_itself_at_the_deadline_and_lets_go(busy):
    """Nobody has to be alive to end it."""
    with governed(busy, deadline_s=0.3) as governor:
        assert governor.wait(20) == 0
        until(lambda: busy.status() != psutil.STATUS_STOPPED)


def test_it_ends_when_the_target_is_gone(busy):
    """A pid that is given to another process later must not be stopped."""
    with governed(busy) as governor:
        until(lambda: busy.status() == psutil.STATUS_STOPPED)
        busy.kill()
        busy.wait(20)
        assert governor.wait(20) == 0


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
