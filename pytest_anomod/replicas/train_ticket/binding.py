"""From JSON to values as the original's object mapper does it: entities with typed fields and defaults.

Unknown fields are dropped, missing ones get their defaults, numbers given as text are taken for numbers and the other
way round; anything else that does not fit is WrongTypeError, which a client sees as 400.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

INT_MIN, INT_MAX = -(2**31), 2**31 - 1

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_INTEGER = re.compile(r"[+-]?\d{1,10}")


class WrongTypeError(ValueError):
    """A JSON value that cannot become what is wanted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of field: how it is read, its column type, what a missing one is, and for descriptions what is in it."""

    name: str
    read: Callable[[Any], Any]
    column: str
    blank: Any = None
    items: "Kind | Entity | None" = None
    values: tuple[str, ...] = ()


def read_text(value: Any) -> str | None:
    """Text; numbers and truth values become their text. NUL cannot be stored and is dropped."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value).replace("\0", "")
    raise WrongTypeError(f"{value!r:.60} is no text")


def read_int(value: Any) -> int:
    """A 32-bit number; text of one counts, null and empty text are 0, fractions are cut off."""
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        if _INTEGER.fullmatch(value.strip()) is None:
            raise WrongTypeError(f"{value!r:.60} is no whole number")
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not INT_MIN <= value <= INT_MAX:
        raise WrongTypeError(f"{value!r:.60} is no 32-bit number")
    return int(value)


def read_number(value: Any) -> float:
    """A double; text of one counts, null and empty text are 0."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongTypeError(f"{value!r:.60} is no number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise WrongTypeError(f"{value!r:.60} is no number") from None


def read_flag(value: Any) -> bool:
    """A truth value; its text and numbers count, null and empty text are false."""
    if value is None or value == "":
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise WrongTypeError(f"{value!r:.60} is no truth value")


def read_uuid(value: Any) -> str | None:
    """A UUID, given as text; an empty one is null."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value.lower()
    raise WrongTypeError(f"{value!r:.60} is no UUID")


def is_uuid(value: str | None) -> bool:
    """Whether a text is a UUID: handlers that parse one fail (500) when it is not."""
    return value is not None and _UUID.fullmatch(value) is not None


def parse_uuid(value: str | None) -> str:
    """A UUID from a text in a handler; ValueError (so 500) when it is none."""
    if value is None or _UUID.fullmatch(value) is None:
        raise ValueError(f"Invalid UUID string: {value}")
    return value.lower()


TEXT = Kind("text", read_text, "varchar(255)")
LONG_TEXT = Kind("text", read_text, "text")
TEXT36 = Kind("text", read_text, "varchar(36)")
UUID = Kind("uuid", read_uuid, "varchar(36)")
INT = Kind("int", read_int, "integer", 0)
NUMBER = Kind("number", read_number, "double precision", 0.0)
FLAG = Kind("flag", read_flag, "boolean", False)


def one_of(*names: str) -> Kind:
    """An enumeration, read and stored by name."""

    def read(value: Any) -> str | None:
        if value is None or value in names:
            return value
        raise WrongTypeError(f"{value!r:.60} is none of {names}")

    return Kind("enum", read, "varchar(255)", values=names)


def list_of(kind: "Kind | Entity") -> Kind:
    """An array of one kind, null included; stored as an array, or as jsonb when it is one of entities."""

    def read(value: Any) -> list[Any] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            raise WrongTypeError(f"{value!r:.60} is no array")
        return [kind.read(item) for item in value]

    column = "jsonb" if isinstance(kind, Entity) else f"{kind.column}[]"
    return Kind("list", read, column, items=kind)


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its JSON name; a default that can be called is made anew for each object."""

    name: str
    kind: "Kind | Entity"
    default: Any = ...
    column: str = ""

    def missing(self) -> Any:
        """The value of a field that was not given."""
        if self.default is ...:
            return self.kind.blank if isinstance(self.kind, Kind) else None
        return self.default() if callable(self.default) else self.default


class Entity:
    """A type of object; its values are plain dicts by JSON names, in the order of the fields.

    `adjust` changes a value that was read, as a setter of the original does.
    """

    def __init__(self, name: str, *fields: Field, adjust: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.name = name
        self.fields = fields
        self._adjust = adjust

    def read(self, value: Any) -> dict[str, Any] | None:
        """The object of a JSON value; null stays null."""
        if value is None:
            return None
        if not isinstance(value, dict):
            raise WrongTypeError(f"{value!r:.60} is no {self.name}")
        made = {}
        for each in self.fields:
            made[each.name] = each.kind.read(value[each.name]) if each.name in value else each.missing()
        if self._adjust is not None:
            self._adjust(made)
        return made

    def new(self, **values: Any) -> dict[str, Any]:
        """An object made in code: defaults where nothing is given."""
        return {each.name: values[each.name] if each.name in values else each.missing() for each in self.fields}

    def names(self) -> Iterable[str]:
        """The JSON names of the fields."""
        return [each.name for each in self.fields]
