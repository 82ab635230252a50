"""Plays the cases of `anomod calibrate` in the place of pytest's tests, on one deployment that is kept."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.calibration import Play, Search, scale_of, severities
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.verdict import ANY
from pytest_anomod.run.calibrations import FILE, key_of
from pytest_anomod.run.command_line import declaration_of

if TYPE_CHECKING:
    from pytest_anomod.case import CaseResult
    from pytest_anomod.declare import Declaration


class Calibrating:
    """A plugin that plays the cases of a search in the place of pytest's tests; `edge` is what was found."""

    def __init__(self, scenario: str, *, plays: int, closeness: float, say: Callable[[str], None]) -> None:
        self.edge: dict[str, Json] | None = None
        self.trouble: AnomodError | None = None
        self.file = Path()
        self._wanted = scenario.partition("::")[2]
        self._plays, self._closeness, self._say = plays, closeness, say

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the one test that is meant."""
        known = {item: declared.name or item.name for item in items if (declared := declaration_of(item))}
        found = [item for item, name in known.items() if self._wanted in (name, item.name, item.nodeid)]
        if len(found) != 1:
            near = difflib.get_close_matches(self._wanted, known.values(), n=3, cutoff=0.4) or [*known.values()][:3]
            msg = (
                f"{self._wanted!r} names {len(found)} of {len(known)} scenarios; there are {', '.join(near) or 'none'}"
            )
            self.trouble = ScenarioError(msg)
        items[:] = found[:1] if len(found) == 1 else []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Play the cases; what is wrong with the scenario, or with a case, ends it."""
        if self.trouble is None and session.items:
            try:
                self._calibrate(session.items[0])
            except AnomodError as error:
                self.trouble = error
        return True

    def _calibrate(self, item: Any) -> None:
        declaration = declaration_of(item)
        assert declaration is not None
        if declaration.further:
            msg = f"{item.name} has several faults; calibrate each in a scenario of its own"
            raise ScenarioError(msg)
        skips = [mark.kwargs.get("reason", "") for mark in item.iter_markers("skip")]
        if skips:
            msg = f"{item.name} can't be played here: {skips[0]}"
            raise ScenarioError(msg)
        self.file = item.path.parent / FILE
        self.search = Search(scale_of(declaration.fault), plays=self._plays, closeness=self._closeness)
        result = None
        while (value := self.search.next()) is not None:
            try:
                turned = dataclasses.replace(declaration, fault=self.search.scale.fault(declaration.fault, value))
                turned.fault.check(turned.system, turned.target)
            except ScenarioError as error:
                self.search.refuse(value, str(error))
                continue
            play, result = self._play(item, turned, value)
            self.search.add(play)
        if result is not None:
            self.edge = self._made(declaration, result)

    def _play(self, item: Any, declaration: Declaration, value: float) -> tuple[Play, CaseResult]:
        """A case with the dial at a value; a contaminated one is played again by itself (Allowance.attempts)."""
        from pytest_anomod.run.cases import begin_case
        from pytest_anomod.run.deployments import Deployments

        deployments = Deployments.of(item.config)
        declaration = dataclasses.replace(declaration, severity=None, expects=ANY)
        seed = len(self.search.plays)  # plays of one value are to differ, too
        result = begin_case(deployments, declaration, item.originalname, repetition=seed).run()
        play = Play(value, str(result.verdict), _affected(result))
        share = "" if play.affected is None else f", {play.affected:.0%} of the requests affected"
        self._say(f"{self.search.scale.parameter}={value:g}: {play.verdict}{share}")
        return play, result

    def _made(self, declaration: Declaration, result: CaseResult) -> dict[str, Json]:
        """The edge as it is kept."""
        (tolerated, effective), why = self.search.interval, self.search.why_none
        steps: dict[int, float] = {}
        if tolerated is not None and effective is not None:
            try:
                steps = severities(self.search.scale, tolerated, effective)
            except ScenarioError as error:
                self._say(str(error))
        scenario, label = result.scenario, result.label
        return {
            **key_of(scenario.system, declaration.injections[0], self.search.scale.parameter),
            "parameter": self.search.scale.parameter,
            "tolerated": tolerated,
            "effective": effective,
            "why": why,
            "severities": {str(step): value for step, value in steps.items()},
            "plays": [dataclasses.asdict(play) for play in self.search.plays],
            "rate_rps": label.rate_rps,
            "runtime": label.runtime,
            "durations": dataclasses.asdict(scenario.durations),
            "made": label.versions.get("written", clock.ns_to_iso(clock.now_ns())),
            "version": label.versions.get("pytest-anomod", ""),
        }


def _affected(result: CaseResult) -> float | None:
    """The share of the requests that began in the anomaly window and were affected; None where it is not known."""
    from pytest_anomod.checks import request_labels
    from pytest_anomod.model.timeline import Phase

    window, labels = result.view.timeline.window(Phase.ANOMALY), request_labels(result.view)
    if window is None or labels is None:
        return None
    times, affected = labels["time_unix_nano"], labels["is_affected"]
    inside = (times >= window.start_ns) & (times < window.end_ns)
    known = affected[inside]
    return None if not known.count() else float(known.mean())
