"""Traces that begin with a health check are no part of what users caused."""

from __future__ import annotations

import pytest

from pytest_anomod.sources.health_spans import LEFT_OUT, without_health
from pytest_anomod.sources.read import Reading


def span(trace, number, parent="", *, kind="SERVER", service="shop", **attributes):
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return (number, service, None, trace, f"{number:016x}", parent, "GET", kind, "UNSET", 5, named)


def test_whole_traces_of_checks_are_left_out_and_counted():
    rows = [
        span("a", 1, url_path="/health"),
        span("a", 2, "1", kind="CLIENT", service="shop"),
        span("b", 3, http_target="/health?deep=1"),
        span("c", 4, "9", url_path="/health"),
        span("d", 5, url_path="/products/1"),
        span("e", 6, service="other", url_path="/health"),
        span("f", 7, http_url="http://shop:80/health"),
    ]
    found = without_health(Reading(rows=rows), [("shop", "/health")])
    assert [row[3] for row in found.rows] == ["c", "d", "e"], "c was asked for by a user: it has a parent"
    assert found.noted == {LEFT_OUT: 4}


@pytest.mark.parametrize("probes", [[], [("shop", "/ready")]])
def test_without_a_check_all_stays(probes):
    reading = Reading(rows=[span("a", 1, url_path="/health")])
    assert without_health(reading, probes) is reading
