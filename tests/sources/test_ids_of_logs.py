"""Lines of output get the ids of OTLP records of the same message, which are then no rows of their own."""

from __future__ import annotations

import pytest

from pytest_anomod.sources._rows import to_columns
from pytest_anomod.sources.joined_logs import joined
from pytest_anomod.sources.read import LOG_FIELDS

S = 1_000_000_000


def log(at_s, body, service="shop", trace="", span=""):
    return (int(at_s * S), service, None, 9, "INFO", body, trace, span, {}, None)


def table(*rows):
    return to_columns(rows, LOG_FIELDS, 0, 1000 * S)


def test_a_line_gets_the_ids_of_its_record():
    lines = table(log(10.5, "shop: sold 3"), log(10.6, "shop: sold 4"))
    records = table(log(10.49, "sold 4", trace="t4", span="s4"), log(10.4, "sold 3", trace="t3", span="s3"))
    found, rest, given = joined(lines, records)
    assert found["trace_id"] == ["t3", "t4"]
    assert found["span_id"] == ["s3", "s4"]
    assert rest["body"] == []
    assert given == 2


def test_equal_messages_have_one_line_each():
    lines = table(*(log(10 + 0.1 * number, "sold") for number in range(3)))
    records = table(*(log(10.01 + 0.1 * number, "sold", trace=f"t{number}") for number in range(3)))
    assert joined(lines, records)[0]["trace_id"] == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    "record",
    [
        log(10, "sold", service="other", trace="t"),
        log(13.1, "sold", trace="t"),
        log(10, "bought", trace="t"),
        log(10, " ", trace="t"),
    ],
    ids=["another service", "another time", "another message", "no message"],
)
def test_a_record_without_a_line_stays_a_row(record):
    found, rest, given = joined(table(log(10, "sold")), table(record))
    assert found["trace_id"] == [""]
    assert rest["body"] == [record[5]]
    assert given == 0


def test_ids_that_a_line_has_itself_stay():
    found, rest, given = joined(table(log(10, "sold", trace="own")), table(log(10, "sold", trace="t")))
    assert (found["trace_id"], rest["body"], given) == (["own"], [], 0)
