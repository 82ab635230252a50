"""Prometheus's HTTP API, by documents written by hand: exact times, kinds, services by label."""

from __future__ import annotations

import math

import pytest
from sources.reading import records

from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.sources import prometheus_api
from pytest_anomod.sources.prometheus_api import PrometheusApi
from pytest_anomod.sources.read import METRIC_FIELDS, UNKNOWN_SERVICE

START = 1_700_000_000 * NS_PER_S
END = START + 60 * NS_PER_S


def matrix(*series):
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


def series(name, values, **labels):
    return {"metric": {"__name__": name, **labels}, "values": values}


def raw(text):
    """JSON as Prometheus writes it: times are numbers with as many digits as they need."""
    return ('{"status":"success","data":{"resultType":"matrix","result":[' + text + "]}}").encode()


@pytest.fixture
def prometheus(backend):
    backend.answers["/api/v1/metadata"] = {
        "status": "success",
        "data": {
            "calls": [{"type": "counter", "help": "", "unit": ""}],
            "latency_seconds": [{"type": "histogram", "help": "", "unit": ""}],
            "old_seconds": [{"type": "summary"}],
            "odd": "x",
        },
    }
    return backend


def read(backend, answer, *queries, path="/api/v1/query", **options):
    backend.answers[path] = answer
    return PrometheusApi(backend.url, queries or ('{namespace="shop"}',), **options).read(START, END)


def test_samples_become_rows_with_exact_times(prometheus):
    answer = raw(
        '{"metric":{"__name__":"calls_total","service":"catalog","pod":"catalog-7f","job":"j","api_token":"abc"},'
        '"values":[[1700000001.123,"5"],[1700000002,"6.5"],[1700000003.007,"NaN"],[1700000004.1,"+Inf"]]}'
    )
    reading = read(prometheus, answer)
    rows = records(reading, METRIC_FIELDS)
    assert [row["time_unix_nano"] - START for row in rows] == [
        1_123_000_000,
        2_000_000_000,
        3_007_000_000,
        4_100_000_000,
    ]
    assert rows[0] == {
        "time_unix_nano": START + 1_123_000_000,
        "service_name": "catalog",
        "service_instance_id": "catalog-7f",
        "metric_name": "calls_total",
        "unit": "1",
        "kind": "counter",
        "value": 5.0,
        "attributes": {"service": "catalog", "pod": "catalog-7f", "job": "j", "api_token": "[redacted]"},
    }
    assert math.isnan(rows[2]["value"])
    assert rows[3]["value"] == math.inf
    assert all(type(row["time_unix_nano"]) is int for row in rows)


def test_kinds_are_those_declared_else_by_the_name(prometheus):
    histogram = ["latency_seconds_bucket", "latency_seconds_sum"]
    names = ["calls", *histogram, "old_seconds", "old_seconds_count", "odd", "x_total"]
    reading = read(prometheus, matrix(*(series(name, [[1700000001, "1"]]) for name in names)))
    assert {row["metric_name"]: (row["kind"], row["unit"]) for row in records(reading, METRIC_FIELDS)} == {
        "calls": ("counter", "1"),
        "latency_seconds_bucket": ("histogram", "1"),
        "latency_seconds_sum": ("histogram", "s"),
        "old_seconds": ("gauge", "s"),
        "old_seconds_count": ("histogram", "1"),
        "odd": ("gauge", "1"),
        "x_total": ("counter", "1"),
    }


def test_without_metadata_the_names_tell(backend):
    reading = read(backend, matrix(series("x_total", [[1700000001, "1"]])))
    assert [row["kind"] for row in records(reading, METRIC_FIELDS)] == ["counter"]


def test_raw_samples_are_asked_for_by_a_range_that_holds_the_whole_stretch(prometheus):
    read(prometheus, matrix())
    [(_, query)] = [asked for asked in prometheus.asked if asked[0] == "/api/v1/query"]
    assert query == {"query": '{namespace="shop"}[60001ms]', "time": "1700000060.000000000"}


def test_any_query_is_evaluated_by_steps(prometheus):
    answer = matrix({"metric": {"job": "shop"}, "values": [[1700000000, "0.5"]]})
    reading = read(prometheus, answer, "rate(calls_total[1m])", path="/api/v1/query_range", step_s=0.5)
    [(_, query)] = [asked for asked in prometheus.asked if asked[0] == "/api/v1/query_range"]
    assert query["step"] == "500ms"
    assert (query["start"], query["end"]) == ("1700000000.000000000", "1700000059.999999999")
    [row] = records(reading, METRIC_FIELDS)
    assert (row["metric_name"], row["service_name"]) == ("rate(calls_total[1m])", "shop")


def test_long_stretches_are_asked_for_in_pieces(prometheus):
    prometheus.answers["/api/v1/query_range"] = matrix()
    PrometheusApi(prometheus.url, ["up"], step_s=0.001).read(START, END)
    asked = [query for path, query in prometheus.asked if path == "/api/v1/query_range"]
    assert len(asked) == 6
    for query in asked:
        assert (float(query["end"]) - float(query["start"])) / 0.001 < 11_000


def test_series_that_two_queries_select_are_taken_once_and_only_within_the_stretch(prometheus):
    answer = matrix(series("up", [[1699999999.999, "1"], [1700000000, "1"], [1700000059.999, "0"], [1700000060, "0"]]))
    reading = read(prometheus, answer, "up", '{__name__="up"}')
    assert [row["value"] for row in records(reading, METRIC_FIELDS)] == [1.0, 0.0]
    assert {row["service_name"] for row in records(reading, METRIC_FIELDS)} == {UNKNOWN_SERVICE}


def test_samples_that_can_t_be_read_are_counted(prometheus):
    broken = [[1700000001, "x"], ["soon", "1"], [1700000001], None, [1700000001, None], [1700000002, "1"]]
    odd = {"metric": None, "values": 5, "histograms": [[1700000001, {}]]}
    reading = read(prometheus, matrix(series("up", broken), odd, 7))
    assert len(reading.rows) == 1
    assert reading.dropped == {prometheus_api.NO_SAMPLE: 5, prometheus_api.NATIVE: 1}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "with no success but parse error"),
        ((422, {"status": "error", "error": "too many samples"}), "422.*too many samples"),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, "with no series; give a selector"),
        ([], "no success"),
    ],
)
def test_a_backend_that_fails_is_told(prometheus, answer, message):
    with pytest.raises(CaptureError, match=message):
        read(prometheus, answer)


def test_a_step_of_nothing_is_refused():
    with pytest.raises(CaptureError, match="step_s 0 of a Prometheus source"):
        PrometheusApi("http://127.0.0.1:9090", ["up"], step_s=0)
