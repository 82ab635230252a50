"""Names that come only while a fault is in, by no word that would tell; the ranking by footprints of functions."""

from __future__ import annotations

import made
import pandas as pd
import pytest

from pytest_anomod.audit.audit import audit
from pytest_anomod.audit.finding import Severity
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.audit.rules import l1_footprint

RULE = "L6-names-of-a-fault"
NEUTRAL = {"logs": "body", "traces": "span_name", "metrics": "metric_name", "api_responses": "route"}


def named(name, columns, about, **changes):
    """One row of a table, the first while the fault is in, has another name."""
    row = next(row for row, time_ns in enumerate(columns["time_unix_nano"]) if about.faulty(time_ns))
    columns[NEUTRAL[name]][row] = "a blue door 17 opens"
    columns["service_name"][row] = about.target
    for column, value in changes.items():
        columns[column][row] = value


def neutral(name, columns, about):
    """In every table, of a healthy system; and an instance that there is at no other time."""
    if name in NEUTRAL:
        named(name, columns, about, **({"status_code": 200} if name == "api_responses" else {}))
    if name == "traces":
        row = columns["span_name"].index("a blue door 17 opens")
        columns["service_instance_id"][row] = "blue-door"


def warned(name, columns, about):
    """In a warning, in a failed span, in a failed answer: what a failing system says."""
    if name in ("logs", "traces", "api_responses"):
        trouble = {"logs": ("severity_number", 13), "traces": ("status_code", "ERROR")}
        column, value = trouble.get(name, ("status_code", 500))
        named(name, columns, about, **{column: value})


def test_a_neutral_name_that_comes_only_while_a_fault_is_in_is_found(tmp_path):
    found = audit(made.dataset(tmp_path, neutral), only=[RULE]).findings
    said = " ".join(one.what for one in found)
    for where, name in (
        ("logs.body", "a blue door <*> opens"),
        ("traces.span_name", "a blue door 17 opens"),
        ("traces.service_instance_id", "blue-door"),
        ("metrics.metric_name", "a blue door 17 opens"),
        ("api_responses.route", "a blue door 17 opens"),
    ):
        assert f"{where} '{name}' comes in 6 of 6 cases of social_network cpu_contention" in said
    assert len(found) == 5
    assert {one.severity for one in found} == {Severity.LEAK}


def test_what_a_failing_system_says_is_counted_alone(tmp_path):
    audited = audit(made.dataset(tmp_path, warned), only=[RULE])
    assert audited.findings == ()
    assert audited.found[RULE][0].what.startswith("3 names of symptoms")


def test_what_another_service_says_is_no_mark(tmp_path):
    def elsewhere(name, columns, about):
        if name == "logs":
            named(name, columns, about, service_name="user-timeline-service")

    audited = audit(made.dataset(tmp_path, elsewhere), only=[RULE])
    assert audited.findings == ()
    assert audited.found[RULE][0].what.startswith("1 names of symptoms")


def test_a_name_of_few_cases_tells_nothing(tmp_path):
    def rare(name, columns, about):
        if about.target == made.STORE:
            neutral(name, columns, about)

    assert audit(made.dataset(tmp_path, rare), only=[RULE]).findings == ()


def case_with_coverage(number, footprints):
    """A case at service a of a to d, each with ten functions of two lines; so many of a's keep only the first."""
    rows = [
        (phase_ns, service, f"{service}.py", f"f{function}", line, True)
        for phase_ns in (5, 15)
        for service in "abcd"
        for function in range(10)
        for line in (1, 2)
        if not (phase_ns == 15 and service == "a" and function < footprints and line == 2)
    ]
    columns = ["time_unix_nano", "service_name", "file", "function", "line", "covered"]
    return AuditCase(
        case_id=f"case-{number}", system="s", scenario="x", target="a", is_control=False, modalities=("coverage",),
        read=lambda name: pd.DataFrame(rows, columns=columns) if name == "coverage" else None,
        windows={"baseline": (0, 10), "anomaly": (10, 20)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("footprints", "severity", "said"),
    [(4, Severity.LEAK, "first in 8 of 8 cases"), (0, Severity.NOTE, "first in 2 of 8 cases")],
)
def test_services_are_ranked_by_their_footprints(footprints, severity, said):
    cases = tuple(case_with_coverage(number, footprints) for number in range(8))
    (ranked,) = [
        one
        for one in l1_footprint.find(Material(path="", form="", cases=cases))
        if one.what.startswith("the number of functions with a footprint names the root cause")
    ]
    assert ranked.severity is severity
    assert said in ranked.what
    assert ranked.figures["chance"] == 0.25
