"""Checks the content of a case's tables: do responses join traces, does anything give the label or a secret away?"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pytest_anomod.dataset import layout, leaks
from pytest_anomod.dataset.problem import Problem
from pytest_anomod.dataset.validate_case import REMAKE, CaseChecker
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.timeline import Phase

MAX_UNJOINED = 0.01
"""Share of answered requests that may lack a trace."""

OURS = frozenset({"case_id", "phase", "phase_end"})
"""Columns that are filled in when a case is written; they are no telemetry."""


def check_telemetry(checker: CaseChecker) -> Iterator[Problem]:
    """Problems with the content of a case's tables (those that CaseChecker.check could read)."""
    readable = checker.readable
    if "api_responses" in readable and "traces" in readable:
        yield from _joins(checker, readable["api_responses"], readable["traces"])
    try:
        label = checker.label
        words = leaks.telling_words(label.scenario, label.fault)
    except DatasetError:  # said by CaseChecker.check already
        words = ()
    for name, table in readable.items():
        for field in table.schema:
            if pa.types.is_string(field.type) and field.name not in OURS:
                yield from _texts(checker, name, field.name, table, words)


def _joins(checker: CaseChecker, responses: pa.Table, traces: pa.Table) -> Iterator[Problem]:
    """Requests that were answered outside the warm-up must be found among the traces."""
    if not {"trace_id", "status_code"} <= set(responses.column_names) or "trace_id" not in traces.column_names:
        return
    answered = pc.and_(pc.greater(responses["status_code"], 0), pc.not_equal(responses["phase"], str(Phase.WARMUP)))
    if "traces" in layout.may_be_silent(checker.manifest):  # only services that send spans at all must send them
        answered = pc.and_(answered, pc.is_in(responses["service_name"], value_set=pc.unique(traces["service_name"])))
    ids = responses.filter(answered)["trace_id"]
    lost = len(ids) - (pc.sum(pc.is_in(ids, value_set=pc.unique(traces["trace_id"]))).as_py() or 0)
    if len(ids) and lost / len(ids) > MAX_UNJOINED:
        share = f"{lost} of {len(ids)} answered requests ({lost / len(ids):.1%})"
        what = f"{share} have no span in traces.parquet; at most {MAX_UNJOINED:.0%} may"
        yield checker.problem("api_responses.parquet", what, f"look why spans were lost, then {REMAKE}")


def _texts(checker: CaseChecker, name: str, column: str, table: pa.Table, words: tuple[str, ...]) -> Iterator[Problem]:
    """Leaks and secrets in one column of text, each kind once with its count and first row."""
    texts = table[column]
    telling = _suspects(texts, "|".join([leaks.LEAK_HINT, *(word.replace("-", "\\-") for word in words)]))
    found: dict[str, tuple[int, int]] = {}
    for row, text in telling:
        for leak in {item.lower() for item in leaks.find_leaks(text, words)}:
            count, first = found.get(leak, (0, row))
            found[leak] = (count + 1, first)
    for leak, (count, first) in sorted(found.items()):
        what = f"column {column} gives the label away: {leak!r} in {count} rows, first row {first}"
        yield checker.problem(f"{name}.parquet", what, f"find what writes it and rename it, then {REMAKE}")
    found = {}
    for row, text in _suspects(texts, leaks.SECRET_HINT):
        for kind in leaks.find_secrets(text):
            count, first = found.get(kind, (0, row))
            found[kind] = (count + 1, first)
    for kind, (count, first) in sorted(found.items()):
        what = f"column {column} holds {kind} in clear in {count} rows, first row {first}"
        yield checker.problem(
            f"{name}.parquet", what, f"don't publish the case; have the collector redact it, {REMAKE}"
        )


def _suspects(texts: pa.ChunkedArray, hint: str) -> list[tuple[int, str]]:
    """Rows, with their text, in which a quick search finds a hint."""
    matching = pc.fill_null(pc.match_substring_regex(texts, hint), False)
    rows = pc.indices_nonzero(matching)
    return list(zip(rows.to_pylist(), texts.take(rows).to_pylist(), strict=True))
