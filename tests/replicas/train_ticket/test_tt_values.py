"""How values are read, written and stored: dates, numbers as Java writes them, JSON to entities, tables, passwords."""

from itertools import pairwise
from typing import Any

import pytest

from pytest_anomod.replicas.train_ticket import passwords
from pytest_anomod.replicas.train_ticket.binding import (
    FLAG,
    INT,
    NUMBER,
    TEXT,
    UUID,
    Entity,
    Field,
    Kind,
    WrongTypeError,
    list_of,
    one_of,
)
from pytest_anomod.replicas.train_ticket.calls import expand
from pytest_anomod.replicas.train_ticket.dates import iso_of, java_double, java_list, parse, text_of
from pytest_anomod.replicas.train_ticket.jpeg import grey_blocks
from pytest_anomod.replicas.train_ticket.tables import Table
from pytest_anomod.replicas.train_ticket.texts import java_split


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-10-01 07:05:52", "2022-10-01 07:05:52"),
        ("2013-05-04 7:05:52", "2013-05-04 07:05:52"),
        ("2022-10-01", "2022-10-01 00:00:00"),
        ("2022-13-01", "2023-01-01 00:00:00"),
        ("2022-10-01 25:00:00", "2022-10-02 01:00:00"),
        ("2022-10-01 07:05:52 and more", "2022-10-01 07:05:52"),
        ("Sun Nov 22 15:14:42 CST 2026", "1970-01-01 08:00:00"),
        ("", "1970-01-01 08:00:00"),
        ("99999-01-01 00:00:00", "1970-01-01 08:00:00"),
    ],
)
def test_dates_are_read_as_leniently_as_in_java(text: str, moment: str) -> None:
    """In UTC+8; what is no date is the epoch."""
    assert text_of(parse(text)) == moment


def test_a_missing_date_is_an_error_and_dates_go_out_in_utc() -> None:
    """Null raises there, too; a Java Date in JSON is ISO in UTC."""
    with pytest.raises(TypeError):
        parse(None)  # type: ignore[arg-type]
    assert iso_of(parse("no date")) == "1970-01-01T00:00:00.000+00:00"
    assert iso_of(parse("2022-10-01")) == "2022-09-30T16:00:00.000+00:00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (22.5, "22.5"),
        (50, "50.0"),
        (0.0, "0.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12_345_678.9, "1.23456789E7"),
        (-3e10, "-3.0E10"),
        (1e300, "1.0E300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_written_as_in_java(value: float, text: str) -> None:
    """Prices are such texts."""
    assert java_double(value) == text


def test_lists_are_written_and_texts_split_as_in_java() -> None:
    """Empty parts at the end are dropped."""
    assert java_list(["a", None]) == "[a, null]"
    assert [java_split(text) for text in ("a,b,,", "", ",", ",a")] == [["a", "b"], [""], [], ["", "a"]]


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (TEXT, 5, "5"),
        (TEXT, True, "true"),
        (TEXT, "a\0b", "ab"),
        (TEXT, None, None),
        (INT, "12", 12),
        (INT, 1.9, 1),
        (INT, None, 0),
        (NUMBER, "2.5", 2.5),
        (NUMBER, 3, 3.0),
        (FLAG, "TRUE", True),
        (FLAG, 0, False),
        (FLAG, None, False),
        (UUID, "", None),
        (UUID, "4D2A46C7-71CB-4CF1-B5BB-B68406D9DA6F", "4d2a46c7-71cb-4cf1-b5bb-b68406d9da6f"),
        (list_of(INT), ["1", 2], [1, 2]),
        (list_of(INT), None, None),
        (one_of("G", "D"), "G", "G"),
    ],
)
def test_what_a_field_takes(kind: Kind, value: Any, read: Any) -> None:
    """Scalars are converted where the original's object mapper converts them."""
    assert kind.read(value) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TEXT, {}),
        (TEXT, []),
        (INT, "x"),
        (INT, True),
        (INT, 2**31),
        (INT, [1]),
        (NUMBER, "x"),
        (NUMBER, {}),
        (FLAG, "yes"),
        (FLAG, 1.5),
        (UUID, "x"),
        (UUID, 5),
        (list_of(INT), 1),
        (one_of("G", "D"), "X"),
        (Entity("E"), []),
    ],
)
def test_what_a_field_refuses(kind: Kind, value: Any) -> None:
    """These are 400 for a client."""
    with pytest.raises(WrongTypeError):
        kind.read(value)


THING = Entity("Thing", Field("id", TEXT), Field("someName", TEXT, "n"), Field("parts", list_of(Entity("P"))))


def test_an_entity_has_its_fields_in_order_and_defaults_for_missing_ones_only() -> None:
    """Null that is given stays null; unknown fields are dropped."""
    assert THING.read({"more": 1, "id": 7}) == {"id": "7", "someName": "n", "parts": None}
    assert THING.read({"someName": None})["someName"] is None
    assert list(THING.read({"parts": [], "id": None})) == ["id", "someName", "parts"]


def test_a_table_is_made_from_its_entity() -> None:
    """Columns in snake case, entities as jsonb, null matched as null."""
    table = Table(name="things", entity=THING, unique=(("someName",),))
    assert '"some_name" varchar(255)' in table.ddl
    assert '"parts" jsonb' in table.ddl
    assert 'UNIQUE ("some_name")' in table.ddl
    assert table.condition({"id": None, "someName": "x"}) == ('"id" IS NULL AND "some_name" = $1', "x")
    assert table.values({"id": "1", "someName": "x", "parts": [{}]}) == ["1", "x", "[{}]"]
    assert table.row({"id": "1", "someName": "x", "parts": "[{}]"})["parts"] == [{}]


def test_paths_are_filled_in_as_uri_variables() -> None:
    """Each is one segment, whatever is in it."""
    assert expand("/a/{x}/{y}/{z}", ("b c/d", True, None)) == "/a/b%20c%2Fd/true/null"


def test_passwords_are_salted_and_checked() -> None:
    """The same password is never stored twice in the same way."""
    stored = passwords.encode("111111")
    assert stored != passwords.encode("111111")
    assert passwords.matches("111111", stored)
    assert not passwords.matches("111112", stored)
    assert not passwords.matches("111111", "111111")


def test_the_picture_is_a_whole_jpeg_of_its_size() -> None:
    """Start, size and end are where a reader expects them, and no stray marker is inside."""
    picture = grey_blocks(60, 20, list(range(0, 240, 10)))
    assert picture[:2] == b"\xff\xd8"
    assert picture[-2:] == b"\xff\xd9"
    frame = picture.index(b"\xff\xc0")
    assert picture[frame + 5 : frame + 9] == bytes((0, 20, 0, 60))
    scan = picture[picture.index(b"\xff\xda") + 10 : -2]
    assert all(following == 0 for byte, following in pairwise(scan) if byte == 255)
