"""Faults in plain commands, without root: each is seen while it is in, and everything is as before afterwards."""

from __future__ import annotations

import http.client
import urllib.request

import pytest

from pytest_anomod.faults import (
    CpuContention,
    DiskStress,
    HttpAbort,
    HttpDelay,
    KillService,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    PauseService,
    StopService,
)
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import instance_of


def await_that(condition):
    """A busy machine may look like a slow service, and not for long."""
    clock.wait_until(condition, timeout_s=30.0, what="that to be seen")


@pytest.mark.parametrize(
    "fault",
    [
        KillService(once=True),
        StopService(),
        PauseService(),
        CpuContention(),
        NetworkDelay(),
        NetworkLoss(percent=50),
        NetworkBandwidth(),
        HttpAbort(method="GET"),
        HttpAbort(method="GET", header="X-Group: beta"),
        HttpDelay(method="GET"),
        HttpDelay(method="GET", delay_ms=50, on_s=0.5, off_s=1),
        DiskStress(),
    ],
    ids=lambda fault: fault.name,
)
def test_a_fault_is_seen_while_it_is_in(tiny, fault):
    """By its own probe, which looks at the world."""
    carrier = NativeInjector()
    carrier.prepare(fault, tiny, "stock")
    try:
        await_that(lambda: not fault.active(tiny, "stock"))
        carrier.inject(fault, tiny, "stock")
        await_that(lambda: fault.active(tiny, "stock"))
    finally:
        carrier.recover(fault, tiny, "stock")
    await_that(lambda: not fault.active(tiny, "stock"))
    await_that(lambda: tiny.unhealthy() == ())
    assert [entry for _, entry in tiny.undo.open_entries() if entry["op"] != "deployment"] == []


def test_a_connection_that_was_kept_meets_the_fault_too(tiny):
    """Callers keep connections for minutes: they are reset when the way changes, and the next goes the new way."""
    address = instance_of(tiny, "stock").address
    kept = http.client.HTTPConnection(*address, timeout=5)
    kept.request("GET", "/before")
    assert kept.getresponse().read()
    fault, carrier = HttpAbort(method="GET", percent=100), NativeInjector()
    carrier.inject(fault, tiny, "stock")
    try:
        with pytest.raises(ConnectionError):
            kept.request("GET", "/meanwhile") or kept.getresponse()
        kept.close()
        kept.request("GET", "/meanwhile")
        assert kept.getresponse().status == 503
    finally:
        kept.close()
        carrier.recover(fault, tiny, "stock")


def test_a_large_answer_comes_whole_and_slowly(tiny):
    """Through the front and the relay behind it, at the rate of the fault."""
    fault, carrier = NetworkBandwidth(), NativeInjector()
    carrier.inject(fault, tiny, "stock")
    try:
        path = "/" + "x" * 4_000
        with urllib.request.urlopen(
            "http://{}:{}{}".format(*instance_of(tiny, "stock").address, path), timeout=20
        ) as got:
            assert got.status == 200
    finally:
        carrier.recover(fault, tiny, "stock")
