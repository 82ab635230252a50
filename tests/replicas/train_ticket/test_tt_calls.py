"""Who calls whom: the declaration, and the edges in the spans of full traffic, are those of the original."""

import csv
import os
from pathlib import Path

import pytest
from host_program import wait_for
from test_tt_endpoints import all_examples
from tt_examples import send
from tt_system import System

from pytest_anomod.replicas.train_ticket import SYSTEM

Edge = tuple[str, str]

WANTED = {(row["caller"], row["callee"]) for row in csv.DictReader((Path(__file__).parent / "calls.csv").open())}
# a consumer is called by the broker, though it is the consumer that connects
CONSUMED = {edge for edge in WANTED if edge[0] == "rabbitmq"}
NEVER_REACHED = {("ts-gateway-service", "ts-avatar-service")}  # routed, but the registry never hears of the callee
OUTSIDE = {("ts-notification-service", "smtp.163.com:465")}  # a mail server that is no part of the deployment


def test_the_declared_calls_are_those_of_the_original() -> None:
    """Labels and root causes are read from the declaration."""
    declared = {(spec.name, callee) for spec in SYSTEM.services for callee in spec.calls}
    assert declared == WANTED - CONSUMED | {(callee, caller) for caller, callee in CONSUMED}


def _edges(system: System) -> set[Edge]:
    found = set()
    for span in system.spans():
        attributes = span["attributes"]
        if span["span_kind"] == "CLIENT":
            found.add((span["service_name"], attributes["peer.service"]))
        elif "messaging.source" in attributes:
            found.add((attributes["messaging.source"], span["service_name"]))
    return found


@pytest.fixture(scope="module")
def traffic(system: System) -> System:
    """The system after every example; those that other tests sent already are not sent again."""
    for example in all_examples():
        if example.title not in system.sent:
            send(system, example)
    system.get("/api/v1/configservice/configs", service="ts-ui-dashboard")
    return system


def test_the_edges_in_the_traces_are_those_of_the_original(traffic: System) -> None:
    """HTTP, SQL and queue edges; dead code aside."""
    wanted = WANTED - NEVER_REACHED | OUTSIDE
    try:
        wait_for(lambda: wanted <= _edges(traffic), "all edges")
    except AssertionError:
        missing, extra = sorted(wanted - _edges(traffic)), sorted(_edges(traffic) - wanted)
        pytest.fail(f"missing: {missing}{os.linesep}extra: {extra}")
    assert sorted(_edges(traffic) - wanted) == []


def test_traces_hold_together(traffic: System) -> None:
    """Every span that a request of ours led to has its parent; nobody starts a trace in the middle."""
    spans = {(span["trace_id"], span["span_id"]): span for span in traffic.spans()}
    orphans = {
        (span["service_name"], span["span_name"])
        for span in spans.values()
        if span["parent_span_id"] and (span["trace_id"], span["parent_span_id"]) not in spans
        and span["parent_span_id"] != "00000000000000aa"
    }  # fmt: skip
    assert orphans == set()
