"""A fault that gives users 404s: gate, checks and report all say that requests failed."""

from __future__ import annotations

import dataclasses

import pytest
from small_system import QUIET, Effect
from synthetic import make_case

from pytest_anomod.checks.impact import check_impact
from pytest_anomod.checks.steady import check_steady
from pytest_anomod.checks.symptom import check_symptom
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import Outcome
from pytest_anomod.report import figures, samples


def answering(phase, share, status, **arguments):
    """A case in which every so many of a phase's requests get a status."""
    view = make_case(31, noise=QUIET, **arguments)
    rows = view.frames["api_responses"]
    chosen = (rows["phase"] == phase) & (rows.index % round(1 / share) == 0)
    rows = rows.assign(status_code=rows["status_code"].mask(chosen, status))
    return dataclasses.replace(view, frames={**view.frames, "api_responses": rows}), int(chosen.sum())


@pytest.mark.parametrize("status", [404, 500])
def test_users_who_get_an_error_are_hit(status):
    view, count = answering("anomaly", 0.2, status, effect=Effect())
    found = check_impact(view)
    assert found.outcome is Outcome.PROVEN
    assert "all requests errors 0.0% of" in found.message
    assert int(figures.failures(view).sum()) == count
    assert f"--- failed: follow {status}" in samples.traces(view, Phase.ANOMALY)


@pytest.mark.parametrize(("status", "outcome"), [("200", Outcome.ABSENT), ("404", Outcome.PROVEN)])
def test_a_gateway_whose_spans_say_that_it_refuses_shows_it(status, outcome):
    """By the rules of OpenTelemetry such a SERVER span is no error."""
    view = make_case(31, noise=QUIET, effect=Effect(), target="gateway")
    rows = view.frames["traces"]
    its = (rows["phase"] == "anomaly") & (rows["service_name"] == "gateway") & (rows["span_kind"] == "SERVER")
    attributes = rows["attributes"].mask(its, f'{{"http.response.status_code": {status}}}')
    frames = {**view.frames, "traces": rows.assign(attributes=attributes)}
    assert check_symptom(dataclasses.replace(view, frames=frames)).outcome is outcome


@pytest.mark.parametrize("status", [404, 500])
def test_a_baseline_in_which_users_get_errors_is_not_steady(status):
    view, count = answering("baseline", 0.1, status)
    found = check_steady(view)
    assert found.outcome is Outcome.ABSENT
    assert f"{count} of" in found.message
    assert found.evidence["client_errors"] == (count if status == 404 else 0)


def test_a_baseline_may_refuse_now_and_then():
    """A seat that is gone is no fault of the system; a server error as often is."""
    assert check_steady(answering("baseline", 0.01, 404)[0]).outcome is Outcome.PROVEN
    assert check_steady(answering("baseline", 0.01, 500)[0]).outcome is Outcome.ABSENT
