"""How an entity is kept in a table: columns, key, what is unique, and the SQL made from that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .binding import Entity, Field


def snake(name: str) -> str:
    """A JSON name as a column name: travelDate becomes travel_date."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of one entity.

    `key` is the JSON name of the primary key; with `fresh_key` it is a new UUID for every new row, whatever is given.
    `unique` and `indexes` are tuples of JSON names. Rows come in the order of insertion unless `order` names a column.
    """

    name: str
    entity: Entity
    key: str = "id"
    fresh_key: bool = True
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    order: str = "row_number"
    columns: Mapping[str, str] = field(init=False)
    select: str = field(init=False)
    insert: str = field(init=False)
    update: str = field(init=False)
    exists: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the statements once."""
        columns = {each.name: f'"{each.column or snake(each.name)}"' for each in self.entity.fields}
        marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        sets = ", ".join(f"{column} = ${number}" for number, column in enumerate(columns.values(), 1))
        key = list(columns).index(self.key) + 1
        selected = ", ".join(f'{column} AS "{name}"' for name, column in columns.items())
        for name, value in {
            "columns": columns,
            "select": f"SELECT {selected} FROM {self.name}",
            "insert": f"INSERT INTO {self.name} ({', '.join(columns.values())}) VALUES ({marks})",
            "update": f"UPDATE {self.name} SET {sets} WHERE {columns[self.key]} = ${key}",
            "exists": f"SELECT true FROM {self.name} WHERE {columns[self.key]} = $1",
        }.items():
            object.__setattr__(self, name, value)

    @property
    def ddl(self) -> str:
        """The statements that create the table and its indexes."""
        columns = [f"{self.columns[each.name]} {_sql_type(each)}" for each in self.entity.fields]
        uniques = [f", UNIQUE ({self._listed(names)})" for names in self.unique]
        indexes = [f" CREATE INDEX ON {self.name} ({self._listed(names)});" for names in self.indexes]
        return (
            f"CREATE TABLE {self.name} ({', '.join(columns)}, row_number bigserial, "
            f"PRIMARY KEY ({self.columns[self.key]}){''.join(uniques)});"
            f" CREATE INDEX ON {self.name} (row_number);{''.join(indexes)}"
        )

    def condition(self, equals: Mapping[str, Any]) -> tuple[Any, ...]:
        """An SQL condition and its arguments."""
        fields = {each.name: each for each in self.entity.fields}
        parts, arguments = [], []
        for name, value in equals.items():
            if value is None:
                parts.append(f"{self.columns[name]} IS NULL")
            else:
                arguments.append(_stored(fields[name], value))
                parts.append(f"{self.columns[name]} = ${len(arguments)}")
        return (" AND ".join(parts), *arguments)

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """A row as the arguments of `insert` and `update`."""
        return [_stored(each, row[each.name]) for each in self.entity.fields]

    def row(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A row of `select` as a dict by JSON names."""
        row = dict(record)
        for each in self.entity.fields:
            if _is_json(each) and row[each.name] is not None:
                row[each.name] = orjson.loads(row[each.name])
        return row

    def _listed(self, names: tuple[str, ...]) -> str:
        return ", ".join(self.columns[name] for name in names)


def _is_json(field: Field) -> bool:
    return isinstance(field.kind, Entity) or field.kind.column == "jsonb"


def _sql_type(field: Field) -> str:
    return "jsonb" if isinstance(field.kind, Entity) else field.kind.column


def _stored(field: Field, value: Any) -> Any:
    return orjson.dumps(value).decode() if value is not None and _is_json(field) else value
