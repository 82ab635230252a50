"""Puts facts of a case into its test's report: for JUnit XML, for Allure, for the HTML report and for the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.model.redact import redact_text
from pytest_anomod.run.outcomes import baseline_key, entry_of, scenario_key

if TYPE_CHECKING:
    from pytest_anomod.case import Case


def carry(item: pytest.Item, case: Case, report: pytest.TestReport) -> None:
    """Put the headline of a case into its test's report, and so into JUnit XML, and show the case where that is wanted.

    Values for our own use are in the report's `anomod`, in plain types: xdist sends it to the controller.
    """
    headline = {name: redact_text(text) for name, text in case.properties().items()}
    if baseline_key in item.config.stash:
        entry = entry_of(item)
        headline["anomod_baseline"] = entry.verdict if entry else ""
    report.user_properties.extend(headline.items())
    # JUnit XML takes them from the report of the teardown, made after this
    item.user_properties.extend(headline.items())
    result, option = case.result, item.config.option
    verdict = str(result.verdict) if result is not None else ""
    carried: dict[str, Any] = {"key": scenario_key(item), "verdict": verdict, "page": None}
    if result is not None and case.drawn is not None:
        if getattr(option, "allure_report_dir", None):
            from pytest_anomod.report.allure import attach_case

            attach_case(item.config, result, case.drawn)
        if option.anomod_report:
            from pytest_anomod.report.overview import keep_case

            carried["page"] = keep_case(report_directory(item.config), result, case.drawn)
    report.anomod = carried  # type: ignore[attr-defined]


def report_directory(config: pytest.Config) -> Path:
    """Where the HTML report goes; a relative path is taken from where pytest was called."""
    return Path(config.invocation_params.dir, config.option.anomod_report).absolute()
