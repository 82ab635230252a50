"""Lines of output get the ids of records that came over OTLP: by what both say, or by what a printed line held."""

from pytest_anomod.sources.joined_logs import joined
from pytest_anomod.sources.read import LOG_FIELDS

SECOND = 1_000_000_000


def table(*rows):
    """Rows (time in s, service, body, trace id, attributes) as columns."""
    full = [
        {
            **dict.fromkeys(LOG_FIELDS, ""),
            "time_unix_nano": int(time * SECOND),
            "service_name": service,
            "body": body,
            "trace_id": trace,
            "attributes": attributes,
        }
        for time, service, body, trace, attributes in rows
    ]
    return {name: [row[name] for row in full] for name in LOG_FIELDS}


def test_a_message_finds_the_nearest_line_of_its_service():
    lines = table(
        (1, "a", "x: order placed", "", {}), (2, "a", "x: order placed", "", {}), (2, "b", "x: order placed", "", {})
    )
    found, rest, given = joined(lines, table((2.1, "a", "order placed", "t1", {}), (9, "a", "order placed", "t2", {})))
    assert found["trace_id"] == ["", "t1", ""]
    assert (rest["trace_id"], given) == (["t2"], 1)


def test_a_printed_line_finds_the_entry_that_was_read_from_it():
    lines = table((1, "a", "order placed", "", {"order": 8}), (1, "a", "order placed", "", {"order": 9}))
    printed = '{"message":"order placed","order":9}'
    found, rest, given = joined(lines, table((1, "a", printed, "t9", {})))
    assert found["trace_id"] == ["", "t9"]
    assert (rest["trace_id"], given) == ([], 1)
