"""Which figures are compared: extraction of series from two windows of a case, at the gateway and around a service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.content import novel, shape_of
from pytest_anomod.checks.cut import Cut, member
from pytest_anomod.checks.shifts import Bar, Series
from pytest_anomod.checks.statistics import MIN_ROWS, block_counts, calm

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

LARGEST = 8
"""Routes and RPCs looked at one by one: the most frequent ones; the rest counts in the figures over all."""


def impact_series(cut: Cut) -> list[Series]:
    """What users see: errors, latency, slow answers, answers a second, over all and per route; contents per route."""
    series = [*outcome_series(cut)]
    before, after = cut.responses
    total = (int(before["failed"].sum()), len(before))
    for key in _largest(before, after, "key"):
        left, right = before[before["key"] == key], after[after["key"] == key]
        series.append(_bad_share(cut, key, "errors", left, right, "failed", 0.1, total))
        series.append(_level(cut, key, "latency", left, right, "ms", GATEWAY_LATENCY, "ms"))
        series.append(_ok_rate(cut, key, left, right, Bar(ratio=3.0, delta=0.5, floor=0.5, direction=-1)))
        series += content_series(cut, key, left, right)
    return series


def outcome_series(cut: Cut) -> Iterator[Series]:
    """Errors, latency, slow answers and answers a second at the gateway, over all routes."""
    before, after = cut.responses
    yield _bad_share(cut, "all requests", "errors", before, after, "failed", 0.03)
    yield from _relative(cut, "all requests", before, after, "key", GATEWAY_LATENCY)
    yield _ok_rate(cut, "all requests", before, after, Bar(ratio=2.0, delta=0.5, floor=1.0, direction=-1))


def content_series(cut: Cut, subject: str, before: Any, after: Any) -> Iterator[Series]:
    """Size and shape of answers that are no errors: a fault that makes answers wrong may show only here."""
    left, right = _thinned(before[~before["failed"]]), _thinned(after[~after["failed"]])
    if not len(left) or "response_body" not in left:
        return
    bodies = left["response_body"].fillna(""), right["response_body"].fillna("")
    sizes = [body.str.len().to_numpy(dtype=float) for body in bodies]
    yield Series(
        subject=subject, figure="body size", kind="level", unit="characters", bar=Bar(ratio=1.5, delta=0.4, floor=4.0),
        before=cut.stretch(left, sizes[0], cut.before), after=cut.stretch(right, sizes[1], cut.after),
    )  # fmt: skip
    shapes = [[shape_of(body) for body in column] for column in bodies]
    new = novel(shapes[0], shapes[1])
    yield Series(
        subject=subject, figure="answers of a new shape", kind="share", bar=Bar(floor=0.1),
        before=cut.stretch(left, new[0], cut.before), after=cut.stretch(right, new[1], cut.after),
    )  # fmt: skip


def server_series(cut: Cut, service: str, *, each: bool = True) -> Iterator[Series]:
    """The service's own spans: duration and errors over all and (with `each`) per RPC, requests a second."""
    before, after = cut.served(service)
    if not len(before) and not len(after):
        return
    yield _rate(cut, service, "requests served", before, after, Bar(ratio=3.0, delta=0.5, floor=0.3))
    total = (int(before["failed"].sum()), len(before))
    yield _bad_share(cut, service, "errors", before, after, "failed", 0.05)
    yield from _relative(cut, service, before, after, "span_name", SPAN_LATENCY)
    names = _largest(before, after, "span_name")
    for name in names if each and len(names) > 1 else ():
        left, right = before[before["span_name"] == name], after[after["span_name"] == name]
        yield _bad_share(cut, f"{service} {name}", "errors", left, right, "failed", 0.1, total)
        yield _level(cut, f"{service} {name}", "duration", left, right, "ms", SPAN_LATENCY, "ms")


def caller_series(cut: Cut, service: str) -> Iterator[Series]:
    """The service as its callers see it: duration, errors and unanswered calls, calls a second."""
    before, after = cut.called(service)
    if not len(before):
        return
    subject = f"calls to {service}"
    yield _rate(cut, subject, "made", before, after, Bar(ratio=3.0, delta=0.5, floor=0.3))
    yield _bad_share(cut, subject, "errors", before, after, "failed", 0.05)
    kind = before["service_name"].astype(str) + " " + before["span_name"].astype(str)
    later = after["service_name"].astype(str) + " " + after["span_name"].astype(str)
    before, after = before.assign(kind=kind), after.assign(kind=later)
    yield from _relative(cut, subject, before, after, "kind", SPAN_LATENCY)
    answers = cut.answered.get(service, set())
    before = before.assign(silent=~member(before["span_id"], answers))
    if before["silent"].mean() < 0.5:  # stores and untraced services never have a span of their own
        after = after.assign(silent=~member(after["span_id"], answers))
        yield _bad_share(cut, subject, "unanswered", before, after, "silent", 0.05)


def log_series(cut: Cut, service: str) -> Iterator[Series]:
    """Lines of severity ERROR and above: written by the service, and by others with its name in them."""
    before, after = cut.error_lines
    bar = Bar(ratio=3.0, delta=0.5, floor=0.3, direction=1)
    own = [rows[rows["service_name"] == service] for rows in (before, after)]
    yield _rate(cut, service, "error lines", own[0], own[1], bar)
    about = [
        rows[(rows["service_name"] != service) & rows["body"].fillna("").str.contains(service, regex=False)]
        for rows in (before, after)
    ]
    yield _rate(cut, f"others about {service}", "error lines", about[0], about[1], bar)


def answer_series(cut: Cut, service: str) -> Iterator[Series]:
    """Contents of the answers in whose trace the service has a part."""
    traces: set[str] = set()
    for rows in (*cut.served(service), *cut.called(service)):
        traces.update(rows["trace_id"])
    before, after = (rows[member(rows["trace_id"], traces)] for rows in cut.responses)
    for key in _largest(before, after, "key"):
        left, right = before[before["key"] == key], after[after["key"] == key]
        yield from content_series(cut, f"{key} through {service}", left, right)


def requests_per_second(cut: Cut, service: str) -> float:
    """Requests a second that reach the service in the first window: spans of its own, or calls to it."""
    served, called = len(cut.served(service)[0]), len(cut.called(service)[0])
    direct = int((cut.responses[0]["service_name"] == service).sum())
    return max(served, called, direct) / cut.before.length_s


def _largest(before: Any, after: Any, column: str) -> list[str]:
    counts = before[column].value_counts()
    return [str(name) for name in counts.index[:LARGEST]] or [str(name) for name in after[column].unique()[:LARGEST]]


def _level(cut: Cut, subject: str, figure: str, before: Any, after: Any, column: str, bar: Bar, unit: str) -> Series:
    return Series(
        subject=subject, figure=figure, kind="level", unit=unit, bar=bar,
        before=cut.stretch(before, before[column], cut.before), after=cut.stretch(after, after[column], cut.after),
    )  # fmt: skip


def _bad_share(
    cut: Cut, subject: str, figure: str, before: Any, after: Any, column: str, floor: float,
    reference: tuple[int, int] | None = None,
) -> Series:  # fmt: skip
    return Series(
        subject=subject, figure=figure, kind="share", bar=Bar(floor=floor), reference=reference,
        before=cut.stretch(before, before[column], cut.before), after=cut.stretch(after, after[column], cut.after),
    )  # fmt: skip


def _rate(cut: Cut, subject: str, figure: str, before: Any, after: Any, bar: Bar) -> Series:
    left, right = (
        cut.stretch(before, before["time_unix_nano"], cut.before),
        cut.stretch(after, after["time_unix_nano"], cut.after),
    )
    return Series(
        subject=subject, figure=figure, kind="rate", unit="/s", bar=bar,
        before=block_counts(left.times_s, left.length_s), after=block_counts(right.times_s, right.length_s),
    )  # fmt: skip


def _ok_rate(cut: Cut, subject: str, before: Any, after: Any, bar: Bar) -> Series:
    return _rate(cut, subject, "good answers", before[~before["failed"]], after[~after["failed"]], bar)


def _relative(cut: Cut, subject: str, before: Any, after: Any, kinds: str, bar: Bar) -> Iterator[Series]:
    """Durations as multiples of their kind's baseline median, pooled over kinds; and the share of slow ones."""
    import numpy as np

    left, right, typical_ms = _relative_values(before, after, [kinds])
    if not len(left[1]):
        return
    yield Series(
        subject=subject, figure="latency", kind="level", unit="ms", bar=bar, scale=typical_ms,
        before=cut.stretch(left[0], left[1], cut.before), after=cut.stretch(right[0], right[1], cut.after),
    )  # fmt: skip
    calm_rows = calm(cut.stretch(left[0], left[1], cut.before)).values
    if not len(calm_rows):
        return  # all there is came within the two worst seconds
    limit = max(SLOW_RATIO, SLOW_P95S * float(np.percentile(calm_rows, 95))) * max(1.0, cut.pace)
    slow = f"answers {limit:.0f} times slower than usual"
    yield Series(
        subject=subject, figure=slow, kind="share", steady=True, bar=Bar(floor=0.05),
        before=cut.stretch(left[0], left[1] > limit, cut.before),
        after=cut.stretch(right[0], right[1] > limit, cut.after),
    )  # fmt: skip


def _relative_values(
    before: Any, after: Any, kinds: Iterable[str]
) -> tuple[tuple[Any, np.ndarray], tuple[Any, np.ndarray], float]:
    """Rows and their durations in multiples of their kind's baseline median; kinds too rare there are left out."""
    kinds = list(kinds)
    grouped = before.groupby(kinds, observed=True)["ms"].agg(["median", "size"])
    usual = grouped.loc[(grouped["size"] >= MIN_ROWS) & (grouped["median"] > 0), "median"]
    parts = []
    for rows in (before, after):
        typical = rows[kinds].join(usual.rename("usual"), on=kinds)["usual"].to_numpy()
        known = typical == typical
        parts.append((rows[known], rows["ms"].to_numpy()[known] / typical[known]))
    kept = parts[0][0]
    return parts[0], parts[1], float(kept["ms"].median()) if len(kept) else 0.0


def _thinned(rows: Any) -> Any:
    return rows.iloc[:: max(1, len(rows) // BODIES_MOST)]
