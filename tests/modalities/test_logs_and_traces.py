"""Logs and traces are what was appended while the case ran, whole lines only, the rest counted."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.modalities.logs import Logs
from pytest_anomod.modalities.traces import Traces, peers
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import CaptureError

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def log_line(time_unix_nano, body="hello", **more):
    record = {
        "time_unix_nano": time_unix_nano,
        "severity_number": 9,
        "severity_text": "INFO",
        "body": body,
        "trace_id": TRACE,
        "span_id": SPAN,
        "attributes": {"code.filepath": "social_network/text_service.py", "code.lineno": 3},
        **more,
    }
    return json.dumps(record).encode() + b"\n"


def span_line(start, name="compose_text_server", **more):
    record = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": "",
        "span_name": name,
        "span_kind": "SERVER",
        "status_code": "UNSET",
        "start_unix_nano": start,
        "duration_ns": 1000,
        "service_name": "text-service",
        "service_instance_id": "text-service-2",
        "attributes": {"peer.service": "x"},
        **more,
    }
    return json.dumps(record).encode() + b"\n"


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def add(deployment, service, **more):
    """Add a service; its log."""
    deployment.add(service, **more)
    return deployment.log(service)


def add_spans(deployment, service):
    """Add a service; its span file."""
    deployment.add(service)
    return deployment.spans(service)


def collect(modality, deployment, during):
    collector = modality.collector(deployment, deployment.sources())
    collector.start()
    during(collector)
    collector.stop()
    collector.stop()
    return collector


def test_both_are_found_by_name():
    assert catalog.find("modalities", "logs").name == "logs"
    assert catalog.find("modalities", "traces").has_length is True


def test_log_rows_carry_trace_severity_and_place_and_lie_in_the_stretch(deployment):
    path = add(deployment, "text-service")
    append(path, log_line(50, "before the start"))
    collector = collect(
        Logs(),
        deployment,
        lambda _: append(path, log_line(300, "late") + log_line(100, "a") + log_line(99) + log_line(200, "end")),
    )
    columns = collector.columns(100, 300)
    assert columns["body"] == ["a", "end"]
    assert columns["time_unix_nano"] == [100, 200]
    assert columns["service_name"] == ["text-service"] * 2
    assert columns["trace_id"] == [TRACE] * 2
    assert columns["span_id"] == [SPAN] * 2
    assert columns["severity_number"] == [9, 9]
    assert columns["attributes"][0] == {"code.filepath": "social_network/text_service.py", "code.lineno": 3}
    assert set(columns) == {"time_unix_nano", "service_name", "service_instance_id"} | {c.name for c in Logs.columns}
    assert collector.dropped == 0


def test_torn_and_foreign_lines_are_counted(deployment):
    path = add(deployment, "text-service")
    collector = collect(
        Logs(), deployment, lambda _: append(path, log_line(1) + b"Traceback\n[1]\n" + log_line(2) + log_line(3)[:20])
    )
    assert len(collector.columns(0, 10)["body"]) == 2
    assert collector.dropped == 3


def test_lines_are_parsed_as_if_each_were_alone(deployment):
    """Many are parsed in one go; what is torn, or two in one line, or no text where text must be, spoils no other."""
    path = add(deployment, "text-service")
    good = [log_line(number, f"n{number}") for number in range(1, 1203)]
    bad = [log_line(5)[:30] + b"\n", log_line(6)[:-1] + b"," + log_line(7), log_line(8, 9), b"\n", b" \n"]
    lines = good[:600] + bad + good[600:]
    collector = collect(Logs(), deployment, lambda _: append(path, b"".join(lines)))
    columns = collector.columns(0, 2000)
    assert columns["time_unix_nano"] == list(range(1, 1203))
    assert columns["body"] == [f"n{number}" for number in range(1, 1203)]
    assert collector.dropped == 3


def test_secrets_are_taken_out_of_logs(deployment):
    path = add(deployment, "user-service")
    line = log_line(1, "login with password=hunter2", attributes={"form": "password=hunter2", "token": "hunter2"})
    collector = collect(Logs(), deployment, lambda _: append(path, line))
    assert "hunter2" not in repr(collector.columns(0, 10))


def test_logs_of_stores_are_read_in_their_own_formats(deployment):
    redis = add(deployment, "home-timeline-redis", log_format="redis")
    postgres = add(deployment, "user-mongodb", log_format="postgres")
    now = clock.now_ns()

    def during(_):
        append(redis, b"4711:M 22 Nov 2026 14:25:00.123 * Ready to accept connections tcp\n")
        append(
            postgres, b"%d.000 [5] ERROR:  no such table\n%d.001 [5] STATEMENT:  select\n\t1\n" % ((now // 10**9,) * 2)
        )

    columns = collect(Logs(), deployment, during).columns(0, now * 2)
    assert set(columns["service_name"]) == {"home-timeline-redis", "user-mongodb"}
    row = columns["service_name"].index("user-mongodb")
    assert columns["severity_text"][row] == "ERROR"
    assert columns["attributes"][row]["statement"] == "select\n1"


def test_the_instance_is_the_one_that_ran_between_two_looks_and_unknown_while_it_changed(deployment):
    path = add(deployment, "text-service")
    times = []

    def note(collector):
        times.append(clock.now_ns())
        append(path, log_line(times[-1]))
        collector.edge("next")

    def during(collector):
        note(collector)
        deployment.change("text-service", instance_id="text-service-2")
        note(collector)
        note(collector)

    columns = collect(Logs(), deployment, during).columns(times[0], times[-1] + 1)
    assert columns["service_instance_id"] == ["text-service-1", None, "text-service-2"]


def test_span_rows_name_their_own_instance_and_are_placed_by_their_start(deployment):
    path = add_spans(deployment, "text-service")
    collector = collect(Traces(), deployment, lambda _: append(path, span_line(200) + span_line(100, "early") + b"{"))
    columns = collector.columns(0, 1000)
    assert columns["span_name"] == ["early", "compose_text_server"]
    assert columns["service_instance_id"] == ["text-service-2"] * 2
    assert columns["duration_ns"] == [1000, 1000]
    assert columns["attributes"] == [{"peer.service": "x"}] * 2
    assert columns["peer"] == ["", ""]
    assert set(columns) == {"time_unix_nano", "service_name", "service_instance_id"} | {c.name for c in Traces.columns}
    assert collector.dropped == 1


def test_a_file_that_is_rotated_during_the_case_loses_nothing(deployment):
    path = add_spans(deployment, "text-service")
    path.touch()

    def during(collector):
        append(path, span_line(1))
        path.rename(path.with_suffix(".old"))
        append(path, span_line(2))
        collector.edge("onset")
        path.unlink()
        append(path, span_line(3))

    assert collect(Traces(), deployment, during).columns(0, 10)["time_unix_nano"] == [1, 2, 3]


def test_without_any_source_there_is_no_collector(deployment):
    deployment.add("home-timeline-redis", log_format="redis")
    assert Traces().collector(deployment, deployment.sources()) is None
    with pytest.raises(CaptureError, match="never started"):
        Logs().collector(deployment, deployment.sources()).columns(0, 1)


def test_a_host_that_is_gone_at_an_edge_does_not_end_the_case(deployment):
    path = add(deployment, "text-service")

    def during(collector):
        deployment.lost = True
        collector.edge("onset")
        append(path, log_line(1))

    assert collect(Logs(), deployment, during).columns(0, 10)["body"] == ["hello"]


def spans_of(*rows):
    """Columns of spans from (id, id of the span above, service, kind, attributes)."""
    names = ("span_id", "parent_span_id", "service_name", "span_kind", "attributes")
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def test_a_call_says_whom_it_calls_or_the_span_below_does():
    """The newer attribute wins; only calls have a peer; a call of which nothing is known has none."""
    spans = spans_of(
        ("a", "", "front", "SERVER", {"peer.service": "user"}),
        ("b", "a", "front", "CLIENT", {"peer.service": "old", "service.peer.name": "new"}),
        ("c", "a", "front", "CLIENT", {"peer.service": "back"}),
        ("d", "a", "front", "CLIENT", {"http.method": "GET"}),
        ("e", "d", "cart", "SERVER", {}),
        ("f", "a", "front", "CLIENT", {}),
        ("g", "f", "front", "INTERNAL", {}),
    )
    assert peers(spans) == ["", "new", "back", "cart", "", "", ""]
