"""Evidence of synthetic cases, and small datasets on disk in which one service alone is slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dataset_builder as build
from small_system import SYSTEM, Effect
from synthetic import make_case

from pytest_anomod.dataset.blind import split_coverage
from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.dataset.write import write_index
from pytest_anomod.model.timeline import Phase

CULPRIT = "text-service"
FAULTS = ("cpu_contention", "memory_pressure", "network_delay", "pause_service")
MODALITIES = ("logs", "metrics", "traces", "api_responses", "coverage")


def evidence(effect: Effect | None = None, *, target: str = "text", seed: int = 3, **choices: Any) -> Evidence:
    """Evidence of a synthetic case, as of who ranks; its coverage has the time of the alarm, as that of real cases."""
    view = make_case(seed, effect=effect or Effect(errors=0.9), target=target, **choices)
    start, onset, anomaly = (view.timeline.window(phase) for phase in (Phase.BASELINE, Phase.ONSET, Phase.ANOMALY))
    assert start is not None
    assert onset is not None
    assert anomaly is not None
    frames = {}
    for name in MODALITIES:
        frame = view.frames[name]
        times = frame["time_unix_nano"]
        frames[name] = frame[(times >= start.start_ns) & (times < anomaly.end_ns)].drop(columns=["case_id", "phase"])
    frames["coverage"] = split_coverage(frames["coverage"], start.start_ns, onset.start_ns)
    return Evidence.of(
        frames,
        services=tuple(service.name for service in SYSTEM.services),
        entry=SYSTEM.entry,
        start_ns=start.start_ns,
        end_ns=anomaly.end_ns,
        alarm_ns=onset.start_ns,
    )


def make_dataset(out: Path, *, faults: int = 4, controls: int = 2) -> Path:
    """Cases of different faults at one culprit and controls, indexed."""
    hour = 3_600 * build.SECOND
    for number in range(faults + controls):
        build.build_case(
            out,
            f"slow_{number}" if number < faults else "control",
            case_id=f"20261122T{number:02d}25Z-aaaa",
            start_ns=build.START_NS + number * hour,
            control=number >= faults,
            fault=FAULTS[number % len(FAULTS)] if number < faults else "none",
        )
    write_index(out)
    return out


def make_severities(out: Path) -> Path:
    """Two faults at one target, each with two severities that are scenarios of their own, indexed."""
    for number, (fault, severity) in enumerate((fault, severity) for fault in FAULTS[:2] for severity in (1, 3)):
        build.build_case(
            out,
            f"{fault}_s{severity}",
            start_ns=build.START_NS + number * 3_600 * build.SECOND,
            fault=fault,
            severity=severity,
        )
    write_index(out)
    return out


def culprit_first(given: Evidence) -> dict[str, float]:
    """A method that is always right."""
    assert given.alarm_ns is not None
    return {CULPRIT: 1.0}


def slow_bins(given: Evidence) -> list[float]:
    """A detector: the longest span of each bin."""
    traces = given.traces
    step = round(given.bin_s * 1e9)
    places = (traces["time_unix_nano"] - given.start_ns) // step
    longest = traces.groupby(places)["duration_ns"].max()
    return [float(longest.get(number, 0)) for number in range(len(given.bins))]


slow_bins.modalities = ("traces",)  # type: ignore[attr-defined]
