"""What an audit of AnoMod's published form finds: each defect of the real one, on small inputs of its layout."""

from __future__ import annotations

import published
import pytest

from pytest_anomod.audit.audit import audit

ALL = {"Perf_Network_Loss", "DB_Redis_CacheLimit_HomeTimeline", "Svc_Kill_Media", "Code_Stop_UserService"}
UNFELT = ALL - {"Code_Stop_UserService"}
NORMAL = {"Normal_Baseline"}
TT = set(published.TT_CASES)

DEFECTS = {
    "answers are the same in every case": (
        "no-effect", "the distribution of status codes is the same as in the control in 4 of 4", ALL),
    "their figures are one file": (
        "duplicates", "api_responses/status_code_distribution.csv is the same in 5 of 5 cases", ALL | NORMAL),
    "answers were captured after the workload": (
        "out-of-time", "api_responses of 5 of 5 cases were recorded after the workload was over", ALL | NORMAL),
    "no end of the fault is told": (
        "no-label", "4 of 4 cases with a fault don't say when the fault was in, nor when it ended", ALL),
    "no baseline, no recovery": (
        "no-label", "4 of 4 cases with a fault have no baseline and no recovery of their own", ALL),
    "the Redis limit does nothing": (
        "no-effect", "DB_Redis_CacheLimit_HomeTimeline had no effect: logs, api_responses, coverage are as in",
        {"DB_Redis_CacheLimit_HomeTimeline"}),
    "the network loss does nothing": (
        "no-effect", "Perf_Network_Loss had no effect: logs, api_responses, coverage are as in", {"Perf_Network_Loss"}),
    "executed lines equal the baseline's": (
        "no-effect", "the set of executed lines is the same as in the control in 3 of 4", UNFELT),
    "few faults make a request fail": ("no-effect", "only 1 of 4 faults make a request fail", UNFELT),
    "a log of one size in all runs": (
        "duplicates", "ts-preserve-service_*.log has the same size, 132,674, in 4 of 4 cases", TT),
    "one coverage summary in all cases": ("duplicates", "coverage_report/summary.csv is the same in 4 of 4 cases", TT),
    "traces are capped": ("thin", "50 traces a service in 5 of 5 cases: the collector stops there", ALL | NORMAL),
    "metrics lack the useful ones": (
        "thin", "none of 2 metrics tells of request rates, request lengths, errors, stores", ALL | NORMAL),
    "logs are not windowed": ("out-of-time", "logs of 5 of 5 cases are mostly from before the case", ALL | NORMAL),
    "there is no label file": ("no-label", "4 of 4 cases with a fault have no label file", ALL),
    "metric times are naive": ("out-of-time", "metrics of 5 of 5 cases have times without a time zone", ALL | NORMAL),
    "levels are mislabelled": (
        "no-label", "1 of 4 cases with a fault are called code level, and stop a whole service",
        {"Code_Stop_UserService"}),
}  # fmt: skip
"""By row of the table of defects: rule, part of its sentence, cases."""


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """What is found on both systems."""
    audited = audit(published.write(tmp_path_factory.mktemp("anomod")))
    assert (audited.form, audited.cases, audited.controls) == ("AnoMod", 9, 2)
    return audited.findings


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_of_the_published_data_is_found(findings, defect):
    rule, said, cases = DEFECTS[defect]
    found = [finding for finding in findings if finding.rule == rule and said in finding.what]
    assert len(found) == 1, [finding.what for finding in findings if finding.rule == rule]
    assert set(found[0].cases) == cases
    assert found[0].todo


def test_a_fault_that_works_is_no_finding(findings):
    """The stopped service changes logs and coverage, and makes requests fail."""
    about = [one.what for one in findings if one.rule == "no-effect" and set(one.cases) == {"Code_Stop_UserService"}]
    assert about == []


def test_one_system_alone_is_read_too(tmp_path):
    published.write(tmp_path)
    assert audit(tmp_path / "SN_data", only=["no-label"]).cases == 5
