"""What a file is, and the experiments in it: each document goes to the reader of its format."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from pytest_anomod.importers import chaos_mesh, chaosblade, litmus, toxiproxy
from pytest_anomod.importers.found import Aims, Experiment, Reading
from pytest_anomod.importers.lines import Document, Lined, documents
from pytest_anomod.model.errors import ScenarioError

FORMATS = {
    chaos_mesh.GROUP: ("Chaos Mesh", chaos_mesh.read),
    litmus.GROUP: ("Litmus", litmus.read),
    chaosblade.GROUP: ("ChaosBlade", chaosblade.read),
}
_VERSION = re.compile(r"^[\s-]*[\"']?apiVersion[\"']?\s*:\s*[\"']?([\w.-]+/)", re.MULTILINE)
_MOST_BYTES = 4_000_000


@dataclasses.dataclass(slots=True, kw_only=True)
class FoundFile:
    """A file, the formats that are in it (none for one that is not read here), its experiments, its neighbours."""

    path: Path
    text: str = ""
    formats: list[str] = dataclasses.field(default_factory=list)
    experiments: list[Experiment] = dataclasses.field(default_factory=list)


def read(path: Path, aims: Aims) -> FoundFile:
    """Everything in a file; ScenarioError when there is none, or it is no text."""
    found = FoundFile(path=path, text=_text(path))
    whole = (
        documents(found.text) if path.suffix in (".yaml", ".yml", ".json", "") or _VERSION.search(found.text) else []
    )
    for document in whole:
        name, experiments = _experiments(document, aims)
        if name:
            found.formats += [name] if name not in found.formats else []
            found.experiments += experiments
    if not found.formats:
        _read_commands(found, aims)
    _same_target(found.experiments, aims)
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            msg = f"{path} has {path.stat().st_size >> 20} MiB: that is no file of experiments"
            raise ScenarioError(msg)
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        msg = f"{path} can't be read: {what}; give a YAML or JSON file, or one with command lines"
        raise ScenarioError(msg) from None


def _experiments(document: Document, aims: Aims) -> tuple[str, list[Experiment]]:
    """The format of a document, and what is in it; "" for what is none of ours (a Deployment beside it, say)."""
    match = _VERSION.search(document.text)
    version = document.root.text("apiVersion") if document.root else (match[1] if match else "")
    name, reader = next((FORMATS[group] for group in FORMATS if version.startswith(group)), ("", None))
    if document.root is None:
        return name, [_unreadable(document, name)]
    if reader:
        return name, reader(document.root, aims)
    if version.startswith("argoproj.io/"):
        return _argo(document.root, aims)
    if not version and toxiproxy.is_toxiproxy(document.root):
        return "Toxiproxy", toxiproxy.read(document.root, aims)
    return "", []


def _unreadable(document: Document, name: str) -> Experiment:
    trouble = document.trouble
    assert trouble is not None
    experiment = Experiment(title=f"{name} document".strip(), name="", line=document.line)
    Reading(experiment, Aims()).refused(trouble.line, trouble.key, trouble.why)
    return experiment


def _argo(root: Lined, aims: Aims) -> tuple[str, list[Experiment]]:
    """An Argo Workflow of Litmus has its engines as texts in the artifacts of its templates."""
    found: list[Experiment] = []
    spec = root.get("spec", "workflowSpec") or root.get("spec")
    for template in spec.get("templates").elements():
        for artifact in template.get("inputs", "artifacts").elements():
            data = artifact.get("raw", "data")
            if not isinstance(data.value, str) or litmus.GROUP not in data.value or "ChaosEngine" not in data.value:
                continue
            for document in documents("\n" * data.line + data.value):
                found += _experiments(document, aims)[1]
    return ("Litmus", found) if found else ("", [])


def _read_commands(found: FoundFile, aims: Aims) -> None:
    for name, module in (("ChaosBlade", chaosblade), ("Toxiproxy", toxiproxy)):
        if experiments := module.read_commands(found.text, aims):
            found.formats.append(name)
            found.experiments += experiments


def _same_target(experiments: list[Experiment], aims: Aims) -> None:
    """Say where two faults of a file would be in one service at once: here each has a case of its own."""
    first: dict[str, Experiment] = {}
    for experiment in experiments:
        for target in dict.fromkeys(one.target for one in experiment.planned):
            before = first.setdefault(target, experiment)
            if before is not experiment and not experiment.in_turn:
                why = f"line {before.line} has it too: both at once there; here a case each, one after the other"
                Reading(experiment, aims).partly(experiment.line, f"target {target}", why)
