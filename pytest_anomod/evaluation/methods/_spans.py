"""The spans of a case as arrays: who worked, who was called, own time, failures, parents; made once a case."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence

FAILED = "ERROR"
CALLS = ("CLIENT", "PRODUCER")
SERVES = ("SERVER", "CONSUMER")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Spans:
    """Arrays of one value a span, in order of time; services and peers are numbers into `names`, -1 for none.

    `own_ms` is the duration less those of the spans below (at least 0: spans below may run side by side). `blamed` is
    the service that a span's own trouble is laid on: the callee of a call that left no span below (a store, or who gave
    no answer), else the service itself. `parent` is a row, -1 for none.
    """

    names: tuple[str, ...]
    after: np.ndarray
    times: np.ndarray
    service: np.ndarray
    peer: np.ndarray
    blamed: np.ndarray
    operation: np.ndarray
    trace: np.ndarray
    parent: np.ndarray
    duration_ms: np.ndarray
    own_ms: np.ndarray
    failed: np.ndarray
    serves: np.ndarray
    calls: np.ndarray

    def __len__(self) -> int:
        return len(self.times)


def spans_of(evidence: Evidence) -> Spans:
    """The spans of the evidence."""
    return evidence.kept("traces", "spans", lambda: _read(evidence))


def by_service(
    evidence: Evidence, spans: Spans, figure: Callable[[np.ndarray], float], codes: np.ndarray, *, among: np.ndarray
) -> dict[str, float]:
    """A figure for each service of the system, worked out of the rows with its number in `codes`, among some rows."""
    found = {}
    for code, name in enumerate(spans.names):
        rows = np.flatnonzero(among & (codes == code))
        value = figure(rows)
        if name in evidence.services and np.isfinite(value):
            found[name] = float(value)
    return found


def seconds(evidence: Evidence) -> tuple[float, float]:
    """How long the stretches before and after the alarm are."""
    return (
        (evidence.normal_until_ns - evidence.start_ns) / 1e9,
        (evidence.end_ns - evidence.normal_until_ns) / 1e9,
    )


def _read(evidence: Evidence) -> Spans:
    frame = evidence.traces.sort_values("time_unix_nano", kind="stable", ignore_index=True)
    peers = _peers(frame)
    names = tuple(dict.fromkeys([*evidence.services, *frame["service_name"].unique(), *peers.dropna().unique()]))
    numbers = pd.Index(names)
    service, peer = numbers.get_indexer(frame["service_name"]), numbers.get_indexer(peers)
    kinds = frame["span_kind"].astype(str)
    parent = _parents(frame)
    duration = frame["duration_ns"].to_numpy(dtype=float) / 1e6
    below, children = np.zeros(len(frame)), np.zeros(len(frame), dtype=np.int64)
    inner = parent >= 0
    np.add.at(below, parent[inner], duration[inner])
    np.add.at(children, parent[inner], 1)
    calls = kinds.isin(CALLS).to_numpy()
    operations = pd.factorize(frame["service_name"].astype(str) + " " + frame["span_name"].astype(str))[0]
    return Spans(
        names=names,
        after=frame["time_unix_nano"].to_numpy() >= evidence.normal_until_ns,
        times=frame["time_unix_nano"].to_numpy(),
        service=service,
        peer=peer,
        blamed=np.where(calls & (peer >= 0) & (children == 0), peer, service),
        operation=operations,
        trace=pd.factorize(frame["trace_id"])[0],
        parent=parent,
        duration_ms=duration,
        own_ms=np.maximum(duration - below, 0.0),
        failed=(frame["status_code"].astype(str) == FAILED).to_numpy(),
        serves=kinds.isin(SERVES).to_numpy(),
        calls=calls,
    )


def _parents(frame: pd.DataFrame) -> np.ndarray:
    """The row of each span's parent; -1 where it is not among them."""
    ids = pd.Series(np.arange(len(frame)), index=frame["span_id"])
    rows = ids[~ids.index.duplicated()].reindex(frame["parent_span_id"]).to_numpy(dtype=float)
    return np.nan_to_num(rows, nan=-1.0).astype(np.int64)


def _peers(frame: pd.DataFrame) -> pd.Series:
    """The service that each span calls, as its column or its attributes say; NaN for none."""
    if "peer" in frame:
        peers = frame["peer"].astype(object)
        return peers.where(peers != "")
    known = {text: _peer(json.loads(text)) for text in frame["attributes"].dropna().unique()}
    return frame["attributes"].astype(object).map(known)


def _peer(attributes: Mapping[str, object]) -> object:
    return attributes.get("service.peer.name") or attributes.get("peer.service") or np.nan
