"""What the whole system costs: processes, memory, and processor time while nobody asks for anything."""

import time

import psutil
from tt_system import System

MEMORY_BYTES = 1.2 * 2**30
IDLE_SHARE = 0.15  # of one core
WINDOW_S = 2.0


def _processes(system: System) -> list[psutil.Process]:
    host = psutil.Process(system.process.pid)
    return [host, *host.children(recursive=True)]


def _seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_all_46_services_run_as_processes_of_their_own(system: System) -> None:
    """And both stores; nothing was restarted."""
    states = system.control("GET", "/services")
    assert len(states) == 48
    assert {state["state"] for state in states.values()} == {"running"}
    assert len({state["pid"] for state in states.values()}) == 48


def test_the_system_takes_at_most_1_2_gib(system: System) -> None:
    """Shared pages counted once (PSS), where the platform tells."""
    information = [process.memory_full_info() for process in _processes(system)]
    assert sum(getattr(each, "pss", each.uss) for each in information) < MEMORY_BYTES


def test_the_idle_system_takes_less_than_15_percent_of_a_core(system: System) -> None:
    """Nothing polls."""
    processes = _processes(system)
    before, started = _seconds(processes), time.monotonic()
    time.sleep(WINDOW_S)  # the window that is measured
    assert _seconds(processes) - before < IDLE_SHARE * (time.monotonic() - started)
