"""The label's own tables beside label.parquet: a row a step of the propagation, and a row a request of the users.

They are no modalities: they are not in `tables` of case.json, and nothing that reads blindly can ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pytest_anomod.dataset import tables
from pytest_anomod.dataset.tables import CASE_ID
from pytest_anomod.model.modality import Column
from pytest_anomod.model.propagation import Hop, Propagation

PROPAGATION, REQUEST_LABELS = "propagation", "request_labels"

COLUMNS: dict[str, tuple[Column, ...]] = {
    PROPAGATION: (
        CASE_ID,
        Column(name="hop", type="int32", doc="steps from the root cause, which is 0"),
        Column(name="cause", type="string", doc="the service it came from; null for the root cause", nullable=True),
        Column(name="service", type="string", doc="where it came to; @users: the users"),
        Column(name="caller", type="string", doc="whose calls it took (hop 0: that the fault is on)", nullable=True),
        Column(name="callee", type="string", doc="who is called", nullable=True),
        Column(name="edge_from", type="string", doc="origin of the edge: spans, or declared calls; empty for none"),
        Column(name="propagated", type="string", doc="yes, no or unknown"),
        Column(
            name="effect",
            type="string",
            doc="errors, latency, content, load (asked more or less often, no worse off), state (of the root cause)",
        ),
        Column(name="modality", type="string", doc="where the evidence is from; empty for none"),
        Column(name="figure", type="string", doc="what moved most tellingly; empty for nothing"),
        Column(name="before", type="float64", doc="the figure in the baseline", nullable=True),
        Column(name="after", type="float64", doc="the figure in the anomaly window", nullable=True),
        Column(name="p", type="float64", doc="corrected for all figures of the same hop (Holm)", nullable=True),
        Column(
            name="onset_unix_nano",
            type="int64",
            doc="when the first bad answer was there; of the root cause: when it began to go in",
            nullable=True,
        ),
        Column(
            name="onset_begin_unix_nano",
            type="int64",
            doc="when the first request began that was answered badly: no effect is there before its cause has begun",
            nullable=True,
        ),
        Column(name="onset_give_ns", type="int64", doc="by how much that may be wrong", nullable=True),
        Column(name="weight", type="int64", doc="calls (users: requests) answered badly in the anomaly window"),
        Column(name="why", type="string", doc="why it is no or unknown; of a yes what else there is to know"),
        Column(name="fault", type="int32", doc="which of the faults of a compound case spread so, from 1; else 1"),
    ),
    REQUEST_LABELS: (
        CASE_ID,
        Column(name="row", type="int64", doc="row of api_responses.parquet of the same case, from 0"),
        Column(name="time_unix_nano", type="int64", doc="that row's time"),
        Column(name="trace_id", type="string", doc="that row's trace; empty when nothing was sent"),
        Column(
            name="is_affected",
            type="bool",
            doc="failed, slow or other content while the fault or its after-effects were there; null: unknown",
            nullable=True,
        ),
        Column(name="outcome", type="string", doc="ok, failed, content, slow or unknown, in whatever window"),
        Column(
            name="reaches_root_cause",
            type="bool",
            doc="whether the root cause has a part in the trace; null without a span",
            nullable=True,
        ),
        Column(name="bound_ms", type="float64", doc="above this it is slow; null where there is none", nullable=True),
        Column(
            name="bound_from",
            type="string",
            doc="endpoint: 99th percentile of its good answers in the baseline; all: its median times what the answers "
            "of all endpoints vary by; empty: the baseline has none",
        ),
    ),
}  # fmt: skip
FILES = {name: f"{name}.parquet" for name in COLUMNS}


def schema(name: str) -> pa.Schema:
    """The schema of a label table."""
    return tables.schema_of(COLUMNS[name], label=name)


def propagation_table(case_id: str, spread: Propagation) -> pa.Table:
    """The steps of a case, in order of hop."""
    wanted = schema(PROPAGATION)
    rows = [
        {name: _plain(hop, name) for name in wanted.names} | {"case_id": case_id, "fault": number}
        for number, one in enumerate((spread, *spread.further), start=1)
        for hop in one.hops
    ]
    return pa.Table.from_pylist(rows, schema=wanted)


def request_table(case_id: str, columns: Mapping[str, Any]) -> pa.Table:
    """The requests of a case, a row for each of its API responses and in their order.

    `columns` are those of REQUEST_LABELS but the case_id, as sequences or NumPy arrays, masked where unknown.
    """
    wanted = schema(REQUEST_LABELS)
    made = {"case_id": pa.repeat(pa.scalar(case_id), len(columns["row"])), **columns}
    return pa.table([pa.array(made[field.name], field.type) for field in wanted], schema=wanted)


def read(name: str, directory: Path) -> pa.Table:
    """A label table of a case; without rows where the case was written before there was one."""
    path = directory / FILES[name]
    return tables.read_parquet(path, as_dictionary=("case_id",)) if path.exists() else schema(name).empty_table()


def _plain(hop: Hop, name: str) -> Any:
    value = getattr(hop, name, None)
    return str(value) if name == "propagated" else value
