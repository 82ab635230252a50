"""How many spans of a case did not come, as far as what is there tells: a lower bound."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.tables import table
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    from pytest_anomod.checks.tables import Table

_STATUS = ("http.response.status_code", "http.status_code")
_ADDRESS = ("server.address", "net.peer.name", "http.host")
_PORT = ("server.port", "net.peer.port")
"""Names of attributes, new and old."""
LAST_NS = 500_000_000
"""What was called so shortly before the end may have begun to answer after it."""

Call = tuple[Any, str, str]
"""Where it goes to, the id of its span, that of its trace."""


def lost_spans(view: CaseView) -> int:
    """Spans that were made for sure and are not there.

    They leave two marks: spans below one that is not there, and calls over HTTP that were answered with success and
    have no SERVER span below them, where other calls to the same place have one. A span that is lost may leave both,
    so of each trace the more of the two counts. Users' own requests are calls as well. What a service samples or
    exports elsewhere is not there either.
    """
    rows, requests = table(view, "traces"), table(view, "api_responses")
    if not len(rows):
        return 0
    traces, parents = rows.text("trace_id"), rows.text("parent_span_id")
    ours = requests["span_id"].tolist() if "span_id" in requests else []
    known = {"", *rows["span_id"].tolist(), *ours}
    missing: dict[str, set[str]] = defaultdict(set)
    for trace, parent in zip(traces, parents, strict=True):
        if parent not in known:
            missing[trace].add(parent)
    kinds = rows.text("span_kind")
    answered = {parent for parent, kind in zip(parents, kinds, strict=True) if kind in ("SERVER", "CONSUMER")}
    end_ns = view.timeline.end_ns - LAST_NS
    calls = [*_calls(rows, kinds, end_ns), *_requests(requests, end_ns)]
    places = {place for place, span, _ in calls if span in answered}
    unanswered = Counter(trace for place, span, trace in calls if place in places and span not in answered)
    return sum(max(len(missing.get(trace, ())), unanswered[trace]) for trace in {*missing, *unanswered})


def _calls(rows: Table, kinds: list[str], end_ns: int) -> Iterator[Call]:
    """CLIENT spans of HTTP that were answered with success, and began before a moment."""
    if "attributes" not in rows:
        return
    columns = rows.text("service_name"), rows.text("trace_id"), rows["span_id"].tolist()
    attributes, times = rows["attributes"].tolist(), rows.times.tolist()
    for kind, service, trace, span, text, begun in zip(kinds, *columns, attributes, times, strict=True):
        if kind == "CLIENT" and begun < end_ns and "status_code" in text:
            given = json.loads(text)
            if _is_success(_first(given, _STATUS)):
                yield (service, _first(given, _ADDRESS), _first(given, _PORT)), span, trace


def _requests(requests: Table, end_ns: int) -> Iterator[Call]:
    """The same of users' requests."""
    if "span_id" not in requests:
        return
    columns = requests.text("service_name"), requests["span_id"].tolist(), requests.text("trace_id")
    statuses, times = requests["status_code"].tolist(), requests.times.tolist()
    for service, span, trace, status, begun in zip(*columns, statuses, times, strict=True):
        if span and begun < end_ns and _is_success(status):
            yield service, span, trace


def _first(given: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((given[name] for name in names if name in given), None)


def _is_success(status: Any) -> bool:
    return str(status).isdecimal() and 200 <= int(status) < 400
