"""API responses are the records of the workload, whole lines only."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.modalities.api_responses import COLUMNS, FIELDS, ApiResponses
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.source import ResponseRecord
from pytest_anomod.workloads.exchange import base_record
from pytest_anomod.workloads.plan import arrivals, read_spec

SPEC = {"system": "social_network", "entry_url": "http://127.0.0.1:1/", "seed": 7, "deadline_s": 60}


def line(time_unix_nano):
    record = base_record(next(arrivals(read_spec(SPEC))), time_unix_nano, "nginx-thrift")
    return json.dumps({**record, "status_code": 200}) + "\n"


def test_records_of_the_workload_are_its_columns(deployment, tmp_path):
    records = tmp_path / "responses.jsonl"
    collector = ApiResponses().collector(deployment, (ResponseRecord(path=records),))
    collector.start()
    records.write_text(line(200) + line(100) + line(300) + line(150)[:40])
    collector.edge("end")
    columns = collector.columns(100, 300)
    assert tuple(columns) == FIELDS
    assert columns["time_unix_nano"] == [100, 200]
    assert columns["service_name"] == ["nginx-thrift"] * 2
    assert columns["status_code"] == [200, 200]
    assert columns["service_instance_id"] == [None, None]
    assert collector.dropped == 1
    collector.columns(100, 300)
    assert collector.dropped == 1


def test_values_have_the_types_that_the_schema_says(deployment, tmp_path):
    kinds = {"int64": int, "int32": int, "string": str, "bool": bool, "json": dict}
    records = tmp_path / "responses.jsonl"
    records.write_text(line(1))
    columns = ApiResponses().collector(deployment, (ResponseRecord(path=records),)).columns(0, 2)
    for column in COLUMNS:
        assert type(columns[column.name][0]) is kinds[column.type], column.name


def test_a_workload_that_never_began_is_an_error(deployment, tmp_path):
    collector = ApiResponses().collector(deployment, (ResponseRecord(path=tmp_path / "none"),))
    collector.start()
    collector.stop()
    with pytest.raises(CaptureError, match="never began"):
        collector.columns(0, 1)
    assert ApiResponses().collector(deployment, ()) is None
