"""Spans of health checks, which no user caused: they are left out of traces, and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from pytest_anomod.sources.read import Reading

LEFT_OUT = "spans of health checks, left out"
_PATHS = ("url.path", "http.target", "http.route", "http.url", "url.full")
_SERVICE, _TRACE, _PARENT, _KIND, _ATTRIBUTES = 1, 3, 5, 7, 10


def without_health(reading: Reading, probes: Collection[tuple[str, str]]) -> Reading:
    """What is left of spans without whole traces that begin in a server of ours with a health check.

    `probes` are services and the paths that are asked for to see that they are well. What users ask has a parent, the
    span of our workload; what asks for such a path and has none is a check.
    """
    wanted = frozenset(probes)
    traces = {row[_TRACE] for row in reading.rows if _is_check(row, wanted)}
    if not traces:
        return reading
    kept = [row for row in reading.rows if row[_TRACE] not in traces]
    noted = reading.noted.copy()
    noted[LEFT_OUT] += len(reading.rows) - len(kept)
    return dataclasses.replace(reading, rows=kept, noted=noted)


def _is_check(row: tuple[Any, ...], probes: Collection[tuple[str, str]]) -> bool:
    if row[_PARENT] or row[_KIND] != "SERVER":
        return False
    return (row[_SERVICE], _path_of(row[_ATTRIBUTES])) in probes


def _path_of(attributes: Mapping[str, Any]) -> str:
    """The path that was asked for, without its query; of a whole URL what follows the host."""
    found = next((str(attributes[name]) for name in _PATHS if attributes.get(name)), "")
    if "://" in found:
        found = "/" + found.partition("://")[2].partition("/")[2]
    return found.partition("?")[0]
