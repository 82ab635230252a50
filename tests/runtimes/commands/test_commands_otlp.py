"""Plain commands that export over OTLP are told to export to a receiver of ours, which ends with them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from tiny_system import define_tiny

from pytest_anomod.host import processes
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.source import OtlpInbox
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.sources.otlp.receiver import OtlpReceiver, receiver_in

SPAN = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "startTimeUnixNano": 1}


def send(url):
    """A span, as an SDK would send it."""
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()
    request = urllib.request.Request(f"{url}/v1/traces", body, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.status


@pytest.fixture
def collector():
    """One of the user's own."""
    collector = OtlpReceiver()
    collector.start()
    yield collector
    collector.close()


def test_services_are_told_where_to_export_to_and_it_is_sent_on(tmp_path, session, collector):
    runtime = CommandsRuntime()
    deployment = runtime.up(define_tiny(tmp_path, otlp=True, forward=collector.url), session)
    pid = instance_of(deployment, "stock").pid
    url = processes.variable_of(pid, "OTEL_EXPORTER_OTLP_ENDPOINT")
    assert url.startswith("http://127.0.0.1:")
    assert processes.variable_of(pid, "OTEL_SERVICE_NAME") == "stock"
    (inbox,) = [source for source in deployment.sources() if isinstance(source, OtlpInbox)]
    assert receiver_in(inbox.directory).url == url
    assert send(url) == 200
    clock.wait_until(lambda: collector.read("traces", 0, 2).rows, timeout_s=10, what="the span at the collector")
    runtime.down(deployment)
    assert receiver_in(inbox.directory) is None
    with pytest.raises(urllib.error.URLError):
        send(url)


def test_without_that_nothing_is_set(tiny):
    assert processes.variable_of(instance_of(tiny, "stock").pid, "OTEL_EXPORTER_OTLP_ENDPOINT") == ""
    assert not [source for source in tiny.sources() if isinstance(source, OtlpInbox)]
