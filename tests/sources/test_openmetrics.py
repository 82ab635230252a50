"""Pages of Prometheus and of OpenMetrics, broken ones too: the right samples or a count of lines."""

from __future__ import annotations

import math
import random
import re

import pytest

from pytest_anomod.sources.openmetrics import PageReader, SeriesTable, series_of

EXEMPLARS = r"""# TYPE shop_latency_seconds histogram
# HELP shop_latency_seconds How long orders take, with a hash # and a quote \" in the help.
shop_latency_seconds_bucket{le="0.1",route="a # b"} 3 # {trace_id="00000000000000000000000000000a01"} 0.04 1700000000.5
shop_latency_seconds_bucket{le="+Inf",route="a # b"} 5 # {trace_id="00000000000000000000000000000a02"} 0.31
shop_latency_seconds_count{route="a # b"} 5
shop_latency_seconds_sum{route="a # b"} 1.25
# TYPE shop_orders counter
shop_orders_total 7 # {}
# TYPE shop_load gauge
shop_load NaN
shop_load{cpu="0"} +Inf
# EOF
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
            (table.names[number], table.units[number], table.kinds[number], value, dict(table.attributes[number]))
            for number, value in zip(series, values, strict=True)
        ]

    @property
    def unreadable(self):
        return self.reader.unreadable


def test_exemplars_hashes_and_what_is_no_finite_number():
    reader = Reader()
    samples = reader.read(EXEMPLARS)
    route = {"route": "a # b"}
    assert samples[:5] == [
        ("shop_latency_seconds_bucket", "1", "histogram", 3.0, {"le": "0.1", **route}),
        ("shop_latency_seconds_bucket", "1", "histogram", 5.0, {"le": "+Inf", **route}),
        ("shop_latency_seconds_count", "1", "histogram", 5.0, route),
        ("shop_latency_seconds_sum", "s", "histogram", 1.25, route),
        ("shop_orders_total", "1", "counter", 7.0, {}),
    ]
    assert math.isnan(samples[5][3])
    assert samples[6] == ("shop_load", "1", "gauge", math.inf, {"cpu": "0"})
    assert len(samples) == 7
    assert reader.unreadable == 0


@pytest.mark.parametrize(
    ("page", "values", "unreadable"),
    [
        ("a 1\nb 2\n", [1.0, 2.0], 0),  # no EOF
        ("a 1\nb 2\n# EOF", [1.0, 2.0], 0),
        ("a 1\nb 23", [1.0], 1),  # cut off: it may have been 234
        ("a 1\n\n\nb 2\n", [1.0, 2.0], 0),
        ("a 1\r\nb 2\r\n", [1.0, 2.0], 0),
        ("a 1\0\nb 2\n", [2.0], 1),
        ('a{l="\0"} 1\n', [1.0], 0),
        ("\0\n", [], 1),
        ("a 1_000\n", [], 1),
        ("a one\n", [], 1),
        ("a\n", [], 1),
        ('a{l="x} 1\n', [], 1),
        ('a{l="x" m="y"} 1\n', [], 1),
        ("a{l=x} 1\n", [], 1),
        ('a{l="}#{"} 1 # {t="} 9"} 3\n', [1.0], 0),
        ("a 1 1700000000123\n", [1.0], 0),
        ("a 0x10\n", [], 1),
        ("{} 1\n", [], 1),
        ("", [], 0),
        ("# EOF\n", [], 0),
    ],
)
def test_a_broken_line_costs_that_line_alone(page, values, unreadable):
    reader = Reader()
    assert [sample[3] for sample in reader.read(page)] == values
    assert reader.unreadable == unreadable
    assert [sample[3] for sample in reader.read(page)] == values  # a page that was seen before
    assert reader.unreadable == unreadable


@pytest.mark.parametrize(
    ("line", "name", "labels"),
    [
        (b'{"my.metric"}', "my.metric", {}),
        (b'{"my.metric", job="a", "k.l"="x\\"y"} ', "my.metric", {"job": "a", "k.l": 'x"y'}),
        (b'up { job = "a\\\\b\\nc" , }', "up", {"job": "a\\b\nc"}),
        (b'up{job="\xff"}', "up", {"job": "\ufffd"}),
    ],
)
def test_names_in_quotes_and_escapes(line, name, labels):
    assert series_of(line) == (name, labels)


@pytest.mark.parametrize("line", [b'{job="a"}', b'{""}', b"1up", b'up{job="a"', b'up{="a"}', b"up}"])
def test_what_is_no_series(line):
    assert series_of(line) is None


def test_when_a_series_was_created_is_no_measurement_but_a_gauge_of_that_name_is():
    page = "# TYPE a counter\na_total 1\na_created 1.7e9\n# TYPE orders_created gauge\norders_created 5\n"
    assert [sample[0] for sample in Reader().read(page)] == ["a_total", "orders_created"]
    old = "# TYPE a_total counter\na_total 1\n# TYPE a_created gauge\na_created 1.7e9\n"
    assert [sample[0] for sample in Reader().read(old)] == ["a_total"]


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("gaugehistogram", "a_gcount 3", "histogram"),
        ("summary", 'a{quantile="0.5"} 3', "gauge"),
        ("summary", "a_sum 3", "histogram"),
        ("info", "a_info 1", "gauge"),
        ("stateset", 'a{a="on"} 1', "gauge"),
        ("unknown", "a_total 1", "counter"),
        ("untyped", "a 1", "gauge"),
    ],
)
def test_kinds_that_only_openmetrics_has(kind, line, expected):
    [(_, _, found, _, _)] = Reader().read(f"# TYPE a {kind}\n{line}\n")
    assert found == expected


def test_a_page_is_read_as_if_alone_whatever_came_before():
    """Seeded: lines change their value, come, go and break."""
    chance = random.Random(5)
    lines = [f'calls_total{{peer="p{n % 7}",status="s{n}"}} {n}' for n in range(40)]
    after = Reader()
    for _ in range(200):
        act, place = chance.random(), chance.randrange(len(lines))
        if act < 0.7:
            lines[place] = re.sub(
                r" \S+$", f" {chance.choice(('NaN', '+Inf', 'x', repr(chance.random())))}", lines[place]
            )
        elif act < 0.8:
            lines.insert(place, chance.choice(("# TYPE calls gauge", "broken", "other 1")))
        elif act < 0.9 and len(lines) > 3:
            del lines[place]
        page = "\n".join(lines) + chance.choice(("", "\n", "\n# EOF\n"))
        alone = Reader()
        assert repr(after.read(page)) == repr(alone.read(page))
        assert after.unreadable == alone.unreadable


def test_no_bytes_make_it_fall():
    """Seeded: bytes of a good page are turned, cut and doubled."""
    chance = random.Random(9)
    whole = EXEMPLARS.encode()
    reader = Reader()
    for _ in range(400):
        page = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            page[chance.randrange(len(page))] = chance.randrange(256)
        del page[chance.randrange(len(page)) :]
        alone = Reader()
        assert repr(reader.read(bytes(page))) == repr(alone.read(bytes(page)))
    assert reader.read(b'{"' + b"\\" * 50_000) == []
    assert reader.unreadable == 1
