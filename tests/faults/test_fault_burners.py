"""The burners: as many as were asked for, and none of them outlives the program."""

from __future__ import annotations

import psutil
import pytest
from programs import running, until


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_they_burn_until_the_program_ends_however_it_does(number):
    """Each uses CPU; a SIGKILL of the program ends them too."""
    with running("burners", burners=2, deadline_s=60) as program:
        children = until(lambda: (found := psutil.Process(program.pid).children()) and len(found) == 2 and found)
        until(lambda: all(sum(child.cpu_times()[:2]) > 0 for child in children))
        program.kill() if number == "SIGKILL" else program.terminate()
        program.wait(20)
        until(lambda: all(gone(child) for child in children))


def test_they_end_by_themselves_at_the_deadline():
    """Nobody has to be alive to end them."""
    with running("burners", burners=1, deadline_s=0.3) as program:
        assert program.wait(20) == 0
