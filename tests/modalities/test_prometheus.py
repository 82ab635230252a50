"""Prometheus text becomes samples with kind, unit and attributes."""

from __future__ import annotations

import math

from pytest_anomod.modalities._prometheus import samples

PAGE = r"""# HELP rpc_server_requests_total Calls answered.
# TYPE rpc_server_requests_total counter
rpc_server_requests_total{method="ComposeText",status="ok"} 12.0
# TYPE rpc_server_requests_created gauge
rpc_server_requests_created{method="ComposeText",status="ok"} 1.795e+09
# TYPE rpc_server_duration_seconds histogram
rpc_server_duration_seconds_bucket{le="0.005",method="a \"b\" \\ c\nd, e}"} 3.0
rpc_server_duration_seconds_bucket{le="+Inf",method="x"} 4
rpc_server_duration_seconds_count{method="x"} 4
rpc_server_duration_seconds_sum{method="x"} 0.25
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.5e+07
redis_keyspace_hits_total 7
odd_gauge{} NaN
with_time{a="b"} 3 1795357500123
"""


def test_a_page_is_read_with_kinds_units_and_attributes():
    found = list(samples(PAGE))
    assert found[:6] == [
        ("rpc_server_requests_total", "1", "counter", 12.0, {"method": "ComposeText", "status": "ok"}),
        ("rpc_server_duration_seconds_bucket", "1", "histogram", 3.0, {"le": "0.005", "method": 'a "b" \\ c\nd, e}'}),
        ("rpc_server_duration_seconds_bucket", "1", "histogram", 4.0, {"le": "+Inf", "method": "x"}),
        ("rpc_server_duration_seconds_count", "1", "histogram", 4.0, {"method": "x"}),
        ("rpc_server_duration_seconds_sum", "s", "histogram", 0.25, {"method": "x"}),
        ("process_resident_memory_bytes", "By", "gauge", 1.5e7, {}),
    ]
    assert found[6] == ("redis_keyspace_hits_total", "1", "counter", 7.0, {})
    assert math.isnan(found[7][3])
    assert found[8] == ("with_time", "1", "gauge", 3.0, {"a": "b"})
    assert len(found) == 9


def test_lines_that_are_no_samples_are_told():
    assert list(samples("one\n{} 3\nname{a=b} 1\nname x\n\n# a comment\n")) == [None, None, None, None]
