"""Builds small whole cases, through the same CaseWriter as real ones, for the tests and the benchmark."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

from pytest_anomod.dataset.write import CaseWriter
from pytest_anomod.model import clock, timeline
from pytest_anomod.model.journal import read_journal
from pytest_anomod.model.label import Label
from pytest_anomod.model.modality import Column, Columns
from pytest_anomod.model.timeline import Timeline

SECOND = 1_000_000_000
START_NS = 1_795_321_500 * SECOND  # 2026-11-22T04:25:00Z
SERVICES = ("nginx-thrift", "text-service", "user-timeline-service")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A modality as far as the dataset needs one: name, schema, whether its records last."""

    name: str
    columns: tuple[Column, ...]
    has_length: bool = False

    def collector(self, deployment: Any, sources: Any) -> Any:
        """Nothing is collected here."""
        raise AssertionError("the dataset's tests collect nothing")


def _columns(*specs: str) -> tuple[Column, ...]:
    made = []
    for spec in specs:
        name, kind = spec.rstrip("?").split(":")
        made.append(Column(name=name, type=kind, doc=f"the {name}", nullable=spec.endswith("?")))
    return tuple(made)


LOGS = Table(
    name="logs",
    columns=_columns(
        "severity_number:int32", "severity_text:string", "body:string", "trace_id:string?", "span_id:string?",
        "attributes:json", "observed_unix_nano:int64?",
    ),
)  # fmt: skip
METRICS = Table(
    name="metrics",
    columns=_columns("metric_name:string", "unit:string", "kind:string", "value:float64", "attributes:json"),
)
TRACES = Table(
    name="traces",
    has_length=True,
    columns=_columns(
        "trace_id:string", "span_id:string", "parent_span_id:string?", "span_name:string", "span_kind:string",
        "status_code:string", "duration_ns:int64", "peer:string", "attributes:json",
    ),
)  # fmt: skip
API_RESPONSES = Table(
    name="api_responses",
    has_length=True,
    columns=_columns(
        "journey:string", "step:int32", "method:string", "route:string", "url:string", "status_code:int32",
        "error_kind:string", "duration_ns:int64", "request_headers:json", "request_body:string?",
        "response_headers:json", "response_body:string?", "trace_id:string",
    ),
)  # fmt: skip
COVERAGE = Table(
    name="coverage",
    columns=_columns("file:string", "function:string?", "line:int32", "covered:bool", "hits:int64?"),
)
TABLES = (LOGS, METRICS, TRACES, API_RESPONSES, COVERAGE)

STEPS = (
    ("baseline", 4.0),
    ("inject", 0.2),
    ("seen", 1.3),
    ("hold", 4.0),
    ("recover", 0.3),
    ("gone", 1.2),
    ("recovery", 2.0),
)
CONTROL_STEPS = (("baseline", 4.0), ("hold", 4.0), ("recovery", 2.0))
WARMUP_S = 1.0


def journal(*, control: bool, start_ns: int = START_NS) -> dict[str, Any]:
    """A Chaos Toolkit journal in which everything went well."""
    now, run = start_ns + int(WARMUP_S * SECOND), []
    for name, length_s in CONTROL_STEPS if control else STEPS:
        end = now + int(length_s * SECOND)
        run.append(_activity(name, now, end))
        now = end + 1_000_000
    before = {"steady_state_met": True, "probes": [_activity("warm-up", start_ns, start_ns + SECOND)]}
    return {
        "start": clock.ns_to_iso(start_ns)[:26],
        "end": clock.ns_to_iso(now)[:26],
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": before, "after": None},
        "run": run,
        "rollbacks": [],
    }


def _activity(name: str, start_ns: int, end_ns: int) -> dict[str, Any]:
    return {
        "activity": {"name": name},
        "start": clock.ns_to_iso(start_ns)[:26],
        "end": clock.ns_to_iso(end_ns)[:26],
        "status": "succeeded",
        "output": True,
    }


def case_timeline(*, control: bool = False, start_ns: int = START_NS) -> Timeline:
    """The timeline of `journal`."""
    return timeline.derive(read_journal(journal(control=control, start_ns=start_ns)), start_ns)


def label(case_id: str, scenario: str, windows: Timeline, **changes: Any) -> Label:
    """A label that fits the timeline; `changes` replace fields."""
    starts = {str(window.phase): window.start_ns for window in windows.windows}
    control = "control" in starts
    values: dict[str, Any] = {
        "case_id": case_id,
        "scenario": scenario,
        "system": "social_network",
        "runtime": "process",
        "injector": "native",
        "level": "normal" if control else "performance",
        "fault": "none" if control else "cpu_contention",
        "parameters": {} if control else {"cores": 1, "share": 0.5},
        "target": "text-service",
        "root_cause_service": None if control else "text-service",
        "root_cause_instances": () if control else ("text-service-1",),
        "root_cause_code_file": None,
        "root_cause_code_function": None,
        "root_cause_code_first_line": None,
        "root_cause_code_last_line": None,
        "inject_start_unix_nano": starts.get("onset"),
        "seen_unix_nano": starts.get("anomaly"),
        "recover_start_unix_nano": starts.get("release"),
        "gone_unix_nano": None if control else starts.get("recovery"),
        "steady_again_unix_nano": None if control else starts.get("recovery", 0) + 500_000_001,
        "held_ratio": None if control else 1.0,
        "seed": 1,
        "rate_rps": 30.0,
        "versions": {"python": "3.11.9"},
        "verdict": "normal" if control else "effective",
        "expects": "normal" if control else "effective",
    }
    return Label(**{**values, **changes})


def build_case(
    out: Path,
    scenario: str = "perf_cpu_contention",
    *,
    case_id: str | None = None,
    control: bool = False,
    start_ns: int = START_NS,
    per_s: int = 10,
    edit: Any = None,
    complete: bool = True,
    may_be_silent: tuple[str, ...] = (),
    **changes: Any,
) -> CaseWriter:
    """Write a case; `edit(name, columns)` may change a table's columns first, `changes` replace the label's fields.

    Tables of modalities that the label says are absent are not written.
    """
    system = changes.get("system", "social_network")
    writer = CaseWriter(out, system, scenario, case_id)
    windows = case_timeline(control=control, start_ns=start_ns)
    truth = label(writer.case_id, scenario, windows, **changes)
    for name, document in (
        ("scenario.json", _scenario(truth)),
        ("experiment.json", {"title": scenario, "method": []}),
        ("journal.json", journal(control=control, start_ns=start_ns)),
        ("timeline.json", windows.to_json()),
    ):
        writer.write_json(name, document)
    for table in TABLES:
        if table.name in truth.absent:
            continue
        columns = case_columns(table.name, windows, per_s)
        if edit is not None:
            edit(table.name, columns)
        writer.write_table(table, columns, windows)
    writer.write_label(truth)
    if complete:
        dropped = dict.fromkeys((table.name for table in TABLES), 0)
        manifest = {
            "verdict": truth.verdict,
            "expects": truth.expects,
            "dropped": dropped,
            "problems": [],
            "findings": [],
        }
        writer.complete({**manifest, "absent": dict(truth.absent), "may_be_silent": may_be_silent})
    return writer


def _scenario(truth: Label) -> dict[str, Any]:
    return {
        "name": truth.scenario,
        "system": truth.system,
        "fault": {"name": truth.fault, "parameters": dict(truth.parameters)},
        "target": truth.target,
        "level": truth.level,
        "seed": truth.seed,
        "expects": truth.expects,
        "severity": truth.severity,
        "workload": {"rate_rps": truth.rate_rps, "mix": None, "timeout_s": 5.0},
        "durations": {"warmup_s": WARMUP_S, "baseline_s": 4.0, "anomaly_s": 4.0, "recovery_s": 2.0},
    }


def case_columns(name: str, windows: Timeline, per_s: int) -> Columns:
    """The columns a collector would give: `per_s` journeys a second, each with a span per service and two log lines."""
    step = SECOND // per_s
    times = list(range(windows.start_ns + 1_000, windows.end_ns, step))
    rng = random.Random(7)
    anomaly = next(window for window in windows.windows if window.phase in ("anomaly", "control"))
    slow = [windows.phase_at(time) == "anomaly" for time in times]
    assert any(anomaly.start_ns <= time < anomaly.end_ns for time in times)
    return _BUILDERS[name](times, slow, rng)


def _base(times: list[int], service: Any = "nginx-thrift") -> Columns:
    names = [service] * len(times) if isinstance(service, str) else service
    return {
        "time_unix_nano": times,
        "service_name": names,
        "service_instance_id": [f"{name}-1" for name in names],
    }


def _ids(index: int) -> tuple[str, str]:
    return f"{index + 1:032x}", f"{index + 1:016x}"


def _logs(times: list[int], slow: list[bool], rng: random.Random) -> Columns:
    ids = [_ids(index) for index in range(len(times))]
    return {
        **_base(times, [SERVICES[index % 3] for index in range(len(times))]),
        "severity_number": [9] * len(times),
        "severity_text": ["INFO"] * len(times),
        "body": [
            f"Stored post {rng.getrandbits(60)} of user_{rng.randrange(900)}" if index % 2 else "Timeline read in full"
            for index in range(len(times))
        ],
        "trace_id": [trace for trace, _ in ids],
        "span_id": [span for _, span in ids],
        "attributes": [{"code.lineno": 12}] * len(times),
        "observed_unix_nano": [None] * len(times),
    }


def _metrics(times: list[int], slow: list[bool], rng: random.Random) -> Columns:
    names = ("process_cpu_seconds_total", "process_resident_memory_bytes")
    return {
        **_base(times, [SERVICES[index % 3] for index in range(len(times))]),
        "metric_name": [names[index % 2] for index in range(len(times))],
        "unit": ["s"] * len(times),
        "kind": ["counter"] * len(times),
        "value": [rng.random() for _ in times],
        "attributes": [{}] * len(times),
    }


def _traces(times: list[int], slow: list[bool], rng: random.Random) -> Columns:
    rows = [(time, index, place) for index, time in enumerate(times) for place in range(3)]
    spans = [f"{index * 3 + place + 1:016x}" for _, index, place in rows]
    return {
        **_base([time for time, _, _ in rows], [SERVICES[place] for _, _, place in rows]),
        "trace_id": [_ids(index)[0] for _, index, _ in rows],
        "span_id": spans,
        "parent_span_id": [None if place == 0 else spans[at - 1] for at, (_, _, place) in enumerate(rows)],
        "span_name": ["/wrk2-api/post/compose"] * len(rows),
        "span_kind": ["SERVER"] * len(rows),
        "status_code": ["OK"] * len(rows),
        "duration_ns": [80_000_000 if slow[index] else 5_000_000 for _, index, _ in rows],
        "peer": [""] * len(rows),
        "attributes": [{}] * len(rows),
    }


def _api_responses(times: list[int], slow: list[bool], rng: random.Random) -> Columns:
    count = len(times)
    return {
        **_base(times),
        "journey": ["compose"] * count,
        "step": [1] * count,
        "method": ["POST"] * count,
        "route": ["/wrk2-api/post/compose"] * count,
        "url": ["http://127.0.0.1:8080/wrk2-api/post/compose"] * count,
        "status_code": [500 if late and index % 4 == 0 else 200 for index, late in enumerate(slow)],
        "error_kind": [""] * count,
        "duration_ns": [90_000_000 if late else 6_000_000 for late in slow],
        "request_headers": [{"authorization": "[redacted]"}] * count,
        "request_body": ["username=user_1&password=[redacted]"] * count,
        "response_headers": [{}] * count,
        "response_body": ["ok"] * count,
        "trace_id": [_ids(index)[0] for index in range(count)],
    }


def _coverage(times: list[int], slow: list[bool], rng: random.Random) -> Columns:
    lines = [(time, line) for time in times[::4] for line in range(10, 14)]
    return {
        **_base([time for time, _ in lines], "text-service"),
        "file": ["social_network/text_service.py"] * len(lines),
        "function": ["TextHandler.compose_text"] * len(lines),
        "line": [line for _, line in lines],
        "covered": [line != 13 for _, line in lines],
        "hits": [None] * len(lines),
    }


_BUILDERS = {
    "logs": _logs,
    "metrics": _metrics,
    "traces": _traces,
    "api_responses": _api_responses,
    "coverage": _coverage,
}
