"""Spans that were made and did not arrive are counted where other spans show them, and only there."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from pytest_anomod.checks.lost import lost_spans

TO_PRICING = {"http.request.method": "GET", "server.address": "pricing", "server.port": 9000}
TO_OTHERS = {**TO_PRICING, "server.address": "example.org"}


def span(trace, service, kind, own, above, attributes=None):
    row = (trace, service, kind, own, above, json.dumps(attributes or {}))
    names = ("trace_id", "service_name", "span_kind", "span_id", "parent_span_id", "attributes")
    return {"time_unix_nano": 0, **dict(zip(names, row, strict=True))}


def order(trace, *, status=200, attributes=TO_PRICING):
    """A user's request, the spans of orders that serve it, and those of pricing, by what they are."""
    called = {**attributes, "http.response.status_code": status}
    return {
        "asked": {"time_unix_nano": 0, "service_name": "orders", "trace_id": trace, "span_id": f"{trace}u",
                  "status_code": status},
        "served": span(trace, "orders", "SERVER", f"{trace}1", f"{trace}u"),
        "called": span(trace, "orders", "CLIENT", f"{trace}2", f"{trace}1", called),
        "priced": span(trace, "pricing", "SERVER", f"{trace}3", f"{trace}2"),
        "stored": span(trace, "pricing", "CLIENT", f"{trace}4", f"{trace}3", {"db.system.name": "redis"}),
    }  # fmt: skip


def lost(*orders, without=(), end_s=1.0):
    """Of orders at the begin of a case, of which the last lacks some spans."""
    spans = [one for each in orders for what, one in each.items() if what != "asked"]
    spans = [one for one in spans if one not in [orders[-1][what] for what in without]]
    frames = {"traces": pd.DataFrame(spans), "api_responses": pd.DataFrame([each["asked"] for each in orders])}
    timeline = SimpleNamespace(end_ns=int(end_s * 1e9))
    return lost_spans(SimpleNamespace(frames=frames, timeline=timeline, kept={}))


@pytest.mark.parametrize(
    ("without", "count"),
    [
        ((), 0),
        (("stored",), 0),  # nothing tells of it
        (("priced",), 1),  # by the call to it and by what hangs below it: one span
        (("priced", "stored"), 1),
        (("served",), 1),
        (("called",), 1),
        (("served", "called", "priced", "stored"), 1),
    ],
)
def test_a_span_that_others_tell_of_is_lost(without, count):
    assert lost(order("a"), order("b"), without=without) == count


def test_what_failed_or_went_to_a_place_without_spans_is_not():
    gone = ("priced", "stored")
    assert lost(order("a"), order("b", status=503), without=gone) == 0
    assert lost(order("a"), order("b", attributes=TO_OTHERS), without=gone) == 0
    assert lost(order("a"), order("b", attributes={"http.status_code": 200}), without=gone) == 0


def test_what_was_just_asked_when_the_case_ended_may_be_answered_after_it():
    assert lost(order("a"), order("b"), without=("served", "called", "priced", "stored"), end_s=0.4) == 0


def test_a_system_without_spans_lost_none():
    assert lost_spans(SimpleNamespace(frames={}, kept={})) == 0
