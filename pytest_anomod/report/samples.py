"""Small readable excerpts of a case for the report: changed lines, log lines, traces, JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import fast_json
from pytest_anomod.model.clock import ns_to_iso
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.redact import redact_json
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    from pytest_anomod.model.verdict import CaseView

LOG_LINES = 60
TRACES_OF_A_KIND = 2


def pretty(value: Any) -> str:
    """Indented JSON without secrets; dataclasses as objects."""
    plain = json.loads(json.dumps(value, default=_plain))
    return fast_json.indented(redact_json(plain))


def ranking(view: CaseView) -> list[dict[str, Any]]:
    """The figures that moved most between baseline and anomaly over all services, largest first; it takes long."""
    from pytest_anomod.checks import top_shifts

    return top_shifts(view)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV."""
    if not rows:
        return "nothing was compared\n"
    names = list(rows[0])
    lines = [",".join(names), *(",".join(_cell(row.get(name)) for name in names) for row in rows)]
    return "\n".join(lines) + "\n"


def coverage_changes(view: CaseView) -> str:
    """Lines of the target covered in the baseline and not in the anomaly window, and the other way round."""
    if "coverage" not in view.frames:
        return _not_there(view, "coverage")
    frame = view.frames["coverage"]
    targets = " and ".join(view.scenario.targets)
    frame = frame[frame["covered"] & frame["service_name"].isin(view.scenario.targets)]
    middle = Phase.CONTROL if view.scenario.is_control else Phase.ANOMALY
    before = _lines(frame[frame["phase"] == str(Phase.BASELINE)])
    during = _lines(frame[frame["phase"] == str(middle)])
    if not before and not during:
        return f"{targets} has no line coverage (stores have none)\n"
    text = []
    for title, lines in (("no longer covered", before - during), ("newly covered", during - before)):
        text.append(f"{title}: {len(lines)} lines")
        files = sorted({file for file, _ in lines})
        text += [f"  {file}: {_ranges([n for name, n in lines if name == file])}" for file in files]
    return "\n".join(text) + "\n"


def logs(view: CaseView, phase: Phase) -> str:
    """Warnings and errors of the window first, then the target's own lines."""
    if "logs" not in view.frames:
        return _not_there(view, "logs")
    frame = view.frames["logs"]
    frame = frame[frame["phase"] == str(phase)]
    bad = frame[frame["severity_number"] >= 13].head(LOG_LINES // 2)
    of_target = frame["service_name"].isin(view.scenario.targets)
    own = frame[of_target & (frame["severity_number"] < 13)].head(LOG_LINES // 2)
    bad_count = int((frame["severity_number"] >= 13).sum())
    parts = [f"{len(frame)} lines in the window, {bad_count} of them warnings or worse"]
    for title, rows in (("warnings and errors", bad), (f"lines of {' and '.join(view.scenario.targets)}", own)):
        parts.append(f"\n--- {title}")
        parts += [_log_line(row) for row in rows.itertuples()]
    return "\n".join(parts) + "\n"


def _not_there(view: CaseView, modality: str) -> str:
    return f"no {modality}: {view.absent.get(modality, 'not recorded')}\n"


def _log_line(row: Any) -> str:
    trace = f" [{row.trace_id}]" if row.trace_id else ""
    return f"{ns_to_iso(row.time_unix_nano)} {row.severity_text:5} {row.service_name}: {row.body}{trace}"


def traces(view: CaseView, phase: Phase) -> str:
    """A few whole traces of the window as indented trees: failed ones, the slowest, typical ones."""
    if "traces" not in view.frames:
        return _not_there(view, "traces")
    spans = view.frames["traces"]
    responses = view.frames["api_responses"]
    responses = responses.assign(failed=failed_rows(responses, replayed=view.scenario.workload.closed_loop))
    responses = responses[responses["phase"] == str(phase)].sort_values("duration_ns")
    failed = responses[responses["failed"]]
    middle = len(responses) // 2
    kinds = (
        ("failed", failed.head(TRACES_OF_A_KIND)),
        ("slowest", responses.tail(TRACES_OF_A_KIND)),
        ("typical", responses.iloc[middle : middle + TRACES_OF_A_KIND]),
    )
    shown = {trace_id for _, rows in kinds for trace_id in rows["trace_id"]}
    spans = spans[spans["trace_id"].isin(shown)]
    parts: list[str] = []
    for title, rows in kinds:
        for row in rows.itertuples():
            parts.append(
                f"--- {title}: {row.journey} {row.status_code}, {row.duration_ns / 1e6:.1f} ms, {row.trace_id}"
            )
            parts += _tree(spans[spans["trace_id"] == row.trace_id])
    return "\n".join(parts) + "\n" if parts else "no request in the window\n"


def _tree(spans: Any) -> list[str]:
    rows = sorted(spans.itertuples(), key=lambda row: row.time_unix_nano)
    known = {row.span_id for row in rows}
    children: dict[str, list[Any]] = {}
    for row in rows:
        parent = row.parent_span_id if row.parent_span_id in known else ""
        children.setdefault(parent, []).append(row)
    lines: list[str] = []

    def walk(parent: str, depth: int) -> None:
        for row in children.get(parent, []):
            mark = "" if row.status_code != "ERROR" else "  ERROR"
            lines.append(f"{'  ' * depth}{row.service_name}: {row.span_name} {row.duration_ns / 1e6:.2f} ms{mark}")
            walk(row.span_id, depth + 1)

    walk("", 1)
    return lines or ["  (no span)"]


def _lines(frame: Any) -> set[tuple[str, int]]:
    return set(zip(frame["file"], frame["line"].astype(int), strict=True))


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text else text


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)
