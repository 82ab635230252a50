"""What others collect becomes rows of a case: asked late enough, instances named, losses and oddities counted."""

from __future__ import annotations

import dataclasses
import json
import urllib.request
from collections import Counter

import pytest

from pytest_anomod.modalities.logs import Logs
from pytest_anomod.modalities.traces import Traces
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.runtime import Instance
from pytest_anomod.model.source import LogFile, OtlpInbox, SpanFile, Zipkin
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.sources import zipkin as zipkin_reader
from pytest_anomod.sources.otlp.receiver import OtlpReceiver, receiver_in
from pytest_anomod.sources.read import Reading

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Deployment:
    """A deployment with one service, `cart`."""

    system = "fake"

    def instances(self):
        return (
            Instance(
                service="cart", kind=ServiceKind.APP, instance_id="cart-3", address=("127.0.0.1", 1), pid=None,
                start_time=None, state="running",
            ),
        )  # fmt: skip


def span(number, *, service="cart", kind="SERVER", parent="", start=0, instance=None, **attributes):
    """A row of a span."""
    ids = TRACE, f"{number:016x}", parent
    return (start, service, instance, *ids, "op", kind, "UNSET", 10, attributes)


@pytest.fixture
def receiver(tmp_path):
    made = OtlpReceiver(directory=tmp_path / "inbox", settle_s=0.3)
    (tmp_path / "inbox").mkdir()
    made.start()
    yield made
    made.close()


def send_log(receiver, body, when):
    """Send a log line as an SDK does."""
    record = {"timeUnixNano": str(when), "severityNumber": 17, "body": {"stringValue": body}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]}
    document = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{receiver.url}/v1/logs", json.dumps(document).encode(), headers)
    urllib.request.urlopen(request, timeout=5).read()


def test_a_backend_is_asked_once_all_that_is_on_its_way_has_come(monkeypatch):
    """As long after the end as it says; what it drops and finds odd is counted, instances are those that we saw run."""
    asked = []

    @dataclasses.dataclass
    class Backend:
        url: str
        settle_s: float = 0.3

        def read(self, start_ns, end_ns):
            asked.append(clock.monotonic_s())
            rows = [span(2, start=50, instance="pod-1"), span(1, start=5, kind="CLIENT")]
            return Reading(rows=rows, dropped=Counter({"no id": 2}), noted=Counter({"skewed": 1}))

    monkeypatch.setattr(zipkin_reader, "Zipkin", Backend)
    collector = Traces().collector(Deployment(), [Zipkin(url="http://zipkin")])
    collector.start()
    collector.edge("baseline")
    ended = clock.monotonic_s()
    collector.settle(ended)
    collector.stop()
    columns = collector.columns(0, 100)
    assert asked[0] - ended >= 0.3
    assert columns["time_unix_nano"] == [5, 50]
    assert columns["service_instance_id"] == ["cart-3", "pod-1"]
    assert (collector.dropped, dict(collector.noted)) == (2, {"skewed": 1, "dropped: no id": 2})
    assert not collector.may_be_silent


def test_what_services_send_is_of_the_case_in_which_it_came(receiver, tmp_path):
    """What came before is forgotten at the start; nobody has to send, so nothing at all is no error."""
    before, now = clock.now_ns(), clock.now_ns() + 1000
    send_log(receiver, "before", before)
    collector = Logs().collector(Deployment(), [OtlpInbox(directory=tmp_path / "inbox")])
    collector.start()
    send_log(receiver, "during password=hunter2", now)
    collector.stop()
    columns = collector.columns(before, now + 1)
    assert columns["body"] == ["during password=[redacted]"]
    assert columns["service_instance_id"] == ["cart-3"]
    assert collector.may_be_silent
    assert Logs().collector(Deployment(), [OtlpInbox(directory=tmp_path / "inbox")]).may_be_silent


def test_a_receiver_that_is_not_here_is_told(tmp_path, receiver):
    with pytest.raises(CaptureError, match="no OTLP receiver of this process"):
        Logs().collector(Deployment(), [OtlpInbox(directory=tmp_path / "elsewhere")])
    receiver.close()
    assert receiver_in(tmp_path / "inbox") is None


def test_sources_of_a_modality_become_one_table_in_time_order(receiver, tmp_path):
    """A file in anybody's format beside what is sent; the file's lines may be silent too."""
    now = clock.now_ns()
    path = tmp_path / "cart.log"
    sources = [OtlpInbox(directory=tmp_path / "inbox"), LogFile(service="cart", path=path)]
    collector = Logs().collector(Deployment(), sources)
    assert collector.may_be_silent
    collector.start()
    send_log(receiver, "sent", now)
    stamps = [clock.ns_to_iso(now + offset) for offset in (-(10**9), 10**9)]
    path.write_text("".join(f"{stamp} WARN line {number}\n" for number, stamp in enumerate(stamps)))
    collector.stop()
    columns = collector.columns(now - 2 * 10**9, now + 2 * 10**9)
    assert [body[:6] for body in columns["body"]] == ["line 0", "sent", "line 1"]
    assert columns["severity_text"] == ["WARN", "ERROR", "WARN"]
    assert columns["service_name"] == ["cart"] * 3


def test_a_source_that_must_give_rows_makes_the_whole_modality_so(receiver, tmp_path):
    sources = [OtlpInbox(directory=tmp_path / "inbox"), SpanFile(service="cart", path=tmp_path / "spans")]
    assert not Traces().collector(Deployment(), sources).may_be_silent
