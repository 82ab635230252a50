"""Readings as tests look at them."""

from __future__ import annotations


def records(reading, fields):
    """Rows as dictionaries, in the order of their time."""
    return [dict(zip(fields, row, strict=True)) for row in sorted(reading.rows, key=lambda row: row[0])]
