"""kill -9 of a whole pytest process group while ChaosBlade's fault is in: blade's own processes go as well."""

from __future__ import annotations

import contextlib

import psutil
import pytest
from injectors.blade_home import EXECUTORS, make_home, make_home_around, real_executors
from outside import HEADER, Belongings, processes_that_know, pytest_words, scenario, wait_until_in

from pytest_anomod.model import clock

WITHIN_S = 10.0
EXAMPLES = {
    "kill_service": ("KillService()", "user-timeline-service", "injectors.chaosblade.helpers.repeat"),
    "pause_service": ("PauseService()", "text-service", "destroy"),
    "redis_memory_limit": ("RedisMemoryLimit(percent_of_used=50)", "user-timeline-redis", "redis-server"),
}
"""A fault, where it goes in, and what must be seen running meanwhile."""


@pytest.fixture(params=["fake", "executors"])
def blade_home(request, tmp_path, monkeypatch):
    """A home of the fake blade, chosen by the environment as a user would; with real executors where they are."""
    if request.param == "fake":
        home = make_home(tmp_path / "kit")
    elif (executors := real_executors()) is None:
        pytest.skip(f"no real executors here: set {EXECUTORS} (scripts/build_blade.py --no-cli)")
    else:
        home = make_home_around(executors, tmp_path / "kit")
    monkeypatch.setenv("ANOMOD_BLADE_HOME", str(home))
    return home


def is_running(run, sign: str) -> bool:
    """Whether a process of the run has that in its command line."""
    for pid in processes_that_know(run.state):
        with contextlib.suppress(psutil.Error):
            if sign in " ".join(psutil.Process(pid).cmdline()):
                return True
    return False


@pytest.mark.parametrize("fault", EXAMPLES)
def test_nothing_is_left_of_a_killed_run_with_blade(fault, start, tmp_path, blade_home, timed):
    """No process, port, lock or directory within 10 s; the home on this machine is as it was."""
    made, target, sign = EXAMPLES[fault]
    text = scenario(f"test_{fault}", f"fault={made}, target={target!r}, injector='chaosblade'")
    (tmp_path / "test_scenarios.py").write_text(HEADER + text)
    run = start(*pytest_words("test_scenarios.py"))
    refs = wait_until_in(run)
    clock.wait_until(lambda: is_running(run, sign), timeout_s=60, what=sign)
    had = Belongings.of(run, refs)
    run.kill()
    timed(f"{fault}, by blade", had.gone_within(WITHIN_S))
    assert sorted(path.name for path in blade_home.iterdir()) == ["bin", "blade", "yaml"]
