"""A healthy deployment: what it announces, what its agents do, what its telemetry says."""

import os
import time
from itertools import pairwise
from typing import Any

import pytest

TRACE = "0af7651916cd43dd8448eb211c80319c"


def spans_of(deployment: Any, trace: str) -> list[dict[str, Any]]:
    """All spans of a trace, of all services."""
    names = [f"spans/{name}.jsonl" for name in ("gate", "front", "back")]
    return [span for name in names for span in deployment.lines(name) if span["trace_id"] == trace]


def test_announcement_names_everything(deployment: Any) -> None:
    """deployment.json tells kinds, calls, urls and files of all five parts."""
    value = deployment.value
    kinds = {name: each["kind"] for name, each in value["services"].items()}
    assert kinds == {"gate": "gateway", "front": "app", "back": "app", "counts": "cache", "notes": "docstore"}
    assert value["entry_url"] == value["urls"]["gate"]
    assert value["services"]["front"]["calls"] == ["back", "counts"]
    assert value["host"]["pid"] == deployment.process.pid
    assert {each["state"] for each in deployment.services().values()} == {"running"}


def test_seed_and_stores_are_in_place(deployment: Any) -> None:
    """The seeded row is read through all hops, and a written one comes back."""
    status, body = deployment.note("seeded")
    assert (status, '"body":"0"' in body) == (200, True)
    url = f"{deployment.value['entry_url']}/notes/written"
    assert deployment.request(url, "PUT", "hello")[0] == 200
    assert '"loud":"HELLO"' in deployment.note("written")[1]


def test_declared_and_undeclared_failures_reach_the_gateway(deployment: Any) -> None:
    """A declared failure keeps its code over two hops, an undeclared one its text."""
    assert deployment.note("missing") == (404, "declared 4: no note missing\n")
    status, _, body = deployment.request(f"{deployment.value['entry_url']}/notes/x", "PUT", "")
    assert (status, "empty note" in body) == (500, True)


def test_trace_context_joins_spans_and_logs(deployment: Any) -> None:
    """The caller's trace goes on through all services; each span hangs below the right one."""
    deployment.note("seeded", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    spans = {span["span_name"]: span for span in spans_of(deployment, TRACE)}
    parents = {"/notes/{name}": "b7ad6b7169203331"}
    chain = ["/notes/{name}", "read_client", "read_server", "find_client", "find_server"]
    parents |= {child: spans[parent]["span_id"] for parent, child in pairwise(chain)}
    parents["count_client"] = spans["read_server"]["span_id"]
    assert {name: span["parent_span_id"] for name, span in spans.items()} == parents
    assert spans["count_client"]["attributes"] == {
        "peer.service": "counts",
        "db.system": "redis",
        "db.operation": "INCR",
    }
    line = next(line for line in deployment.lines("logs/front.log") if line["trace_id"] == TRACE)
    assert line["span_id"] == spans["read_server"]["span_id"]
    assert line["attributes"]["code.filepath"] == "demo_system/front.py"
    assert line["attributes"]["code.function"] == "read"


def test_log_and_spans_may_wait_for_the_disk_at_each_write(deployment: Any) -> None:
    """While it is told to; how often it writes and for how long it waits is counted at all times."""
    before = deployment.agent("front", "/log/durable", {"on": True})[1]
    deployment.note("seeded")
    asked = deployment.agent("front", "/log/durable", {})[1]
    assert asked["on"] is True
    assert asked["writes"] > before["writes"]
    assert asked["waited_s"] > before["waited_s"]
    assert deployment.agent("front", "/log/durable", {"on": False})[1]["on"] is False
    deployment.note("seeded")
    assert deployment.agent("front", "/log/durable", {})[1]["writes"] > asked["writes"]
    assert deployment.agent("front", "/log/durable", {"on": "yes"})[0] == 400


def calls_counted(deployment: Any) -> list[str]:
    """Counters of requests and calls, of all services and on both sides."""
    urls = [deployment.value["services"][name]["metrics_url"] for name in ("gate", "front", "back")]
    lines = [line for url in urls for line in deployment.request(url)[2].splitlines()]
    return [line for line in lines if "requests_total{" in line]


def test_a_request_that_is_not_sampled_leaves_no_trace(deployment: Any) -> None:
    """Flag 00 is what probes send: no span, no line, not even a warning, and no count, down to the last service."""
    trace = TRACE[::-1]
    deployment.note("seeded")
    before = calls_counted(deployment)
    deployment.note("seeded", traceparent=f"00-{trace}-b7ad6b7169203331-00")
    deployment.note("missing", traceparent=f"00-{trace}-b7ad6b7169203331-00")
    assert spans_of(deployment, trace) == []
    lines = [line for name in ("front", "back") for line in deployment.lines(f"logs/{name}.log")]
    assert [line["severity_text"] for line in lines if line["trace_id"] == trace] == []
    assert calls_counted(deployment) == before != []


@pytest.mark.parametrize("header", ["", "rubbish", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE}-{'0' * 16}-01"])
def test_invalid_trace_context_begins_a_new_trace(deployment: Any, header: str) -> None:
    """Without a valid header the gateway's span is a root."""
    deployment.note("seeded", traceparent=header)
    assert deployment.lines("spans/gate.jsonl")[-1]["parent_span_id"] == ""


def test_health_of_the_public_port_leaves_no_trace(deployment: Any) -> None:
    """A probe of the listener is answered and neither traced, logged nor counted."""

    def traces() -> list[Any]:
        agent = deployment.value["services"]["gate"]["metrics_url"]
        counted = [line for line in deployment.request(agent)[2].splitlines() if "requests_total" in line]
        return [counted, deployment.lines("spans/gate.jsonl"), deployment.lines("logs/gate.log")]

    before = traces()
    assert deployment.request(f"{deployment.value['entry_url']}/healthz")[::2] == (200, '{"status":"ok"}')
    assert traces() == before


def test_failed_span_carries_the_message(deployment: Any) -> None:
    """The spans a failure passes through are ERROR and say why."""
    deployment.note("missing")
    span = deployment.lines("spans/back.jsonl")[-1]
    assert (span["status_code"], span["attributes"]["error.message"]) == ("ERROR", "no note missing")


def test_metrics_of_services_and_stores(deployment: Any) -> None:
    """Calls are counted on both sides; stores answer for themselves."""
    deployment.note("seeded")
    pages = {name: deployment.request(each["metrics_url"])[2] for name, each in deployment.value["services"].items()}
    assert 'rpc_server_requests_total{method="Read",status="ok"}' in pages["front"]
    assert 'rpc_client_requests_total{peer="back",status="ok"}' in pages["front"]
    assert 'http_requests_total{route="/notes/{name}",status="200"}' in pages["gate"]
    assert 'http_request_duration_seconds_count{route="/notes/{name}"}' in pages["gate"]
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert f"\n{name} " in pages["back"]
    assert "redis_commands_processed_total" in pages["counts"]
    assert "pg_xact_commit_total" in pages["notes"]


def test_agent_and_control_ask_for_the_token(deployment: Any) -> None:
    """Health and metrics are open, everything else is not."""
    agent = deployment.value["services"]["front"]["agent_url"]
    assert deployment.request(f"{agent}/healthz")[::2] == (200, '{"status":"ok"}')
    for url, method in (
        (f"{agent}/coverage/snapshot", "POST"),
        (f"{deployment.value['control_url']}/shutdown", "POST"),
    ):
        assert deployment.request(url, method, {})[0] == 401
        assert deployment.request(url, method, {}, "wrong")[0] == 401
    assert deployment.note("seeded")[0] == 200


def test_coverage_windows(deployment: Any) -> None:
    """A line shows in every window it ran in, before a reset and after it, and in none it did not run in."""

    def window() -> list[int]:
        value = deployment.agent("front", "/coverage/snapshot", {"reset": True})[1]
        assert list(value["files"]) == ["demo_system/front.py"]
        return value["files"]["demo_system/front.py"]["covered"]

    window()
    assert window() == []
    deployment.note("seeded")
    first = window()
    deployment.note("seeded")
    assert window() == first == [8, 21, 22, 23, 24, 25]
    deployment.note("missing")
    assert window() == [21, 22, 23]


def test_coverage_without_reset_goes_on_and_knows_the_functions(deployment: Any) -> None:
    """Without a reset lines stay; functions are told with their lines."""
    deployment.agent("back", "/coverage/snapshot", {"reset": True})
    deployment.note("seeded")
    for _ in range(2):
        value = deployment.agent("back", "/coverage/snapshot", {"reset": False})[1]
        file = value["files"]["demo_system/back.py"]
        assert file["covered"] == [13, 14, 17]
        assert set(file["covered"]) <= set(file["executable"])
        assert file["functions"]["Back.find"] == [10, 17]


def test_coverage_snapshot_is_quick(deployment: Any) -> None:
    """A snapshot with reset takes some milliseconds: it is made at every edge of a phase."""
    times = []
    for _ in range(10):
        started = time.perf_counter()
        deployment.agent("front", "/coverage/snapshot", {"reset": True})
        times.append(time.perf_counter() - started)
    assert min(times) < 0.02


def test_code_change_and_back_in_a_running_service(deployment: Any) -> None:
    """A patched function acts at once, its first line is covered, and restore brings the old answer back."""
    before = deployment.note("seeded")[1].split('"count"')[0]
    location = deployment.agent("front", "/code/locate", {"function": "front:shout"})[1]
    assert location == {"file": "demo_system/front.py", "function": "shout", "first_line": 6, "last_line": 8}
    patch = {"function": "front:shout", "action": "raise", "exception": "ValueError", "message": "hoarse"}
    assert deployment.agent("front", "/code/patch", patch) == (200, location)
    assert "hoarse" in deployment.note("seeded")[1]
    assert deployment.agent("front", "/code/patched", method="GET")[1] == ["front:shout"]
    slow = {"function": "front:Front.read", "action": "delay", "delay_s": 0.1}
    deployment.agent("front", "/code/patch", slow)
    assert deployment.agent("front", "/code/restore", {"function": "front:shout"})[1] == ["front:Front.read"]
    started = time.monotonic()
    assert deployment.note("seeded")[0] == 200
    assert time.monotonic() - started > 0.1
    assert deployment.agent("front", "/code/restore", {"function": None})[1] == []
    assert deployment.note("seeded")[1].split('"count"')[0] == before
    status, answer = deployment.agent("front", "/code/patch", {"function": "front:nothing", "action": "return"})
    assert (status, "nothing" in answer["error"]) == (400, True)


def test_listener_moves_and_returns(deployment: Any) -> None:
    """While the listener is elsewhere the service is refused at its name; afterwards all is as before."""
    free = deployment.base + 11
    for _ in range(2):
        assert deployment.agent("front", "/listener/move", {"port": free}) == (200, {"port": free})
    assert free in deployment.listening()
    assert deployment.note("seeded") == (502, "refused: connect() failed: Connection refused\n")
    for _ in range(2):
        assert deployment.agent("front", "/listener/move", {"port": None})[0] == 200
    assert deployment.note("seeded")[0] == 200
    assert free not in deployment.listening()


def test_nothing_in_telemetry_gives_the_tool_away(deployment: Any) -> None:
    """No log, span or metric speaks of what this is for."""
    deployment.note("seeded")
    pages = [deployment.request(each["metrics_url"])[2] for each in deployment.value["services"].values()]
    for folder in ("logs", "spans"):
        pages += [path.read_text() for path in (deployment.directory / folder).iterdir()]
    text = "\n".join(pages).lower()
    assert [
        word for word in ("anomod", "chaos", "fault", "inject", "blade") if word in text.replace("default", "")
    ] == []


def test_secrets_are_private(deployment: Any) -> None:
    """Passwords and the token are for the owner's eyes."""
    folder = deployment.directory / "secret"
    assert {oct(os.stat(path).st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert oct(os.stat(folder).st_mode & 0o777) == "0o700"
