"""kill -9 of a whole pytest process group while a fault is in: nothing of it is left soon, and the next run works."""

from __future__ import annotations

import collections

import pytest
from outside import HEADER, Belongings, case_directories, pytest_words, scenario, verdicts, wait_until_in

from pytest_anomod.model import catalog

WITHIN_S = 5.0
COMPOSE_MEDIA = "function='media_service:MediaHandler.compose_media', probe='ComposeMedia', " \
                "arguments={'req_id': 1, 'media_types': [], 'media_ids': []}"  # fmt: skip
EXAMPLES = {
    "code_delay": (f"CodeDelay({COMPOSE_MEDIA}, delay_s=0.2)", "media-service"),
    "code_exception": (f"CodeException({COMPOSE_MEDIA}, message='no such media')", "media-service"),
    "code_return": (f"CodeReturn({COMPOSE_MEDIA}, value=7)", "media-service"),
    "cpu_contention": ("CpuContention()", "home-timeline-service"),
    "connection_pool_exhaustion": ("PoolExhaustion()", "url-shorten-service"),
    "database_memory_limit": ("DatabaseMemoryLimit()", "user-timeline-mongodb"),
    "disk_stress": ("DiskStress()", "post-storage-mongodb"),
    "dns_failure": ("DnsFailure(peers=('user-mention-service',))", "text-service"),
    "http_abort": ("HttpAbort()", "compose-post-service"),
    "http_delay": ("HttpDelay()", "compose-post-service"),
    "kill_service": ("KillService()", "user-timeline-service"),
    "network_bandwidth": ("NetworkBandwidth(rate_kbit=1_500)", "post-storage-service"),
    "network_delay": ("NetworkDelay(delay_ms=50)", "post-storage-service"),
    "network_loss": ("NetworkLoss(percent=50)", "post-storage-service"),
    "pause_service": ("PauseService()", "text-service"),
    "redis_memory_limit": ("RedisMemoryLimit(percent_of_used=50)", "user-timeline-redis"),
    "stop_service": ("StopService()", "user-service"),
    "transaction_timeout": ("TransactionTimeout(tables=('user_timeline',))", "user-timeline-mongodb"),
}
"""One fault of each kind, and where it goes in."""


def test_every_kind_of_fault_has_an_example():
    """A new fault must not be left out of this file."""
    can = catalog.find("runtimes", "process").capabilities
    assert set(EXAMPLES) == {name for name, fault in catalog.offers("faults").items() if fault.needs <= can} - {
        "no_fault"
    }


def write_tests(directory, *faults):
    """A test file of scenarios whose anomaly window does not end while we look."""
    decorated = [f"fault={EXAMPLES[fault][0]}, target='{EXAMPLES[fault][1]}'" for fault in faults]
    tests = [scenario(f"test_{fault}", text) for fault, text in zip(faults, decorated, strict=True)]
    (directory / "test_scenarios.py").write_text(HEADER + "".join(tests))


@pytest.mark.parametrize("fault", EXAMPLES)
def test_nothing_is_left_of_a_killed_run(fault, start, tmp_path, timed):
    """No process, port, lock, shared memory or directory within 5 s, and no case that looks whole."""
    write_tests(tmp_path, fault)
    run = start(*pytest_words("test_scenarios.py"))
    had = Belongings.of(run, wait_until_in(run))
    there = collections.Counter(line.split()[0] for line in had.left())
    assert there["process"] > 30, had.left()
    assert there["port"] > 10, had.left()
    assert min(there["lock"], there["directory"]) > 0, had.left()
    run.kill()
    timed(fault, had.gone_within(WITHIN_S))
    (directory,) = case_directories(tmp_path / "anomod-dataset")
    assert not (directory / "case.json").exists()


def test_nothing_is_left_of_killed_workers(start, tmp_path, timed):
    """The same with the systems of two xdist workers, which are in the controller's process group."""
    faults = ("stop_service", "cpu_contention")
    write_tests(tmp_path, *faults)
    run = start(*pytest_words("-n", 2, "test_scenarios.py"))
    had = Belongings.of(run, wait_until_in(run, count=2))
    run.kill()
    timed(f"two workers, {' and '.join(faults)}", had.gone_within(WITHIN_S))


def test_the_next_run_works(start, tmp_path):
    """After all those deaths a system comes up, a fault goes in and out, and the case is whole."""
    short = "Durations(warmup_s=1, baseline_s=1, anomaly_s=1, recovery_s=1)"
    text = scenario("test_next", "fault=StopService(), target='user-service'", durations=short)
    (tmp_path / "test_scenarios.py").write_text(HEADER + text)
    run = start(*pytest_words("test_scenarios.py", "--junitxml=junit.xml"))
    assert run.wait() in (0, 1), run.output  # one second is too short for a verdict to rely on
    row = verdicts(tmp_path / "junit.xml")["next"]
    assert "was seen" in row["anomod_mechanism"], row
    (directory,) = case_directories(tmp_path / "anomod-dataset")
    assert (directory / "case.json").exists(), run.output
    assert not Belongings.of(run, []).left()
