"""The Allure page of a case, drawn from its own files after the fact: steps bear the journal's times, not ours."""

from __future__ import annotations

import html
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.journal import Activity
from pytest_anomod.model.quiet import quietly
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import Outcome
from pytest_anomod.report import samples
from pytest_anomod.report.figures import draw_case

if TYPE_CHECKING:
    import pytest

    from pytest_anomod.case import CaseResult

BUDGET_BYTES = 1_500_000
"""All attachments of a case together; a report of hundreds of cases must still open at once."""

QUESTIONS = (
    ("mechanism", "Was it broken?"),
    ("symptom", "Did the target show it?"),
    ("impact", "Did it matter to users?"),
    ("healed", "Did it heal?"),
)
COLOURS = {Outcome.PROVEN: "#1a7f37", Outcome.ABSENT: "#9a6700", Outcome.BROKEN: "#cf222e"}

CATEGORIES = [
    {
        "name": f"Verdict {verdict}: {meaning}",
        "messageRegex": rf"(?s).*verdict:? {verdict}\b.*",
        "matchedStatuses": ["failed"],
    }
    for verdict, meaning in (
        ("ineffective", "the mechanism did not act on the target"),
        ("silent", "the mechanism acted, nothing moved"),
        ("tolerated", "the target suffered, users did not"),
        ("contaminated", "the baseline was not steady, or something leaked in"),
        ("broken", "a collector, check or rollback failed"),
        ("effective", "an effect where none was expected"),
    )
] + [{"name": "Could not be run", "matchedStatuses": ["broken"]}]


def attach_case(config: pytest.Config, result: CaseResult) -> None:
    """Fill the running test's Allure result: labels, description, steps, picture and evidence."""
    from allure_commons.model2 import Label

    listener: Any = config.pluginmanager.get_plugin("allure_listener")
    test = listener.allure_logger.get_test(None) if listener is not None else None
    if test is None:
        return
    scenario = result.scenario
    for name, value in (("epic", scenario.system), ("feature", str(scenario.level)), ("story", scenario.name)):
        test.labels.append(Label(name, value))
    test.name = _title(result)
    test.descriptionHtml = _description(result, test.description)
    _parameters(test, result)
    _steps(listener.allure_logger, result)
    _attachments(listener.allure_logger, result)


def write_run_files(directory: Path, properties: Mapping[str, str]) -> None:
    """Write categories.json and environment.properties beside the results."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "categories.json").write_text(json.dumps(CATEGORIES, indent=1), encoding="utf-8")
    lines = {"Python": platform.python_version(), "Platform": platform.platform(), **properties}
    text = "".join(f"{name.replace(' ', '_')}={value}\n" for name, value in lines.items())
    (directory / "environment.properties").write_text(text, encoding="utf-8")


def _title(result: CaseResult) -> str:
    scenario = result.scenario
    if scenario.is_control:
        return f"{scenario.name}: nothing is broken"
    return f"{scenario.name}: {scenario.fault.name} in {scenario.target}"


def _description(result: CaseResult, docstring: str | None) -> str:
    scenario, label = result.scenario, result.label
    where = f"<b>{html.escape(scenario.target)}</b> of {html.escape(scenario.system)}"
    if label.root_cause_code_file:
        where += (
            f", {html.escape(str(label.root_cause_code_function))} in {html.escape(label.root_cause_code_file)}, lines "
            f"{label.root_cause_code_first_line} to {label.root_cause_code_last_line}"
        )
    given = ", ".join(f"{key}={value!r}" for key, value in label.parameters.items() if value is not None)
    rows: list[tuple[str, str, str | None]] = [
        ("Verdict", f"<b>{result.verdict}</b> (expected {html.escape(scenario.expects)})", None)
    ]
    if not scenario.is_control:
        rows.append(("What was broken", html.escape(f"{scenario.fault.name}({given})"), None))
        rows.append(("Where", where, None))
        if label.target_rps is not None:
            rows.append(("Traffic there, before", f"{label.target_rps:.1f} requests a second", None))
    for question, title in QUESTIONS:
        found = [finding for finding in result.findings if finding.question == question]
        rows.extend((title, html.escape(finding.message), COLOURS[finding.outcome]) for finding in found)
    rows.extend(
        (finding.question, html.escape(finding.message), COLOURS[finding.outcome])
        for finding in result.findings
        if finding.question not in dict(QUESTIONS) and finding.outcome is not Outcome.PROVEN
    )
    # paragraphs, not a table: Allure does not wrap the cells of one
    body = "".join(
        f"<p><b>{title}</b><br><span style='color:{colour or 'inherit'}'>{text}</span></p>"
        for title, text, colour in rows
    )
    return (f"<p>{html.escape(docstring)}</p>" if docstring else "") + body


def _parameters(test: Any, result: CaseResult) -> None:
    from allure_commons.model2 import Parameter

    shown = {"verdict": str(result.verdict), "target": result.scenario.target, "case": result.view.case_id}
    # excluded, or a new verdict would begin a new history instead of being a change in the old one
    test.parameters.extend(Parameter(name=name, value=value, excluded=True) for name, value in shown.items())


def _steps(logger: Any, result: CaseResult) -> None:
    journal = result.view.journal
    for activity in (*journal.before, *journal.played):
        _step(logger, _step_name(activity, result), activity)


def _step_name(activity: Activity, result: CaseResult) -> str:
    scenario = result.scenario
    said = {
        "warm-up": "Warm up: the workload starts",
        "steady": "Steady state before anything is touched",
        "prepare": f"Prepare {scenario.target}",
        "baseline": "Baseline: watch the healthy system",
        "inject": f"Inject {scenario.fault.name} into {scenario.target}",
        "seen": "Seen by the independent probe",
        "hold": "Anomaly window" if not scenario.is_control else "Control window: nothing is done",
        "recover": f"Recover {scenario.target}",
        "gone": "Gone, by the same probe, and every service answers",
        "recovery": "Recovery: watch the system heal",
        "end-workload": "End the workload",
    }
    return said.get(activity.name, activity.name)


def _step(logger: Any, name: str, activity: Activity) -> None:
    from allure_commons.model2 import Parameter, Status, StatusDetails, TestStepResult
    from allure_commons.utils import uuid4

    output = activity.output if isinstance(activity.output, Mapping) else {}
    shown = [Parameter(name=key, value=_short(value)) for key, value in output.items() if value not in (None, [], {})]
    step = TestStepResult(name=name, start=activity.start_ns // 1_000_000, parameters=shown)
    key = uuid4()
    logger.start_step(None, key, step)
    logger.stop_step(
        key,
        stop=max(activity.end_ns, activity.start_ns) // 1_000_000,
        status=Status.PASSED if activity.succeeded else Status.FAILED,
        statusDetails=StatusDetails(message=activity.error) if activity.error else None,
    )


def _short(value: Any, limit: int = 300) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _attachments(logger: Any, result: CaseResult) -> None:
    from allure_commons.types import AttachmentType
    from allure_commons.utils import uuid4

    left = BUDGET_BYTES
    for name, body, kind in quietly(lambda: list(_bodies(result))):
        data = body if isinstance(body, bytes) else body.encode()
        if len(data) > left:
            said = f"{name} is {len(data)} bytes, more than this report may still hold; see {result.directory.name}"
            data, kind = said.encode(), "TEXT"
        left -= len(data)
        logger.attach_data(uuid4(), data, name=name, attachment_type=getattr(AttachmentType, kind))


def _bodies(result: CaseResult) -> Iterable[tuple[str, bytes | str, str]]:
    view = result.view
    title = f"{result.scenario.name}: {result.scenario.fault.name} on {result.scenario.target}, {result.verdict}"
    yield "The case at a glance", draw_case(view, title), "PNG"
    yield "Verdict with its numbers", result.explain(), "TEXT"
    yield "What moved most", samples.shifts(result), "CSV"
    yield "Label", samples.pretty(result.label), "JSON"
    yield "Evidence", samples.pretty({"findings": result.findings}), "JSON"
    yield "Coverage of the target: lines that changed", samples.coverage_changes(view), "TEXT"
    middle = Phase.CONTROL if result.scenario.is_control else Phase.ANOMALY
    yield "Logs: sample of the anomaly window", samples.logs(view, middle), "TEXT"
    yield "Traces: failed, slowest and typical", samples.traces(view, middle), "TEXT"
    yield "Experiment (Chaos Toolkit)", samples.pretty(result.experiment), "JSON"
    yield "Journal (Chaos Toolkit)", samples.pretty(result.raw_journal), "JSON"
