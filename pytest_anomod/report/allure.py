"""Hands a drawn case over to Allure, with the journal as steps that have the journal's times."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.chaos.imported.outcome import entries
from pytest_anomod.model import fast_json
from pytest_anomod.model import journal as names
from pytest_anomod.model.clock import iso_to_ns
from pytest_anomod.model.journal import Activity, activity_of
from pytest_anomod.report import page
from pytest_anomod.report.categories import categories

if TYPE_CHECKING:
    import pytest

    from pytest_anomod.case import CaseResult

JOURNAL = "What was done, and when"
EXPERIMENT = "What the experiment did, and when"
# of what Allure 3 shows above the description
HIDDEN_LABELS = ("thread", "framework", "language", "package")


def attach_case(config: pytest.Config, result: CaseResult, drawn: page.Drawn) -> None:
    """Fill the running test's Allure result: labels, description, steps, picture and evidence."""
    import html

    from allure_commons.model2 import Label

    listener: Any = config.pluginmanager.get_plugin("allure_listener")
    test = listener.allure_logger.get_test(None) if listener is not None else None
    if test is None:
        return
    scenario = result.scenario
    for name, value in (("epic", scenario.system), ("feature", str(scenario.level)), ("story", scenario.name)):
        test.labels.append(Label(name, value))
    test.name = page.title(result)
    said = f"<p>{html.escape(test.description)}</p>" if test.description else ""
    test.descriptionHtml = said + drawn.description
    _parameters(test, result)
    _steps(listener.allure_logger, result)
    _attachments(listener.allure_logger, drawn)


def attach_experiment(config: pytest.Config, result: Mapping[str, Any]) -> None:
    """Show what an experiment of a file did: its activities as steps with their own times, and its journal."""
    from allure_commons.model2 import Status, TestStepResult
    from allure_commons.types import AttachmentType
    from allure_commons.utils import uuid4

    listener: Any = config.pluginmanager.get_plugin("allure_listener")
    journal = result.get("journal")
    if listener is None or journal is None or listener.allure_logger.get_test(None) is None:
        return
    logger, key = listener.allure_logger, uuid4()
    found = [(when, activity_of(entry)) for when, entry in entries(journal, result.get("again")) if "start" in entry]
    logger.start_step(None, key, TestStepResult(name=EXPERIMENT, start=_ms(iso_to_ns(journal["start"]))))
    for when, activity in found:
        _step(logger, key, f"{when}: {activity.name}", activity)
    good = all(activity.succeeded for _, activity in found)
    end_ns = max([iso_to_ns(journal.get("end") or journal["start"]), *(activity.end_ns for _, activity in found)])
    logger.stop_step(key, stop=_ms(end_ns), status=Status.PASSED if good else Status.FAILED)
    text = fast_json.indented(journal)
    logger.attach_data(uuid4(), text, name="Journal of the experiment", attachment_type=AttachmentType.JSON)


def drop_unended(config: pytest.Config) -> None:
    """Drop the tear-down of a fixture that Allure has begun and can't end any more.

    allure-pytest shows each finalizer of a fixture as a tear-down, and writes the fixture when pytest says that it is
    over. Since pytest 9 says so in a finalizer, which is a lambda, that one is still running when it is written.
    """
    from allure_commons.model2 import TestAfterResult, TestResultContainer

    listener: Any = config.pluginmanager.get_plugin("allure_listener")
    if listener is None:
        return
    running = listener.allure_logger.get_last_item(TestAfterResult)
    fixture = listener.allure_logger.get_last_item(TestResultContainer)
    if running is not None and fixture is not None:
        fixture.afters = [after for after in fixture.afters if after is not running]


def write_run_files(directory: Path, properties: Mapping[str, str]) -> None:
    """Write beside the results: categories, for Allure 2 and as a configuration of Allure 3, and environment."""
    directory.mkdir(parents=True, exist_ok=True)
    _write_json(directory / "categories.json", categories())
    _write_json(directory / "allurerc.json", {"categories": {"rules": categories()}, "hideLabels": HIDDEN_LABELS})
    lines = {"Python": platform.python_version(), "Platform": platform.platform(), **properties}
    text = "".join(f"{name.replace(' ', '_')}={value}\n" for name, value in lines.items())
    (directory / "environment.properties").write_text(text, encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(fast_json.indented(value), encoding="utf-8")


def _parameters(test: Any, result: CaseResult) -> None:
    from allure_commons.model2 import Parameter

    targets = " + ".join(result.scenario.targets)
    shown = {"verdict": str(result.verdict), "target": targets, "case": result.view.case_id}
    # excluded, or a new verdict would begin a new history instead of being a change in the old one
    test.parameters.extend(Parameter(name=name, value=value, excluded=True) for name, value in shown.items())


def _steps(logger: Any, result: CaseResult) -> None:
    """The journal as one step with its activities in it, so that the picture stands right below it and not far down."""
    from allure_commons.model2 import Status, TestStepResult
    from allure_commons.utils import uuid4

    activities = (*result.view.journal.before, *result.view.journal.played)
    if not activities:
        return
    key = uuid4()
    logger.start_step(None, key, TestStepResult(name=JOURNAL, start=_ms(activities[0].start_ns)))
    for activity in activities:
        _step(logger, key, _step_name(activity, result), activity)
    good = all(activity.succeeded for activity in activities)
    end_ns = max(max(activity.start_ns, activity.end_ns) for activity in activities)
    logger.stop_step(key, stop=_ms(end_ns), status=Status.PASSED if good else Status.FAILED)


def _step_name(activity: Activity, result: CaseResult) -> str:
    scenario = result.scenario
    kind, number = names.unnumbered(activity.name)
    one = scenario.injections[number - 1]
    said = {
        "warm-up": "Warm up: the workload starts",
        "steady": "Steady state before anything is touched",
        "prepare": f"Prepare {one.target}",
        "history": "History: watch the healthy system before the baseline",
        "baseline": "Baseline: watch the healthy system",
        "inject": f"Inject {one.fault.name} into {one.target}",
        "seen": "Seen by the independent probe",
        "hold": "Anomaly window" if not scenario.is_control else "Control window: nothing is done",
        "recover": f"Recover {one.target}",
        "gone": "Gone, by the same probe, and every service answers",
        "between": "Recovery before the next fault",
        "again": f"See that {one.target} is recovered",
        "recovery": "Recovery: watch the system heal",
        "end-workload": "End the workload",
    }
    return said.get(kind, activity.name)


def _step(logger: Any, parent: str, name: str, activity: Activity) -> None:
    from allure_commons.model2 import Parameter, Status, StatusDetails, TestStepResult
    from allure_commons.utils import uuid4

    output = activity.output if isinstance(activity.output, Mapping) else {}
    shown = [Parameter(name=key, value=_short(value)) for key, value in output.items() if value not in (None, [], {})]
    step = TestStepResult(name=name, start=_ms(activity.start_ns), parameters=shown)
    key = uuid4()
    logger.start_step(parent, key, step)
    logger.stop_step(
        key,
        stop=_ms(max(activity.end_ns, activity.start_ns)),
        status=Status.PASSED if activity.succeeded else Status.FAILED,
        statusDetails=StatusDetails(message=activity.error) if activity.error else None,
    )


def _ms(time_unix_nano: int) -> int:
    return time_unix_nano // 1_000_000


def _short(value: Any, limit: int = 300) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _attachments(logger: Any, drawn: page.Drawn) -> None:
    from allure_commons.types import AttachmentType
    from allure_commons.utils import uuid4

    for each in drawn.attachments:
        kind = getattr(AttachmentType, each.kind)
        logger.attach_data(uuid4(), each.body, name=each.name, attachment_type=kind)
