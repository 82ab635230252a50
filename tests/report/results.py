"""Whole results for the tests of the report: a synthetic case, judged by the real checks, with a label."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from synthetic import make_case

from pytest_anomod.case import CaseResult
from pytest_anomod.checks import judge, run_checks, spread_of
from pytest_anomod.model.label import Label
from pytest_anomod.model.verdict import Verdict


def make_result(view=None, **arguments) -> CaseResult:
    """The result of a view, or of the synthetic case with these arguments, as the checks judge it."""
    view = view or make_case(5, **arguments)
    findings = run_checks(view)
    verdict = judge(view, findings)
    return CaseResult(
        view=view, label=_label(view.scenario, verdict), findings=findings, verdict=verdict,
        directory=Path("dataset/case=case-1"), experiment={"title": "t"}, raw_journal={"run": []},
        spread=spread_of(view, findings),
    )  # fmt: skip


def _label(scenario, verdict: Verdict) -> Label:
    nothing = dict.fromkeys((field.name for field in dataclasses.fields(Label)), None) | {"attempt": 1}
    known = {
        "case_id": "case-1", "scenario": scenario.name, "system": scenario.system, "target": scenario.target,
        "fault": scenario.fault.name, "parameters": {"percent": 50, "means": None}, "root_cause_instances": (),
        "root_cause_service": scenario.target,
        "versions": {}, "target_rps": 12.34, "verdict": str(verdict), "expects": scenario.expects,
    }  # fmt: skip
    return Label(**{**nothing, **known})


def judged(result: CaseResult, verdict: Verdict, expects: str) -> CaseResult:
    """The same result with another verdict and expectation."""
    scenario = dataclasses.replace(result.scenario, expects=expects)
    return dataclasses.replace(result, verdict=verdict, view=dataclasses.replace(result.view, scenario=scenario))
