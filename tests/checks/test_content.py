"""What counts as an answer of a new shape."""

from __future__ import annotations

import pytest

from pytest_anomod.checks.content import novel, shape_of


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ('{"status": 1, "data": {"id": 7}}', '{"status": 0, "data": null}'),
        ('[{"text": "words"}]', "[]"),
        ('{"price": 12.5}', '{"price": 0}'),
        ('{"name": "a"}', '{"name": ""}'),
        ('{"msg": "Success"}', '{"msg": "No such order"}'),
        ('{"valid": true}', '{"valid": false}'),
        ("Success", "failure: connect() failed"),
        ("Success", ""),
        ('{"a": 1}', '{"a": 1'),
        ('{"data": {"code": 0}}', '{"data": {"code": 500}}'),
    ],
)
def test_poorer_or_foreign_answers_have_another_shape(usual, other):
    assert shape_of(usual) != shape_of(other)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"id": 17, "text": "a"}', '{"text": "other words", "id": 99}'),
        ("stored post 12345", "stored post 9"),
        ('[{"x": 1}]', '[{"x": 2}, {"x": 3}]'),
        # what state an order is in does not say how the question for it went
        ('{"data": [{"status": 0, "msg": "new"}]}', '{"data": [{"status": 6, "msg": "used"}]}'),
    ],
)
def test_values_order_and_counts_are_no_shape(one, two):
    assert shape_of(one) == shape_of(two)


def test_a_shape_seen_once_counts_as_new_in_the_baseline():
    """Good's estimate: of a family of rare shapes the next draw is new about as often as the last ones were single."""
    assert novel(["a", "a", "b"], ["a", "b", "c"]) == ([0, 0, 1], [0, 0, 1])
