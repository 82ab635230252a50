"""Which requests the fault affected: by failure, content and the baseline's own bound; null where nothing tells."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from small_system import QUIET, Effect
from synthetic import make_case

from pytest_anomod.checks import request_labels
from pytest_anomod.checks.tables import Table


def labels(view):
    """The labels as a frame beside the responses' own columns."""
    columns = request_labels(view)
    masked = {name: values for name, values in columns.items() if isinstance(values, np.ma.MaskedArray)}
    columns |= {name: values.astype(object).filled(None) for name, values in masked.items()}
    return view.frames["api_responses"].assign(**{f"label_{name}": list(part) for name, part in columns.items()})


def test_what_failed_while_the_fault_was_in_is_affected():
    view = make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET)
    rows = labels(view)
    during = rows[rows["phase"] == "anomaly"]
    composed = during[during["journey"] == "compose"]
    assert composed["label_is_affected"].tolist() == [True] * len(composed)
    assert set(composed["label_outcome"]) == {"failed"}
    assert composed["label_reaches_root_cause"].all()
    others = during[during["journey"] == "read-home"]
    assert not others["label_reaches_root_cause"].any()
    assert not (others["label_is_affected"] == True).any()  # noqa: E712 - what is unknown is None
    before = rows[rows["phase"] == "baseline"]
    assert not (before["label_is_affected"] == True).any()  # noqa: E712


def test_what_is_slow_is_slower_than_its_own_endpoint_ever_was():
    view = make_case(11, effect=Effect(slower=12.0), target="posts", noise=QUIET)
    rows = labels(view)
    slow = rows[rows["label_outcome"] == "slow"]
    assert (slow["duration_ns"] / 1e6 > slow["label_bound_ms"]).all()
    through = rows[(rows["phase"] == "anomaly") & (rows["journey"] == "read-home")]
    assert (through["label_is_affected"] == True).mean() > 0.8  # noqa: E712
    healthy = rows[rows["phase"].isin(["baseline", "warmup"])]
    assert (healthy["label_outcome"] == "slow").mean() < 0.05
    bounds = rows.groupby("route")["label_bound_ms"].nunique()
    assert bounds.tolist() == [1] * len(bounds)


def test_another_content_is_seen_in_answers_of_status_200():
    view = make_case(7, effect=Effect(wrong=True), target="posts", noise=QUIET)
    rows = labels(view)
    during = rows[(rows["phase"] == "anomaly") & (rows["journey"] == "read-home")]
    assert set(during["label_outcome"]) == {"content"}
    assert not (rows[rows["phase"] == "baseline"]["label_outcome"] == "content").any()


def test_in_a_control_no_request_is_affected():
    rows = labels(make_case(3))
    assert rows["label_is_affected"].tolist() == [False] * len(rows)


@pytest.mark.parametrize(("keep", "bound"), [(2, "all"), (0, "")])
def test_an_endpoint_that_the_baseline_hardly_knows_says_so(keep, bound):
    """Its bound is that of all endpoints' answers; without any answer in the baseline there is none."""
    view = make_case(4, effect=Effect(slower=2.0), target="text", noise=QUIET)
    rows = view.frames["api_responses"]
    known = (rows["journey"] == "follow") & (rows["phase"] == "baseline")
    fewer = rows[~known | (known.cumsum() <= keep)].reset_index(drop=True)
    poor = dataclasses.replace(view, frames={**view.frames, "api_responses": fewer})
    found = labels(poor)
    found = found[(found["journey"] == "follow") & (found["phase"] == "anomaly")]
    assert set(found["label_bound_from"]) == {bound}
    assert (set(found["label_outcome"]) == {"unknown"}) == (bound == "")


def test_labels_are_in_the_order_of_the_responses():
    view = make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET)
    columns = request_labels(view)
    rows = Table(view.frames["api_responses"])
    assert columns["row"].tolist() == list(range(len(rows)))
    assert columns["trace_id"] == rows.text("trace_id")


def test_without_responses_there_are_no_labels():
    view = make_case(3)
    frames = {name: frame for name, frame in view.frames.items() if name != "api_responses"}
    assert request_labels(dataclasses.replace(view, frames=frames)) is None
