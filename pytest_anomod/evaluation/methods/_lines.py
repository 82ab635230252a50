"""Templates of a case's log lines, and how much more often each comes after the alarm; made once a case."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.dataset.templates import mask
from pytest_anomod.evaluation.methods._spans import seconds

Miner = Callable[[Iterable[str]], Sequence[object]]
"""Gives each of many distinct lines something that is equal for lines of the same template."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """Log lines: time, service, number of its template (of that service), all in order of time."""

    frame: pd.DataFrame
    template: np.ndarray
    after: np.ndarray


def masked(lines: Iterable[str]) -> list[object]:
    """Our own miner's first step: lines are alike when their words are, those with digits, quotes and ids left out."""
    return [" ".join(mask(line)) for line in lines]


def lines_of(evidence: Evidence, miner: Miner = masked, name: str = "masked") -> Lines:
    """The lines of the evidence with the templates that a miner finds."""
    return evidence.kept("logs", f"lines {name}", lambda: _read(evidence, miner))


def _read(evidence: Evidence, miner: Miner) -> Lines:
    frame = evidence.logs.sort_values("time_unix_nano", kind="stable", ignore_index=True)
    codes, bodies = pd.factorize(frame["body"].astype(str))
    template = pd.factorize(pd.Series(list(miner(bodies)), dtype=object))[0][codes] if len(frame) else codes
    template = pd.factorize(frame["service_name"].astype(str) + " " + pd.Series(template).astype(str))[0]
    return Lines(frame=frame, template=template, after=frame["time_unix_nano"].to_numpy() >= evidence.normal_until_ns)


def surplus(evidence: Evidence, lines: Lines) -> np.ndarray:
    """By template: how far its count after the alarm lies above what its rate before foretells, in standard deviations.

    Counts are taken for Poisson's: the deviation is the root of what was expected, and of one line at least.
    """
    before_s, after_s = seconds(evidence)
    count = int(lines.template.max(initial=-1)) + 1
    before = np.bincount(lines.template[~lines.after], minlength=count)
    after = np.bincount(lines.template[lines.after], minlength=count)
    expected = before * after_s / before_s
    return (after - expected) / np.sqrt(np.maximum(expected, 1.0))
