"""Which figures are compared: extraction of series from two windows of a case, at the gateway and around a service.

Levels and shares are of steps that both windows can know (`Cut.known`); rates count every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.checks.content import novel, shape_of
from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.shifts import Bar, Series
from pytest_anomod.checks.statistics import block_counts, calm
from pytest_anomod.checks.tables import Rows, kept, table
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

GATEWAY_LATENCY = Bar(ratio=1.5, delta=0.33, floor=2.0, direction=1)
SPAN_LATENCY = Bar(ratio=1.5, delta=0.33, floor=0.2, fall=3.0)
"""A baseline beside a starting neighbour is slow, so what is merely faster after it proves little."""

SLOW_RATIO = 5.0
SLOW_P95S = 3.0
"""A slow answer takes SLOW_RATIO times its kind's baseline median and SLOW_P95S times the baseline's p95."""

BODIES_MOST = 3_000
"""Bodies read per window; longer windows are thinned evenly."""

_ANSWER_SIZE = Bar(ratio=1.5, delta=0.4, floor=4.0)
_SIZE = re.compile(r'"http\.response(?:\.body\.size|_content_length)": ?"?(\d+)')
"""Size of an answer among the attributes of a span, as OpenTelemetry names it today and did before."""

LARGEST = 8
"""Routes and RPCs looked at one by one: the most frequent ones; the rest counts in the figures over all."""


def impact_series(cut: Cut) -> list[Series]:
    """What users see: errors, latency, slow answers, answers a second, over all and per route; contents per route."""
    series = [*outcome_series(cut)]
    before, after = cut.responses
    total = (int(before["failed"].sum()), len(before))
    for key in _largest(before, after, "key"):
        left, right = before.named("key", key), after.named("key", key)
        series.append(_bad_share(cut, key, "errors", left, right, "failed", 0.1, total))
        series.append(_level(cut, key, "latency", left, right, "ms", GATEWAY_LATENCY, "ms"))
        series.append(_ok_rate(cut, key, left, right, Bar(ratio=3.0, delta=0.5, floor=0.5, direction=-1)))
        series += content_series(cut, key, left, right)
    return series


def outcome_series(cut: Cut) -> Iterator[Series]:
    """Errors, latency, slow answers and answers a second at the gateway, over all routes."""
    before, after = cut.responses
    yield _bad_share(cut, "all requests", "errors", before, after, "failed", 0.03)
    yield from _relative(cut, "all requests", before, after, cut.response_multiples, GATEWAY_LATENCY)
    yield _ok_rate(cut, "all requests", before, after, Bar(ratio=2.0, delta=0.5, floor=1.0, direction=-1))


def content_series(cut: Cut, subject: str, before: Rows, after: Rows) -> Iterator[Series]:
    """Size and shape of answers that are no errors: a fault that makes answers wrong may show only here."""
    import numpy as np

    after = cut.known(after)
    left, right = _thinned(before.where(~before["failed"])), _thinned(after.where(~after["failed"]))
    if not len(left) or "response_body" not in left.table:
        return
    sizes = body_sizes(cut.view)
    bodies = left.codes("response_body"), right.codes("response_body")
    yield Series(
        subject=subject, figure="body size", kind="level", unit="characters", bar=_ANSWER_SIZE,
        before=left.stretch(sizes[bodies[0]], cut.before), after=right.stretch(sizes[bodies[1]], cut.after),
    )  # fmt: skip
    new = [np.array(part) for part in novel(*(body_shapes(cut.view, column) for column in bodies))]
    yield Series(
        subject=subject, figure="answers of a new shape", kind="share", bar=Bar(floor=0.1),
        before=left.stretch(new[0], cut.before), after=right.stretch(new[1], cut.after),
    )  # fmt: skip


def server_series(cut: Cut, service: str, *, each: bool = True) -> Iterator[Series]:
    """The service's own spans: duration and errors over all and (with `each`) per RPC, requests a second."""
    before, after = cut.served(service)
    if not len(before) and not len(after):
        return
    yield _rate(cut, service, "requests served", before, after, Bar(ratio=3.0, delta=0.5, floor=0.3))
    total = (int(before["failed"].sum()), len(before))
    yield from answered_series(cut, service, before, after, cut.server_multiples)
    names = _largest(before, after, "span_name") if each else []
    for name in names if len(names) > 1 else ():
        left, right = before.named("span_name", name), after.named("span_name", name)
        yield _bad_share(cut, f"{service} {name}", "errors", left, right, "failed", 0.1, total)
        yield _level(cut, f"{service} {name}", "duration", left, right, "ms", SPAN_LATENCY, "ms")


def caller_series(cut: Cut, service: str) -> Iterator[Series]:
    """The service as its callers see it: duration, errors and unanswered calls, calls a second."""
    before, after = cut.called(service)
    if not len(before):
        return
    subject = f"calls to {service}"
    yield asked_series(cut, subject, before, after)
    yield from answered_series(cut, subject, before, after, cut.client_multiples)
    if before["silent"].mean() < 0.5:  # stores and untraced services never have a span of their own
        yield _bad_share(cut, subject, "unanswered", before, after, "silent", 0.05)


def answered_series(cut: Cut, subject: str, before: Rows, after: Rows, multiples: np.ndarray) -> Iterator[Series]:
    """How some spans were answered: errors, duration over all kinds, slow ones."""
    yield _bad_share(cut, subject, "errors", before, after, "failed", 0.05)
    yield from _relative(cut, subject, before, after, multiples, SPAN_LATENCY)


def asked_series(cut: Cut, subject: str, before: Rows, after: Rows) -> Series:
    """How often a service was asked, a second."""
    return _rate(cut, subject, "made", before, after, Bar(ratio=3.0, delta=0.5, floor=0.3))


def log_series(cut: Cut, service: str) -> Iterator[Series]:
    """Lines of severity ERROR and above: written by the service, and by others with its name in them."""
    if "logs" not in cut.view.frames:
        return
    before, after = cut.error_lines
    bar = Bar(ratio=3.0, delta=0.5, floor=0.3, direction=1)
    own = [rows.named("service_name", service) for rows in (before, after)]
    yield _rate(cut, service, "error lines", own[0], cut.known(own[1]), bar)
    about = [_about(rows, service) for rows in (before, after)]
    yield _rate(cut, f"others about {service}", "error lines", about[0], cut.known(about[1]), bar)


def answer_series(cut: Cut, service: str) -> Iterator[Series]:
    """Contents of the answers in whose trace the service has a part."""
    import numpy as np

    rows = (*cut.served(service), *cut.called(service))
    traces = {trace for part in rows for trace in np.unique(part.codes("trace_id")).tolist()}
    names = table(cut.view, "traces").labels("trace_id").names
    ids = {names[trace] for trace in traces if trace >= 0}
    before, after = (part.where(part.table.labels("trace_id").among(ids)[part.at]) for part in cut.responses)
    for key in _largest(before, after, "key"):
        yield from content_series(cut, f"{key} through {service}", before.named("key", key), after.named("key", key))


def size_series(cut: Cut, service: str) -> Iterator[Series]:
    """Sizes of what the service answers, by its own spans: a value that its code got wrong may show only there."""
    import numpy as np

    before, after = cut.served(service)
    earlier, later = (part.where(~part["failed"]) for part in (before, cut.known(after)))
    if "attributes" not in earlier.table:
        return
    for name in _largest(earlier, later, "span_name"):
        before, after = (part.named("span_name", name) for part in (earlier, later))
        sizes = [[_SIZE.search(str(text)) for text in part["attributes"]] for part in (before, after)]
        if not all(sizes[0] + sizes[1]):
            continue
        said = [[found[1] for found in part if found] for part in sizes]
        yield Series(
            subject=f"{service} {name}", figure="answer size", kind="level", unit="bytes", bar=_ANSWER_SIZE,
            before=before.stretch(np.array(said[0]), cut.before), after=after.stretch(np.array(said[1]), cut.after),
        )  # fmt: skip
        new = novel(*said)
        yield Series(
            subject=f"{service} {name}", figure="answers of a new size", kind="share", bar=Bar(floor=0.1),
            before=before.stretch(np.array(new[0]), cut.before), after=after.stretch(np.array(new[1]), cut.after),
        )  # fmt: skip


def requests_per_second(cut: Cut, service: str) -> float:
    """Requests a second that reach the service in the first window: spans of its own, or calls to it."""
    served, called = len(cut.served(service)[0]), len(cut.called(service)[0])
    return max(served, called, len(cut.responses[0].named("service_name", service))) / cut.before.length_s


def body_sizes(view: CaseView) -> np.ndarray:
    """Length of each different body, by its number; the last is that of no body."""
    import numpy as np

    def count() -> np.ndarray:
        return np.array([*map(len, table(view, "api_responses").labels("response_body").names), 0], dtype=float)

    return kept(view, "body sizes", count)


def body_shapes(view: CaseView, bodies: np.ndarray) -> list[str]:
    """The shapes of bodies by their numbers; those that are asked for are read, once."""
    known: dict[int, str] = kept(view, "body shapes", dict)
    names = table(view, "api_responses").labels("response_body").names
    numbers = bodies.tolist()
    for number in {*numbers} - known.keys():
        known[number] = shape_of(names[number] if number >= 0 else "")
    return [known[number] for number in numbers]


def _about(rows: Rows, service: str) -> Rows:
    """Lines with a service's name in them that others wrote."""
    import numpy as np

    others = rows.where(rows.codes("service_name") != rows.table.labels("service_name").code(service))
    codes = others.codes("body")
    names = rows.table.labels("body").names
    telling = [code for code in np.unique(codes).tolist() if code >= 0 and service in names[code]]
    return others.where(np.isin(codes, telling))


def _largest(before: Rows, after: Rows, column: str) -> list[str]:
    """The most frequent names of the first window (without any, those that come first in the second)."""
    import numpy as np

    rows = before if len(before) else after
    codes, first, counts = np.unique(rows.codes(column), return_index=True, return_counts=True)
    order = np.lexsort((first, -counts)) if len(before) else np.argsort(first)
    names = rows.table.labels(column).names
    return [names[code] for code in codes[order].tolist() if code >= 0][:LARGEST]


def _level(
    cut: Cut, subject: str, figure: str, before: Rows, after: Rows, column: str, bar: Bar, unit: str
) -> Series:  # fmt: skip
    return Series(
        subject=subject, figure=figure, kind="level", unit=unit, bar=bar,
        before=before.stretch(column, cut.before), after=cut.known(after).stretch(column, cut.after),
    )  # fmt: skip


def _bad_share(
    cut: Cut, subject: str, figure: str, before: Rows, after: Rows, column: str, floor: float,
    reference: tuple[int, int] | None = None,
) -> Series:  # fmt: skip
    return Series(
        subject=subject, figure=figure, kind="share", bar=Bar(floor=floor), reference=reference,
        before=before.stretch(column, cut.before), after=cut.known(after).stretch(column, cut.after),
    )  # fmt: skip


def _rate(cut: Cut, subject: str, figure: str, before: Rows, after: Rows, bar: Bar) -> Series:
    left, right = before.stretch("time_unix_nano", cut.before), after.stretch("time_unix_nano", cut.after)
    return Series(
        subject=subject, figure=figure, kind="rate", unit="/s", bar=bar,
        before=block_counts(left.times_s, left.length_s), after=block_counts(right.times_s, right.length_s),
    )  # fmt: skip


def _ok_rate(cut: Cut, subject: str, before: Rows, after: Rows, bar: Bar) -> Series:
    return _rate(cut, subject, "good answers", before.where(~before["failed"]), after.where(~after["failed"]), bar)


def _relative(
    cut: Cut, subject: str, before: Rows, after: Rows, multiples: np.ndarray, bar: Bar
) -> Iterator[Series]:  # fmt: skip
    """Durations as multiples of their kind's baseline median, pooled over kinds; and the share of slow ones."""
    import numpy as np

    left, right = (rows.where(~np.isnan(multiples[rows.at])) for rows in (before, cut.known(after)))
    if not len(left):
        return
    slower = left.stretch(multiples[left.at], cut.before), right.stretch(multiples[right.at], cut.after)
    yield Series(
        subject=subject, figure="latency", kind="level", unit="ms", bar=bar, scale=float(np.median(left["ms"])),
        before=slower[0], after=slower[1],
    )  # fmt: skip
    calm_rows = calm(slower[0]).values
    if not len(calm_rows):
        return  # all there is came within the two worst seconds
    limit = max(SLOW_RATIO, SLOW_P95S * float(np.percentile(calm_rows, 95))) * max(1.0, cut.pace)
    slow = f"answers {limit:.0f} times slower than usual"
    yield Series(
        subject=subject, figure=slow, kind="share", steady=True, bar=Bar(floor=0.05),
        before=left.stretch(slower[0].values > limit, cut.before),
        after=right.stretch(slower[1].values > limit, cut.after),
    )  # fmt: skip


def _thinned(rows: Rows) -> Rows:
    return Rows(rows.table, rows.at[:: max(1, len(rows) // BODIES_MOST)])
