"""Finds the method that a user names: one of the catalog, a Python function, or a command that reads Parquet."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking, tasks_of
from pytest_anomod.host import commands
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import EvaluationError, ScenarioError
from pytest_anomod.model.modality import MODALITIES

COMMAND, SCORE = "command:", "score:"
TIMEOUT_S = 120.0
"""So long a command may take for one case."""


def find_method(spec: str) -> Any:
    """The method of a name, `module:function`, or `command:PROGRAM ARGUMENT...`; EvaluationError when there is none.

    `score:` before a function or a command says that it detects; otherwise it ranks. A function may say its
    modalities in an attribute `modalities`; all are granted otherwise. `module:object` may name a Method as well.
    """
    detects = spec.startswith(SCORE)
    bare = spec.removeprefix(SCORE)
    task = "score" if detects else "rank"
    if bare.startswith(COMMAND):
        return CommandMethod(spec, shlex.split(bare.removeprefix(COMMAND)), task)
    if ":" in bare:
        return as_method(_imported(bare), spec, task)
    try:
        return catalog.find("methods", spec)
    except ScenarioError as error:
        raise EvaluationError(str(error)) from error


def as_method(given: Any, name: str, task: str, modalities: Sequence[str] = MODALITIES) -> Any:
    """A Method as it is, a function as one; EvaluationError for what can neither rank nor score."""
    made = given() if isinstance(given, type) else given
    if tasks_of(made):
        return made
    if callable(made):
        return FunctionMethod(name, made, task, tuple(getattr(made, "modalities", modalities)))
    msg = f"method {name!r} is {made!r:.60}, which has neither rank nor score and is no function"
    raise EvaluationError(msg)


class FunctionMethod:
    """A function of evidence as a method."""

    def __init__(self, name: str, function: Callable[[Evidence], Any], task: str, modalities: tuple[str, ...]) -> None:
        self.name = name
        self.modalities = modalities
        setattr(self, task, function)


class CommandMethod:
    """A program that is run once a case with two more arguments: a directory to read, and a file to write.

    The directory holds evidence.json (task, case_id, system, services, entry, calls, times, bins) and one Parquet file
    a granted modality. The file must become JSON: {"services": {name: score} or [names, the worst first], "code":
    [[file, function, score], ...], "instances": {id: score}, "edges": [[caller, callee, score], ...], "path":
    [[cause, effect], ...]} to rank (all but services may be left out), {"scores": [one a bin]} to detect.
    """

    modalities = MODALITIES

    def __init__(self, name: str, argv: Sequence[str], task: str) -> None:
        self.name = name
        self._argv = list(argv)
        self._task = task
        setattr(self, task, self._rank if task == "rank" else self._score)

    def _rank(self, evidence: Evidence) -> Any:
        answer = self._asked(evidence)
        services = answer.get("services")
        if isinstance(services, list):
            services = {name: float(len(services) - place) for place, name in enumerate(services)}
        if not isinstance(services, dict):
            msg = f'wrote no "services" but {json.dumps(answer):.80}'
            raise EvaluationError(msg)
        return Ranking(
            services=services,
            code={(file, name): value for file, name, value in answer.get("code", ())},
            edges={(caller, callee): value for caller, callee, value in answer.get("edges", ())},
            instances=answer.get("instances", {}),
            path=[tuple(step) for step in answer.get("path", ())],
        )

    def _score(self, evidence: Evidence) -> Any:
        return self._asked(evidence).get("scores")

    def _asked(self, evidence: Evidence) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="anomod-evidence-") as folder:
            inside, answer = Path(folder, "evidence"), Path(folder, "answer.json")
            inside.mkdir()
            write_evidence(evidence, inside, self._task)
            try:
                ended = commands.run([*self._argv, str(inside), str(answer)], cwd=Path.cwd(), timeout_s=TIMEOUT_S)
            except OSError as error:
                msg = f"can't be started: {error}"
                raise EvaluationError(msg) from error
            if ended.code != 0:
                why = f"took over {TIMEOUT_S:g} s" if ended.code is None else f"ended with {ended.code}"
                msg = f"{why}: {ended.said or 'it said nothing'}"
                raise EvaluationError(msg)
            try:
                document = json.loads(answer.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                msg = f"wrote no JSON to its last argument ({error})"
                raise EvaluationError(msg) from error
        if not isinstance(document, dict):
            msg = f"wrote {document!r:.60}, which is no JSON object"
            raise EvaluationError(msg)
        return document


def write_evidence(evidence: Evidence, folder: Path, task: str) -> None:
    """Write evidence.json and a Parquet file for each granted modality."""
    system = evidence.system
    document = {
        "task": task,
        "case_id": evidence.case_id,
        "system": system.name,
        "services": list(system.services),
        "entry": system.entry,
        "calls": {name: list(called) for name, called in system.calls.items()},
        "kinds": dict(system.kinds),
        "start_unix_nano": evidence.start_ns,
        "end_unix_nano": evidence.end_ns,
        "alarm_unix_nano": evidence.alarm_ns,
        "normal_until_unix_nano": evidence.normal_until_ns,
        "bins_unix_nano": np.asarray(evidence.bins).tolist() if task == "score" else [],
        "bin_s": evidence.bin_s,
        "seed": evidence.seed,
        "granted": list(evidence.granted),
    }
    Path(folder, "evidence.json").write_text(json.dumps(document), encoding="utf-8")
    for name in evidence.granted:
        evidence.table(name).to_parquet(folder / f"{name}.parquet", index=False)


def _imported(path: str) -> Any:
    module_name, _, name = path.partition(":")
    here = os.getcwd()
    if here not in sys.path:  # as `python -m` does
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except ImportError as error:
        msg = f"method {path!r}: module {module_name!r} can't be imported ({error})"
        raise EvaluationError(msg) from error
    except AttributeError as error:
        msg = f"method {path!r}: {error}"
        raise EvaluationError(msg) from error
    return found
