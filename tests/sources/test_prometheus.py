"""Prometheus text becomes samples with kind, unit and attributes, and the pages after the first the same ones."""

from __future__ import annotations

import math
import random
import re

import pytest

from pytest_anomod.sources.openmetrics import PageReader, SeriesTable

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
with_exemplar_bucket{le="1"} 8 # {trace_id="a}b"} 0.67 1795357500.1
 spaced  { a = "b" , }   -Inf
"""


class Reader:
    """A page reader whose samples are told in full."""

    def __init__(self):
        self.table = SeriesTable()
        self.reader = PageReader(self.table)

    def read(self, page):
        table = self.table
        series, values = self.reader.read(page if isinstance(page, bytes) else page.encode())
        return [
            (table.names[number], table.units[number], table.kinds[number], value, table.attributes[number])
            for number, value in zip(series, values, strict=True)
        ]


def test_a_page_is_read_with_kinds_units_and_attributes():
    found = Reader().read(PAGE)
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
    assert found[9] == ("with_exemplar_bucket", "1", "gauge", 8.0, {"le": "1"})
    assert found[10] == ("spaced", "1", "gauge", -math.inf, {"a": "b"})
    assert len(found) == 11


def test_lines_that_are_no_samples_are_told():
    reader = Reader()
    assert reader.read("one\n{} 3\nname{a=b} 1\nname x\n\n# a comment\n") == []
    assert reader.reader.unreadable == 4


@pytest.mark.parametrize(
    "change",
    [
        ("status=\"ok\"} 12.0", "status=\"ok\"} 13.5"),
        ("1795357500123", "1795357501123"),
        ('} 3 1795357500123', "} NaN"),
        ("0.67 1795357500.1", "0.7 1795357501.2"),
        ("1.795e+09", "1.796e+09"),
        ("redis_keyspace_hits_total 7\n", "redis_keyspace_hits_total 7\nredis_keyspace_hits_total{db=\"1\"} 9\n"),
        ("redis_keyspace_hits_total 7\n", ""),
        ("redis_keyspace_hits_total 7\n", "redis_keyspace_hits_total {db=\"1\"} 9\n"),
        ("redis_keyspace_hits_total 7\n", "redis_keyspace_hits_total\n"),
        ("# TYPE process_resident_memory_bytes gauge", "# TYPE process_resident_memory_bytes counter"),
        ("odd_gauge{} NaN\nwith_time{a=\"b\"} 3", "with_time{a=\"b\"} 3\nodd_gauge{} NaN"),
        ("\n", "\r\n"),
    ],
)  # fmt: skip
def test_a_page_is_read_as_if_it_were_the_first_whatever_came_before(change):
    changed = PAGE.replace(*change)
    assert changed != PAGE
    alone, after = Reader(), Reader()
    after.read(PAGE)
    for page in (changed, changed, PAGE):
        again = after.read(page)
        first = alone.read(b"") or Reader().read(page)
        assert repr(again) == repr(first)


def test_many_pages_one_after_the_other_are_each_read_as_if_alone():
    chance = random.Random(5)
    lines = [f'calls_total{{peer="p{n % 7}",status="s{n}"}} {n}' for n in range(40)]
    after = Reader()
    for _ in range(200):
        act = chance.random()
        place = chance.randrange(len(lines))
        if act < 0.8:
            lines[place] = re.sub(r" \S+$", f" {chance.choice(('NaN', '+Inf', repr(chance.random())))}", lines[place])
        elif act < 0.9:
            lines[place], lines[0] = lines[0], lines[place]
        else:
            lines[place] = f"other_{place}_seconds_total {chance.randrange(9)}"
        page = "\n".join(lines) + "\n"
        assert repr(after.read(page)) == repr(Reader().read(page))


def test_values_once_read_stay_as_they_were():
    reader = PageReader(SeriesTable())
    _, first = reader.read(b"a 1\n")
    reader.read(b"a 2\n")
    assert list(first) == [1.0]


def test_the_same_series_of_two_services_has_one_number():
    table = SeriesTable()
    one, other = PageReader(table).read(b'a{b="c"} 1\n'), PageReader(table).read(b'a{b="c"} 2\n')
    assert one[0] == other[0]
