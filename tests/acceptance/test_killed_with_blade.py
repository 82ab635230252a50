"""kill -9 of a whole pytest process group while ChaosBlade's fault is in: blade's own processes go as well."""

from __future__ import annotations

import psutil
import pytest
from outside import HEADER, Belongings, pytest_words, scenario, wait_until_in

WITHIN_S = 10.0
EXAMPLES = {
    "kill_service": ("KillService()", "user-timeline-service", "injectors.helpers.repeat"),
    "redis_memory_limit": ("RedisMemoryLimit(percent_of_used=50)", "user-timeline-redis", "redis-server"),
}
"""A fault, where it goes in, and what must be seen running meanwhile."""


@pytest.mark.parametrize("fault", EXAMPLES)
def test_nothing_is_left_of_a_killed_run_with_blade(fault, start, tmp_path, blade_home, timed):
    """No process, port, lock or directory within 10 s; the home on this machine is as it was."""
    made, target, sign = EXAMPLES[fault]
    text = scenario(f"test_{fault}", f"fault={made}, target={target!r}, injector='chaosblade'")
    (tmp_path / "test_scenarios.py").write_text(HEADER + text)
    run = start(*pytest_words("test_scenarios.py"))
    had = Belongings.of(run, wait_until_in(run))
    assert any(sign in " ".join(psutil.Process(pid).cmdline()) for pid in had.processes if psutil.pid_exists(pid))
    run.kill()
    timed(f"{fault}, by blade", had.gone_within(WITHIN_S))
    assert sorted(path.name for path in blade_home.iterdir()) == ["bin", "blade", "yaml"]
