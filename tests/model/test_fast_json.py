"""JSON that the fast parser does not take is read and written all the same."""

from __future__ import annotations

import json
import math

import pytest

from pytest_anomod.model import fast_json


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "é"]}, [], "text", 10**30, {"b": {"c": -(2**70)}}])
def test_what_is_written_is_read(value: object) -> None:
    assert json.loads(fast_json.dumps(value)) == value


def test_half_a_surrogate_pair_is_written_as_a_question_mark() -> None:
    assert fast_json.dumps({"header": "a\udc80b"}) == b'{"header":"a?b"}'


def test_what_is_no_number_to_json_is_read() -> None:
    assert math.isnan(fast_json.loads(b'{"ratio": NaN}')["ratio"])


@pytest.mark.parametrize("text", [b"", b"{", b'{"a": 1}}', b"\xff"])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        fast_json.loads(text)


def test_what_json_does_not_have_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        fast_json.dumps({"a": object()})
