"""Rows of readers have the fields of our modalities, and the readers cost nothing to who uses none."""

from __future__ import annotations

import subprocess
import sys

from pytest_anomod.modalities.logs import LogCollector
from pytest_anomod.modalities.metrics import COLUMNS
from pytest_anomod.modalities.traces import TraceCollector
from pytest_anomod.sources import read


def test_the_fields_are_those_of_the_modalities():
    assert TraceCollector.fields == read.TRACE_FIELDS
    assert LogCollector.fields == read.LOG_FIELDS
    assert read.METRIC_FIELDS[3:] == tuple(column.name for column in COLUMNS)


def test_the_plugin_and_the_readers_load_no_client_and_no_server_before_they_are_used():
    code = (
        "import sys, pytest_anomod.plugin; ours = [name for name in sys.modules if 'anomod.sources' in name]; "
        "import pytest_anomod.sources.zipkin, pytest_anomod.sources.otlp.receiver; "
        "print(ours, sorted({'requests', 'grpc', 'google.protobuf', 'opentelemetry'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[] []"
