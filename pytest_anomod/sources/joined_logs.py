"""Joins log records that came over OTLP to lines of output: the line gets the record's ids, the record is no row."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

from pytest_anomod.model import clock
from pytest_anomod.model.modality import Columns

APART_NS = 2 * clock.NS_PER_S
"""Lines and records of one message are no further apart: stamped by the service, by its logger or by its engine."""
MOST_LOOKED_AT = 400
"""Lines that are compared with one record, the nearest in time first."""


def joined(outputs: Columns, records: Columns) -> tuple[Columns, Columns, int]:
    """Both tables by LOG_FIELDS, in time order: outputs with ids, what is left of the records, how many lines got ids.

    A record belongs to the nearest line of its service that holds its message, or that was made of it where it is the
    line as it was printed; each line has one record.
    """
    lines: dict[str, list[int]] = {}
    for row, service in enumerate(outputs["service_name"]):
        lines.setdefault(service, []).append(row)
    times = {service: [outputs["time_unix_nano"][row] for row in rows] for service, rows in lines.items()}
    ids = {name: list(outputs[name]) for name in ("trace_id", "span_id")}
    taken: set[int] = set()
    left, given = [], 0
    for number, service in enumerate(records["service_name"]):
        line = _line_of(records, number, outputs, lines.get(service, ()), times.get(service, ()), taken)
        if line is None:
            left.append(number)
            continue
        taken.add(line)
        if records["trace_id"][number] and not ids["trace_id"][line]:
            given += 1
            for name, values in ids.items():
                values[line] = records[name][number]
    rest = {name: [values[number] for number in left] for name, values in records.items()}
    return {**outputs, **ids}, rest, given


def _line_of(
    records: Columns, number: int, outputs: Columns, rows: Sequence[int], times: Sequence[int], taken: set[int]
) -> int | None:
    """The row of outputs that has the message of a record."""
    body, moment = records["body"][number], records["time_unix_nano"][number]
    first = body.split("\n", 1)[0]
    if not first.strip():
        return None
    for place in _nearest(times, moment):
        row = rows[place]
        if row not in taken and (first in outputs["body"][row] or _is_made_of(first, outputs, row)):
            return row
    return None


def _is_made_of(printed: str, outputs: Columns, row: int) -> bool:
    """Whether an entry was read from a printed line: what it says, and the figures and texts of its attributes."""
    said = outputs["body"][row].split("\n", 1)[0]
    if not said or said not in printed:
        return False
    values = [value for value in outputs["attributes"][row].values() if isinstance(value, int | str)]
    return all(str(value) in printed for value in values if not isinstance(value, bool))


def _nearest(times: Sequence[int], moment: int) -> Iterator[int]:
    """Places of times around a moment, the nearest first."""
    after = bisect.bisect_left(times, moment)
    before = after - 1
    for _ in range(MOST_LOOKED_AT):
        ahead = times[after] - moment if after < len(times) else APART_NS + 1
        behind = moment - times[before] if before >= 0 else APART_NS + 1
        if min(ahead, behind) > APART_NS:
            return
        if ahead <= behind:
            yield after
            after += 1
        else:
            yield before
            before -= 1
