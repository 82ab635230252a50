"""What a collector gives becomes the same Arrow array whether as rows, as codes or as an array of numbers."""

from __future__ import annotations

import json
import math
import random
from array import array as numbers

import numpy as np
import pyarrow as pa
import pytest

from pytest_anomod.dataset.arrays import array
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.modality import Coded, Column

DISTINCT = {
    "string": ["a", "", "ü", "a", None],
    "json": [{"b": 1, "a": {"d": 2, "c": [1.5, None]}}, {}, {"a": 1}, {"a": True}, {"a": 1.0}, {"a": math.nan}, None],
    "int64": [1, -(2**62), 2**53 + 1, None],
    "float64": [0.5, math.inf, 1, None],
    "bool": [True, False, None],
}


def column(kind, *, nullable=True):
    return Column(name="x", type=kind, doc="x", nullable=nullable)


@pytest.mark.parametrize("kind", DISTINCT)
def test_coded_columns_are_those_of_their_rows(kind):
    chance = random.Random(kind)
    codes = numbers("i", [chance.randrange(len(DISTINCT[kind])) for _ in range(500)])
    coded = Coded(codes, DISTINCT[kind])
    rows = [DISTINCT[kind][code] for code in codes]
    assert array("m", column(kind), coded).equals(array("m", column(kind), rows))
    assert len(coded) == 500
    assert repr(list(coded)) == repr(rows) == repr([coded[place] for place in range(500)])
    assert repr(coded[3:7]) == repr(rows[3:7])


@pytest.mark.parametrize(("code", "kind"), [("q", "int64"), ("i", "int32"), ("d", "float64")])
def test_arrays_of_numbers_are_those_of_their_rows(code, kind):
    values = numbers(code, [3, -7, 2**31 - 1])
    assert array("m", column(kind, nullable=False), values).to_pylist() == list(values)
    assert array("m", column(kind, nullable=False), numbers(code)).type == array("m", column(kind), [None]).type


def test_numbers_of_another_type_than_the_columns_are_looked_at_one_by_one():
    assert array("m", column("float64"), numbers("q", [3])).to_pylist() == [3.0]
    with pytest.raises(DatasetError, match=r"column 'x', row 0: 1\.0 is a float, not int64"):
        array("m", column("int64"), numbers("d", [1.0]))


def test_coded_columns_may_be_empty():
    assert array("m", column("string"), Coded(numbers("i"), [])).equals(pa.array([], pa.string()))


def test_a_code_whose_value_does_not_fit_is_named_by_its_row():
    with pytest.raises(DatasetError, match="m: column 'x', row 2: 3 is a int, not string"):
        array("m", column("string"), Coded(numbers("i", [0, 0, 1]), ["a", 3]))
    with pytest.raises(DatasetError, match="m: column 'x', row 1: is null, and may not be"):
        array("m", column("string", nullable=False), Coded(numbers("i", [0, 1]), ["a", None]))
    unused = Coded(numbers("i", [0, 0]), ["a", None])
    assert array("m", column("string", nullable=False), unused).to_pylist() == ["a", "a"]


def test_objects_become_the_same_text_in_whatever_order_and_company():
    """As plain json.dumps with sorted keys would have it; what JSON has no words for is null."""
    values = [value for value in DISTINCT["json"] if value is not None] * 3 + [{"a": 1, "b": 1}, {"b": 1, "a": 1}]
    texts = array("m", column("json"), values).to_pylist()

    def reference(value):
        cleaned = {key: None if item != item else item for key, item in value.items()}
        return json.dumps(cleaned, sort_keys=True, separators=(",", ":"))

    assert texts == [reference(value) for value in values]
    others = [{"a": np.int64(0)}, {"a": np.float64(0)}, {"a": 0}, {"a": "0"}, {"a": False}]
    assert array("m", column("json"), others).to_pylist() == [
        '{"a":0}',
        '{"a":0.0}',
        '{"a":0}',
        '{"a":"0"}',
        '{"a":false}',
    ]
