"""Decides which faults may be injected into a system that is not ours: those undone completely, and those allowed."""

from __future__ import annotations

from pytest_anomod.model.system import Running, System

REVERSIBLE = frozenset(
    {
        "no_fault",
        "pause_service",  # SIGSTOP, then SIGCONT
        "cpu_contention",  # a program beside it, signals, or a quota that is put back
        "network_delay",
        "network_loss",
        "network_bandwidth",
        "network_partition",
        "dns_failure",  # rules in a network namespace, taken out again
        "http_abort",
        "http_delay",  # a relay in its way, taken out again
        "disk_throttle",  # a limit that is put back
        "transaction_timeout",  # a setting that is put back
    }
)
"""Faults after which everything is as it was. Any other, those of third parties too, must be allowed by name."""
WHY_NOT = {
    "kill_service": "what a process had in memory is lost, and only its owner can be sure that it is started again",
    "stop_service": "a stopped service may not come back",
    "memory_pressure": "the kernel may kill the service",
    "redis_memory_limit": "keys that Redis evicts do not come back",
    "database_memory_limit": "connections of others fail",
    "disk_stress": "it writes files to a disk of the system",
}


def running_of(system: System) -> Running:
    """What runs already of a system; for one that the runtime did not refuse."""
    running = system.deploy(Running)
    assert running is not None
    return running


def refusal_of_fault(system: System, service: str, fault: str) -> str:
    """Why a fault is not put into a service of a system that is not ours; "" when it may be."""
    if fault == "stop_service" and service in running_of(system).pids:
        return f"{fault!r} can't be put into {service!r}: a process that we did not start we can't start again"
    ends_sessions = fault == "transaction_timeout" and system.service(service).engine == "mysql"
    if (fault in REVERSIBLE and not ends_sessions) or fault in running_of(system).allow:
        return ""
    why = "sessions of others are ended" if ends_sessions else WHY_NOT.get(fault, "it is not known to leave no trace")
    return (
        f"{fault!r} is not put into system {system.name!r}, which is not ours: {why}; "
        f"allow it by running_system(..., allow=({fault!r},))"
    )
