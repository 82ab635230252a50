"""OTLP JSON files, as the collector's file exporter writes them: an export request a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset.files import write_json
from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import without_slot
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset

BATCH = 2_000
"""Records of a line; a reader holds one line at a time."""
KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
STATUSES = {"UNSET": 0, "OK": 1, "ERROR": 2}
CUMULATIVE = 2
FLAT = "kind histogram: each is told as counters (_bucket, _sum, _count), as Prometheus does, no OTLP histogram"


class Otlp:
    """OTLP in JSON: <case>/{traces,logs,metrics}.jsonl with whole cases, and label.json, timeline.json beside."""

    name = "otlp"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write a folder a case; nothing of the label is in the telemetry."""
        makers: dict[str, tuple[str, str, str, Callable[[Any], Iterator[Json]]]] = {
            "traces": ("resourceSpans", "scopeSpans", "spans", _spans),
            "logs": ("resourceLogs", "scopeLogs", "logRecords", _records),
            "metrics": ("resourceMetrics", "scopeMetrics", "metrics", _metrics),
        }
        for case in data:
            place = out / f"{case.label.scenario}-{case.case_id}"
            place.mkdir()
            write_json(place / "label.json", case.label)
            write_json(place / "timeline.json", case.timeline.to_json())
            without_slot(case, tuple(makers), losses)
            for name in sorted(set(makers) & set(case.modalities)):
                frame = case.table(name)
                with open(place / f"{name}.jsonl", "w", encoding="utf-8") as file:
                    file.writelines(_requests(frame, *makers[name]))
                if name == "metrics" and (frame["kind"] == "histogram").any():
                    losses.note(FLAT)
            losses.written += 1


def _requests(
    frame: pd.DataFrame, resources: str, scopes: str, records: str, make: Callable[[Any], Iterator[Json]]
) -> Iterator[str]:
    """Lines of up to BATCH records, within each a resource for every instance of a service."""
    for start in range(0, len(frame), BATCH):
        instances: dict[tuple[str, str], list[Any]] = {}
        for row in frame.iloc[start : start + BATCH].itertuples():
            instance = row.service_instance_id
            instances.setdefault((str(row.service_name), str(instance) if _is_text(instance) else ""), []).append(row)
        made = []
        for (service, instance), rows in instances.items():
            named = {"service.name": service, "service.instance.id": instance}
            resource = {"attributes": _pairs({key: value for key, value in named.items() if value})}
            made.append({"resource": resource, scopes: [{"scope": {}, records: list(make(rows))}]})
        yield json.dumps({resources: made}, ensure_ascii=False, separators=(",", ":")) + "\n"


def _spans(rows: list[Any]) -> Iterator[Json]:
    for row in rows:
        attributes = dict(json.loads(str(row.attributes)))
        if row.peer:
            attributes.setdefault("peer.service", row.peer)
        span: dict[str, Json] = {
            "traceId": row.trace_id,
            "spanId": row.span_id,
            "name": row.span_name,
            "kind": KINDS.get(str(row.span_kind), 0),
            "startTimeUnixNano": str(row.time_unix_nano),
            "endTimeUnixNano": str(int(row.time_unix_nano) + int(row.duration_ns)),
            "attributes": _pairs(attributes),
            "status": {"code": STATUSES.get(str(row.status_code), 0)},
        }
        yield span | ({"parentSpanId": row.parent_span_id} if _is_text(row.parent_span_id) else {})


def _records(rows: list[Any]) -> Iterator[Json]:
    for row in rows:
        record: dict[str, Json] = {
            "timeUnixNano": str(row.time_unix_nano),
            "severityNumber": int(row.severity_number),
            "severityText": row.severity_text,
            "body": {"stringValue": row.body},
            "attributes": _pairs(json.loads(str(row.attributes))),
        }
        ids = {"traceId": row.trace_id, "spanId": row.span_id}
        observed = getattr(row, "observed_unix_nano", None)
        if isinstance(observed, Integral):  # else null, which pandas has several words for
            record["observedTimeUnixNano"] = str(observed)
        yield record | {key: value for key, value in ids.items() if _is_text(value)}


def _metrics(rows: list[Any]) -> Iterator[Json]:
    points: dict[tuple[str, str, str], list[Json]] = {}
    for row in rows:
        point = {"timeUnixNano": str(row.time_unix_nano), "asDouble": row.value, "attributes": _labels(row.attributes)}
        points.setdefault((row.metric_name, row.unit, row.kind), []).append(point)
    for (name, unit, kind), found in points.items():
        counts = kind in ("counter", "histogram")
        kept = {"aggregationTemporality": CUMULATIVE, "isMonotonic": True} if counts else {}
        yield {"name": name, "unit": unit, "sum" if counts else "gauge": {"dataPoints": found, **kept}}


@lru_cache(maxsize=10_000)
def _labels(text: str) -> list[Json]:
    """Labels of a metric, which recur with each sample."""
    return _pairs(json.loads(text))


def _pairs(attributes: Mapping[str, Json]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Json) -> dict[str, Json]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {} if value is None else {"stringValue": str(value)}


def _is_text(value: object) -> bool:
    """False for None, NaN and the empty text."""
    return isinstance(value, str) and value != ""


OFFERS = (Otlp(),)
