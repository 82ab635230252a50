"""Counting log templates: lines of one statement are one template, lines of two are two."""

import pytest

from pytest_anomod.dataset.templates import TemplateMiner, mask


def mined(*lines):
    miner = TemplateMiner()
    miner.add_all(lines)
    return miner.templates


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("user 42 logged in", "user <*> logged in"),
        ("post 5f0c9a7b3d21 stored", "post <*> stored"),
        ('cannot parse "a b c"', "cannot parse <*>"),
        ("connect to 10.0.0.7:6379 failed", "connect to <*> failed"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <*>"),
        ("took 3.2ms", "took <*>"),
    ],
)
def test_what_varies_is_masked(line, masked):
    assert " ".join(mask(line)) == masked


def test_lines_that_differ_in_numbers_are_one_template():
    assert mined("Stored post 17 of user_3", "Stored post 99 of user_4") == {"Stored post <*> of <*>": 2}


def test_lines_that_differ_in_one_word_are_merged():
    assert mined("user alice logged in", "user bob logged in") == {"user <*> logged in": 2}


def test_different_statements_stay_apart():
    assert len(mined("Failed to connect to redis", "Timeline read in full now", "Failed to connect")) == 3


def test_counts_add_up_and_the_most_frequent_comes_first():
    miner = TemplateMiner()
    miner.add("a quiet line")
    miner.add("request 1 done", times=5)
    miner.add("request 2 done", times=2)
    assert list(miner.templates.items()) == [("request <*> done", 7), ("a quiet line", 1)]


def test_the_order_of_lines_does_not_change_the_number_of_templates():
    lines = [
        f"{verb} post {number} of user {name}" for verb in ("Read", "Stored") for number in (1, 2) for name in "abc"
    ]
    assert len(mined(*lines)) == len(mined(*reversed(lines))) == 2


def test_an_empty_line_is_a_template_too():
    assert mined("", "") == {"": 2}
