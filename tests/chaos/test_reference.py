"""Which services a suite's requests reach, by the spans of a deployment; what is said when none reaches the target."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_anomod.chaos import reference
from pytest_anomod.model import clock
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.source import SpanFile
from pytest_anomod.testing import fake_deployment
from pytest_anomod.workloads import open_loop, suite_reference

SPEC = {
    "system": "train_ticket",
    "seed": 1,
    "reference": {"window_s": 9, "target": "ts-preserve-service", "instead": []},
}


class Traced:
    """A fake deployment with a file of spans."""

    def __init__(self, directory) -> None:
        self._fake = fake_deployment(directory)
        self.file = directory / "spans.jsonl"
        self.file.touch()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fake, name)

    def instances(self, service: str = "") -> tuple[()]:
        return ()

    def sources(self) -> tuple[SpanFile, ...]:
        return (SpanFile(service="ts-gateway-service", path=self.file),)

    def span(self, trace: str, service: str, peer: str = "") -> None:
        span = {
            "start_unix_nano": clock.now_ns(), "service_name": service, "service_instance_id": "one", "trace_id": trace,
            "span_id": f"{trace}{service}", "span_name": "GET", "span_kind": "CLIENT" if peer else "SERVER",
            "status_code": "OK", "duration_ns": 5, "attributes": {"peer.service": peer} if peer else {},
        }  # fmt: skip
        with self.file.open("a") as file:
            file.write(json.dumps(span) + "\n")


@pytest.fixture
def traced(tmp_path):
    return Traced(tmp_path)


def test_the_services_of_a_trace_are_those_of_its_spans_and_their_peers(traced):
    since_ns = clock.now_ns()
    traced.span("before", "ts-user-service")
    services = reference.start_looking(traced, SPEC)
    traced.span("a", "ts-gateway-service", "ts-travel-service")
    traced.span("a", "ts-travel-service")
    traced.span("b", "ts-gateway-service", "postgres")
    assert services(since_ns) == {
        "a": {"ts-gateway-service", "ts-travel-service"},
        "b": {"ts-gateway-service", "postgres"},
    }


def test_without_a_span_nobody_knows(traced):
    assert reference.start_looking(traced, SPEC)(clock.now_ns()) is None


@pytest.mark.parametrize(
    ("reaching", "instead", "said"),
    [
        (True, [], "so nothing was put in; requests that do: POST /api/v1/preserveservice/preserve$"),
        (False, [], "so nothing was put in; it is called by ts-gateway-service"),
        (False, ["ts-user-service"], "so nothing was put in; requests that do: POST /api/v1/preserveservice/preserve$"),
    ],
)
def test_a_suite_that_reaches_nothing_is_told_what_would(traced, monkeypatch, tmp_path, reaching, instead, said):
    """By the system's own journeys, played for this alone."""

    def play_journeys(spec, records):
        rows = [("t1", "GET", "/api/v1/stationservice/stations"), ("t2", "POST", "/api/v1/preserveservice/preserve")]
        lines = [{"trace_id": t, "method": m, "route": r, "time_unix_nano": 1, "duration_ns": 1} for t, m, r in rows]
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))
        begun_ns = clock.now_ns()
        traced.span("t1", "ts-station-service")
        traced.span("t2", "ts-preserve-service" if reaching else "ts-user-service")
        return {"start_unix_nano": begun_ns}

    monkeypatch.setattr(open_loop, "start", play_journeys)
    monkeypatch.setattr(open_loop, "stop", lambda _: {})
    monkeypatch.setattr(reference, "JOURNEYS_S", 0)
    monkeypatch.setattr(
        suite_reference, "wait_for_round", lambda _: {"looked": [{"test": "a", "journey": "a", "seconds": 0}], "of": 1}
    )
    (tmp_path / "responses.jsonl").touch()
    handle = {"records": str(tmp_path / "responses.jsonl"), "start_unix_nano": 0}
    spec = SPEC | {"reference": SPEC["reference"] | {"instead": instead}}
    with pytest.raises(ScenarioError, match=f"no test of the suite reaches ts-preserve-service, {said}"):
        reference.settle_plays(traced, {"spec": spec}, handle, lambda _: {})
