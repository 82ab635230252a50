"""Names services and functions that write lines they did not write before, or far more of some; also detects."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking
from pytest_anomod.evaluation.methods._lines import Miner, lines_of, masked, surplus
from pytest_anomod.model.errors import EvaluationError


class LogNovelty:
    """The highest surplus of a service's templates (see `_lines.surplus`); templates are found by a miner."""

    modalities = ("logs",)

    def __init__(self, name: str, miner: Miner, library: str = "") -> None:
        self.name = name
        self._miner = miner
        self._library = library

    @property
    def is_installed(self) -> bool:
        """Whether the library that it needs is here."""
        return not self._library or importlib.util.find_spec(self._library) is not None

    def rank(self, evidence: Evidence) -> Ranking:
        """The highest surplus by service, and by the function that wrote the lines where the log says it."""
        lines = lines_of(evidence, self._miner, self.name)
        scores = np.maximum(surplus(evidence, lines), 0.0)
        services: dict[str, float] = {}
        code: dict[tuple[str, str], float] = {}
        late = np.flatnonzero(lines.after)
        _, first = np.unique(lines.template[late], return_index=True)
        columns = zip(lines.frame["service_name"], lines.frame["attributes"], strict=True)
        named = list(columns)
        for row in late[first].tolist():
            service, value = str(named[row][0]), float(scores[lines.template[row]])
            if service in evidence.services:
                services[service] = max(services.get(service, 0.0), value)
                attributes = json.loads(named[row][1] or "{}")
                if function := attributes.get("code.function"):
                    place = (str(attributes.get("code.filepath", "")), str(function))
                    code[place] = max(code.get(place, 0.0), value)
        return Ranking(services=services, code=code)

    def score(self, evidence: Evidence) -> np.ndarray:
        """By bin: lines of templates that the history has none of, in the logarithm."""
        lines = lines_of(evidence, self._miner, self.name)
        fresh = lines.after & ~np.isin(lines.template, np.unique(lines.template[~lines.after]))
        times = lines.frame["time_unix_nano"].to_numpy()[fresh]
        edges = [*evidence.bins.tolist(), evidence.end_ns]
        return np.log1p(np.histogram(times, bins=edges)[0]) if len(evidence.bins) else np.empty(0)


def drained(lines: Iterable[str]) -> list[object]:
    """Templates by Drain3 (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017)."""
    try:
        from drain3 import TemplateMiner
        from drain3.template_miner_config import TemplateMinerConfig
    except ImportError as error:
        msg = f"needs Drain3, which is not installed ({error}); `pip install 'pytest-anomod[evaluation]'`"
        raise EvaluationError(msg) from error
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    miner = TemplateMiner(config=config)
    return [miner.add_log_message(" ".join(line.split()))["cluster_id"] for line in map(str, lines)]


OFFERS = (LogNovelty("log_novelty", masked), LogNovelty("log_novelty_drain3", drained, "drain3"))
