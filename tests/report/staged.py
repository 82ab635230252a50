"""A pytest plugin that stages cases: `case.run()` gives what the file staged.pickle says, and runs nothing.

What a test is called decides: its result, or the exception that run raises. All else is the real code.
"""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.case import Case, CaseResult
from pytest_anomod.run import cases


@functools.cache
def _all() -> dict[str, CaseResult | Exception]:
    return dict(pickle.loads(Path("staged.pickle").read_bytes()))


class StagedCase(Case):
    """A case whose run is staged."""

    def __init__(self, name: str, config: pytest.Config) -> None:
        self.staged = _all()[name]
        result = self.staged if isinstance(self.staged, CaseResult) else next(iter(_all().values()))
        nothing: Any = None
        super().__init__(
            scenario=result.scenario, system=nothing, runtime=nothing, injector=nothing, session=nothing,
            deploy=nothing, discard=nothing, hook=nothing, draw=cases._drawing(config),
        )  # fmt: skip

    def run(self) -> CaseResult:
        if isinstance(self.staged, Exception):
            raise self.staged
        self.result = self.staged
        self.drawn = self._draw(self.staged) if self._draw else None
        return self.staged


@pytest.fixture(autouse=True)
def _staged(monkeypatch):
    monkeypatch.setattr("pytest_anomod.run.deployments.Deployments.of", lambda config: config)
    monkeypatch.setattr(cases, "begin_case", lambda config, declaration, test, **_: StagedCase(test, config))
