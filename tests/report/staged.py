"""A pytest plugin that stages cases: `case.run()` gives what the file staged.pickle says, and runs nothing.

What a test is called decides: its result, or the exception that run raises. All else is the real code.
"""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod import plugin
from pytest_anomod.case import Case, CaseResult
from pytest_anomod.report.page import draw
from pytest_anomod.run import cases


@functools.cache
def _all() -> dict[str, CaseResult | Exception]:
    return dict(pickle.loads(Path("staged.pickle").read_bytes()))


class StagedCase(Case):
    """A case whose run is staged."""

    def __init__(self, name: str) -> None:
        self.staged = _all()[name]
        scenario = next(each.scenario for each in _all().values() if isinstance(each, CaseResult))
        nothing: Any = None
        super().__init__(
            scenario=scenario, system=nothing, runtime=nothing, injector=nothing, session=nothing, deploy=nothing,
            discard=nothing, hook=nothing,
        )  # fmt: skip

    def run(self) -> CaseResult:
        if isinstance(self.staged, Exception):
            raise self.staged
        self.result = self.staged
        self.drawn = draw(self.staged)
        return self.staged


@pytest.fixture(autouse=True)
def _staged(monkeypatch):
    monkeypatch.setattr(plugin, "_session", lambda config: None)
    monkeypatch.setattr(cases, "begin_case", lambda session, declaration, test, *, repetition: StagedCase(test))
