"""Chaos tests under pytest: every scenario a test, every test a proven, labelled, five-modality dataset case."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset, load_dataset
    from pytest_anomod.declare import anomalies, anomaly, scenario
    from pytest_anomod.define.commands import commands_system, procfile, procfile_system
    from pytest_anomod.define.compose import compose_system
    from pytest_anomod.define.journeys import visit
    from pytest_anomod.define.kubernetes import kubernetes_system
    from pytest_anomod.define.running import running_system
    from pytest_anomod.model.fault import CodeLocation, FaultDefaults, Level, Observation
    from pytest_anomod.model.scenario import Durations, Scenario
    from pytest_anomod.model.source import Jaeger, Prometheus, Zipkin
    from pytest_anomod.model.system import (
        Agents,
        Command,
        Commands,
        ComposeFiles,
        Journey,
        Probe,
        Replica,
        Running,
        Service,
        ServiceKind,
        System,
    )
    from pytest_anomod.model.verdict import Finding, Verdict
    from pytest_anomod.model.workload import OpenLoop, Suite

_HOMES = {
    "Agents": "model.system",
    "CodeLocation": "model.fault",
    "Command": "model.system",
    "Commands": "model.system",
    "ComposeFiles": "model.system",
    "Dataset": "dataset.read",
    "Durations": "model.scenario",
    "FaultDefaults": "model.fault",
    "Finding": "model.verdict",
    "Jaeger": "model.source",
    "Journey": "model.system",
    "Level": "model.fault",
    "Observation": "model.fault",
    "OpenLoop": "model.workload",
    "Probe": "model.system",
    "Prometheus": "model.source",
    "Replica": "model.system",
    "Running": "model.system",
    "Scenario": "model.scenario",
    "Service": "model.system",
    "ServiceKind": "model.system",
    "Suite": "model.workload",
    "System": "model.system",
    "Verdict": "model.verdict",
    "Zipkin": "model.source",
    "anomalies": "declare",
    "anomaly": "declare",
    "commands_system": "define.commands",
    "compose_system": "define.compose",
    "kubernetes_system": "define.kubernetes",
    "load_dataset": "dataset.read",
    "procfile": "define.commands",
    "procfile_system": "define.commands",
    "running_system": "define.running",
    "scenario": "declare",
    "visit": "define.journeys",
}

__all__ = [
    "Agents",
    "CodeLocation",
    "Command",
    "Commands",
    "ComposeFiles",
    "Dataset",
    "Durations",
    "FaultDefaults",
    "Finding",
    "Jaeger",
    "Journey",
    "Level",
    "Observation",
    "OpenLoop",
    "Probe",
    "Prometheus",
    "Replica",
    "Running",
    "Scenario",
    "Service",
    "ServiceKind",
    "Suite",
    "System",
    "Verdict",
    "Zipkin",
    "anomalies",
    "anomaly",
    "commands_system",
    "compose_system",
    "kubernetes_system",
    "load_dataset",
    "procfile",
    "procfile_system",
    "running_system",
    "scenario",
    "visit",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that having the plugin installed costs next to nothing."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
