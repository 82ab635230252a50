"""Lists the trials of every case (each method, set of modalities and damage), and gives the truth to score them by."""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.dataset import label_tables
from pytest_anomod.dataset.blind import blind_id
from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.evaluation.damage import KINDS, SEVERITIES, Damage
from pytest_anomod.evaluation.detection import ANOMALOUS, NORMAL, UNSCORED
from pytest_anomod.evaluation.method import tasks_of
from pytest_anomod.model.errors import EvaluationError
from pytest_anomod.model.fault import Level
from pytest_anomod.model.propagation import USER, Known
from pytest_anomod.model.timeline import QUIET, Phase
from pytest_anomod.model.verdict import Verdict

RANKED = (Verdict.EFFECTIVE, Verdict.TOLERATED, Verdict.SILENT)
"""Verdicts of cases in which causes are ranked: the fault was proven to be in."""
DETECTED = (*RANKED, Verdict.NORMAL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to evaluate; see `anomod evaluate --help`."""

    modalities: tuple[str, ...] = ()
    subsets: bool = False
    robustness: bool = False
    seed: int = 1
    bin_s: float = 1.0
    history_s: float = 5.0
    alarm_shift_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One method (by the word that named it) at one task, with a set of modalities, and a damage or None."""

    method: str
    task: str
    modalities: tuple[str, ...]
    damage: Damage | None = None


def trials_of(spec: str, method: Any, available: Sequence[str], options: Options) -> list[Trial]:
    """The trials of a method; EvaluationError when it reads something, and nothing of it is granted."""
    wanted = tuple(method.modalities)
    unknown = [name for name in options.modalities if name not in available]
    if unknown:
        msg = f"--modalities {unknown[0]}: no case has a table of that name; they have {', '.join(available)}"
        raise EvaluationError(msg)
    granted = tuple(name for name in available if name in wanted and name in (options.modalities or available))
    if wanted and not granted:
        given = ", ".join(options.modalities or available)
        msg = f"method {spec!r} reads {', '.join(wanted)}, and only {given} is granted"
        raise EvaluationError(msg)
    trials = []
    for task in tasks_of(method):
        mine = granted if task == "rank" else tuple(name for name in granted if name != "coverage")
        if wanted and not mine:
            continue
        trials.append(Trial(spec, task, mine))
        if options.subsets:
            sizes = range(len(mine) - 1, 0, -1)
            trials += [Trial(spec, task, some) for size in sizes for some in itertools.combinations(mine, size)]
        if options.robustness:
            damages = itertools.product(KINDS, mine, SEVERITIES)
            trials += [Trial(spec, task, mine, Damage(*damage)) for damage in damages]
    return trials


def case_seed(case: DatasetCase, seed: int) -> int:
    """The seed of a case's evidence: the same in every run of the same seed, whatever the order."""
    return zlib.crc32(f"{seed}:{blind_id(case.case_id)}".encode())


def about(case: DatasetCase) -> dict[str, Any]:
    """What rows of results say of a case."""
    label = case.label
    causes = sorted(label.causes, key=lambda cause: (cause.fault, cause.root_cause_service))
    return {
        "case_id": case.case_id,
        "system": label.system,
        "scenario": label.scenario,
        "level": label.level,
        "fault": label.fault,
        "faults": "+".join(cause.fault for cause in causes) or label.fault,
        "target": "+".join(cause.root_cause_service for cause in causes) or label.target,
        "verdict": str(label.verdict),
        "severity": str(getattr(label, "severity", None) or ""),
        "is_control": label.level == Level.NORMAL,
        "split": label.split or "",
    }


def truths(case: DatasetCase) -> tuple[list[str], list[tuple[str, str]]]:
    """The services that are root causes, and the functions, of which most faults have none."""
    causes = case.label.causes
    services = [cause.root_cause_service for cause in causes]
    places = [(cause.root_cause_code_file, cause.root_cause_code_function) for cause in causes]
    functions = [(str(file), str(function)) for file, function in places if file and function]
    return list(dict.fromkeys(services)), list(dict.fromkeys(functions))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What methods that rank are held to: services, what is known at finer LEVELS, and steps of the propagation.

    Steps are (cause, effect), from service to service; that users stand at the end says nothing of a method.
    """

    services: Sequence[str]
    levels: Mapping[str, Sequence[Any]]
    proven: Collection[tuple[str, str]]
    unknown: Collection[tuple[str, str]]


def truth_of(case: DatasetCase) -> Truth:
    """The truth of a case, of all its faults."""
    causes = case.label.causes
    services, functions = truths(case)
    instances = [name for cause in causes for name in cause.root_cause_instances]
    edges = [tuple(edge.split("->", 1)) for cause in causes for edge in cause.fault_edges]
    steps: dict[str, set[tuple[str, str]]] = {}
    for row in label_tables.read(label_tables.PROPAGATION, case.directory).to_pylist():
        if row["cause"] and row["service"] != USER and row["effect"] != "load":
            steps.setdefault(row["propagated"], set()).add((row["cause"], row["service"]))
    return Truth(
        services=services,
        levels={"code": functions, "instance": list(dict.fromkeys(instances)), "edge": list(dict.fromkeys(edges))},
        proven=steps.get(Known.YES, set()),
        unknown=steps.get(Known.UNKNOWN, set()),
    )


def bin_labels(case: DatasetCase, evidence: Evidence) -> np.ndarray:
    """The label of each bin: anomalous or normal if all of it is, else unscored.

    Normal are baseline and control window after the history, and the recovery from the moment at which the system was
    steady again (of a control, all of it). Onset, release and after-effects are unscored: they are neither.
    """
    starts = evidence.bins
    ends = starts + round(evidence.bin_s * 1e9)
    labels = np.full(len(starts), UNSCORED)
    steady_ns = case.label.steady_again_unix_nano
    for window in case.timeline.windows:
        begin, kind = window.start_ns, NORMAL
        if window.phase is Phase.ANOMALY:
            kind = ANOMALOUS
        elif window.phase is Phase.RECOVERY and case.label.level != Level.NORMAL:
            begin = max(begin, steady_ns) if steady_ns is not None else window.end_ns
        elif window.phase not in (*QUIET, Phase.RECOVERY):
            continue
        labels[(starts >= max(begin, evidence.normal_until_ns)) & (ends <= window.end_ns)] = kind
    return labels
