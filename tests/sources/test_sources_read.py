"""Rows of readers have the fields of our modalities, and the readers cost nothing to who uses none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_anomod.model import catalog
from pytest_anomod.sources import line_counter, read

FIELDS = {
    "traces": read.TRACE_FIELDS,
    "logs": read.LOG_FIELDS,
    "metrics": read.METRIC_FIELDS,
    "coverage": line_counter.LINE_FIELDS,
}


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_are_those_of_the_modalities(name):
    """But for the peer of a span, which is found once all spans are there."""
    columns = [column.name for column in catalog.find("modalities", name).columns if column.name != "peer"]
    assert FIELDS[name] == (*read.COMMON, *columns)


def test_the_plugin_and_the_readers_load_no_client_and_no_server_before_they_are_used():
    code = (
        "import sys, pytest_anomod.plugin; ours = [name for name in sys.modules if 'anomod.sources' in name]; "
        "import pytest_anomod.sources.zipkin, pytest_anomod.sources.otlp.receiver; "
        "print(ours, sorted({'requests', 'grpc', 'google.protobuf', 'opentelemetry'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[] []"
