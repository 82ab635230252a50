"""Ids, times and JSON of foreign telemetry are read exactly, or not at all."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.sources import values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4BF92F3577B34DA6A3CE929D0E0E4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("a3ce929d0e0e4736", "0" * 16 + "a3ce929d0e0e4736"),
        ("1", "0" * 31 + "1"),
        ("0" * 32, ""),
        ("", ""),
        ("xyz", ""),
        ("1" * 33, ""),
        (None, ""),
        (17, ""),
        ("١٢", ""),
    ],
)
def test_trace_ids_have_32_lower_case_digits_or_are_none(value, expected):
    assert values.trace_id(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_700_000_000, 1_700_000_000_000_000_000),
        ("1700000000", 1_700_000_000_000_000_000),
        (1_700_000_000_123, 1_700_000_000_123_000_000),
        (1_700_000_000_123_456, 1_700_000_000_123_456_000),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("1700000000123.456789", 1_700_000_000_123_456_789),
        ("1.7e9", 1_700_000_000_000_000_000),
        ("1e999999999", None),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        (0, None),
        (250, None),
        ("99999999", None),
        (True, None),
        (None, None),
        (2**63, None),
        ([], None),
        ("9" * 5000, None),
    ],
)
def test_epochs_of_every_unit_become_whole_nanoseconds(value, expected):
    assert values.epoch_ns(value) == expected


def test_a_float_is_read_as_it_was_written():
    document = values.load_json(b'{"ts": 1700000000.123456789}', exact=True)
    assert values.epoch_ns(document["ts"]) == 1_700_000_000_123_456_789
    assert document["ts"] == 1700000000.123456789  # and still is a number
    assert json.dumps(document) == '{"ts": 1700000000.1234567}'
    assert values.epoch_ns(1700000000.123456789) is None  # a plain float has lost its digits


def test_64_bit_integers_come_as_text_too():
    assert values.integer("-9223372036854775808") == -(2**63)
    assert values.time_ns("18446744073709551615") is None
    assert [values.integer(value) for value in (1.0, "1.0", "", "0x1", True, None, "1" * 21)] == [None] * 7


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"\xff\xfe\xfd", b"[" * 200_000, b'{"a": "\x00\xff"}', b"nul", b"1" * 5_000, b'"\\x"', b"\xed\xa0\x80"],
)
def test_what_is_no_json_is_a_value_error(document):
    with pytest.raises(ValueError):
        values.load_json(document)


def test_json_is_read_into_what_utf8_and_json_can_hold():
    document = values.load_json(rb'{"a": "x\ud800y", "b": ["\uDFFF"], "c": "\ud83d\ude00", "n": NaN, "i": 1e999}')
    assert document == {"a": "x\ufffdy", "b": ["\ufffd"], "c": "\U0001f600", "n": "NaN", "i": "inf"}
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
