"""Facts on each span and each response of a case, computed once for all windows: failed, own time, callee."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_anomod.checks.tables import Labels, Table, combined, kept, table
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

_REFUSED = re.compile(r'"http\.(?:response\.)?status_code":\s*"?4\d\d')
"""OpenTelemetry leaves the status of a SERVER span that was answered with 4xx unset."""


def responses(view: CaseView) -> Table:
    """The API responses with `ms`, `failed` and `key`; of a suite also `asked`, a number for each step of each test.

    A suite has many small tests that meet on few routes: there the key is the route. Else it is the journey, and the
    route too if the journey has several.
    """
    return kept(view, "responses", lambda: _responses(view))


def spans(view: CaseView) -> Table:
    """The spans with `ms`, `failed`, `kind`, `peer` and `owner`, `own_ms`, `silent`; of a suite also `asked`.

    `failed` spans have the status ERROR, or are of a server and were answered with a status of 400 to 499.
    `peer` is whom a CLIENT span calls, `owner` who spends its time: the peer of a call, else the service. `own_ms` is
    the time outside the spans below; NaN for failed spans, calls with a span below them, and spans whose children
    overlap in time, so that nothing would be left. `silent` calls have no SERVER span of their peer below them at any
    time of the case. `kind` is one number for spans of one service and name (calls: of one peer too).
    """
    return kept(view, "spans", lambda: _spans(view))


def _responses(view: CaseView) -> Table:
    import numpy as np

    replayed = view.scenario.workload.closed_loop
    rows = table(view, "api_responses")
    columns = {name: rows.text(name) for name in ("journey", "method", "route", "error_kind")}
    asked = {**columns, "status_code": rows["status_code"]}
    if replayed:
        asked |= {"step": rows["step"], "phase": rows.text("phase")}
    rows.put("failed", failed_rows(asked, replayed=replayed))
    rows.put("ms", rows["duration_ns"] / 1e6)
    if replayed:
        rows.put("asked", combined(rows.labels("journey").codes, rows["step"]))
    triples = list(zip(columns["journey"], columns["method"], columns["route"], strict=True))
    names = _route_names(dict.fromkeys(triples), by_route=replayed)
    known = list(dict.fromkeys(names.values()))
    places = {triple: known.index(name) for triple, name in names.items()}
    rows.put_labels("key", Labels(np.array([places[triple] for triple in triples], dtype=np.int64), known))
    return rows


def _route_names(triples: dict[tuple[str, str, str], None], *, by_route: bool) -> dict[tuple[str, str, str], str]:
    """What to call each (journey, method, route): the journey alone when it has one request only."""
    if by_route:
        return {triple: f"{triple[1]} {triple[2]}" for triple in triples}
    journeys = [journey for journey, _, _ in triples]
    return {triple: triple[0] if journeys.count(triple[0]) == 1 else " ".join(triple) for triple in triples}


def _spans(view: CaseView) -> Table:
    import numpy as np

    rows = table(view, "traces")
    services, kinds = rows.labels("service_name"), rows.labels("span_kind")
    server, client = kinds.codes == kinds.code("SERVER"), kinds.codes == kinds.code("CLIENT")
    peer = _peers(rows, client, services)
    owner = np.where(client, peer.codes, np.where(server, services.codes, -1))
    rows.put_labels("peer", peer)
    rows.put_labels("owner", Labels(owner, peer.names))
    statuses = rows.labels("status_code")
    failed = (statuses.codes == statuses.code("ERROR")) | _refused(view, rows, server)
    (own, above), count = ids(view)
    rows.put("failed", failed)
    rows.put("ms", rows["duration_ns"] / 1e6)
    rows.put("kind", combined(np.where(client, peer.codes, -1), services.codes, rows.labels("span_name").codes))
    rows.put("own_ms", _own_ms(rows["duration_ns"], own, above, count, client, failed | ~(server | client)))
    answers = np.unique(above[server] * len(peer.names) + services.codes[server])
    rows.put("silent", ~np.isin(own * len(peer.names) + peer.codes, answers))
    put_asked(view, rows)
    return rows


def _refused(view: CaseView, rows: Table, server: np.ndarray) -> np.ndarray:
    """Which SERVER spans were answered with 4xx, which users count as failed; a suite asks for such answers."""
    import numpy as np

    refused = np.zeros(len(rows), dtype=bool)
    if "attributes" in rows and not view.scenario.workload.closed_loop:
        texts = rows["attributes"][server]
        refused[server] = [_REFUSED.search(text or "") is not None for text in texts.tolist()]
    return refused


def put_asked(view: CaseView, rows: Table) -> None:
    """In a case of a suite add `asked` to a table with trace ids: the step that the trace is of, -1 for none."""
    import numpy as np

    if not view.scenario.workload.closed_loop or "trace_id" not in rows or "asked" in rows:
        return
    answers = responses(view)
    if "trace_id" not in answers:
        return
    steps = dict(zip(reversed(answers.text("trace_id")), reversed(answers["asked"].tolist()), strict=True))
    traces = rows.labels("trace_id")
    numbers = [steps.get(name, -1) if name else -1 for name in traces.names]
    rows.put("asked", np.array([*numbers, -1], dtype=np.int64)[traces.codes])


def ids(view: CaseView) -> tuple[list[np.ndarray], int]:
    """Of each span its own number and that of the span above it, and how many numbers there are."""
    return kept(view, "span ids", lambda: table(view, "traces").ids("span_id", "parent_span_id"))


def _own_ms(
    lengths: np.ndarray, own: np.ndarray, above: np.ndarray, count: int, client: np.ndarray, without: np.ndarray
) -> np.ndarray:
    import numpy as np

    has_above = above >= 0
    below = np.bincount(above[has_above], weights=lengths[has_above], minlength=count)
    children = np.bincount(above[has_above], minlength=count)
    rest = lengths - below[own]
    return np.where((rest > 0) & ~without & ~(client & (children[own] > 0)), rest / 1e6, np.nan)


def _peers(rows: Table, client: np.ndarray, services: Labels) -> Labels:
    """The called service of each CLIENT span, numbered as the services are; -1 where it is not said."""
    import numpy as np

    peers = rows.labels("peer")
    places = {name: place for place, name in enumerate(services.names)}
    numbers = [places.setdefault(name, len(places)) if name else -1 for name in peers.names]
    codes = np.array([*numbers, -1], dtype=np.int64)[peers.codes]  # the last one is for spans without any
    return Labels(np.where(client, codes, -1), list(places))


def is_traced(view: CaseView, service: str) -> bool:
    """Whether a service can be seen in the traces: by spans of its own, or by calls to it, at any time of the case."""
    rows = spans(view)
    return service in rows.labels("service_name").names or service in rows.labels("peer").names


def is_called_in_traces(view: CaseView, service: str) -> bool:
    """Whether calls to a service can be seen as its callers see them: by a CLIENT span, at any time of the case."""
    peer = spans(view).labels("peer")
    return bool((peer.codes == peer.code(service)).any())
