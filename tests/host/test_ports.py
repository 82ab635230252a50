"""Port blocks: never shared, never where something listens, never in the way of outgoing connections."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess

import pytest

from pytest_anomod.host import ports
from pytest_anomod.model.errors import DeploymentError


def test_two_blocks_never_overlap():
    """Also in one process, where a lock by process id would not tell them apart."""
    claimed = [ports.claim_block() for _ in range(3)]
    bases = sorted(base for base, _ in claimed)
    for _, descriptor in claimed:
        os.close(descriptor)
    assert all(right - left >= ports.BLOCK for left, right in itertools.pairwise(bases))
    assert all(ports.FIRST <= base <= ports.LAST - ports.BLOCK + 1 for base in bases)


def test_a_block_is_held_by_whoever_inherits_its_lock():
    """The host keeps it when its starter lets go, and its end frees it."""
    base, descriptor = ports.claim_block()
    child = subprocess.Popen(["sleep", "300"], pass_fds=(descriptor,))
    os.close(descriptor)
    other, other_descriptor = ports.claim_block()
    child.kill()
    child.wait()
    os.close(other_descriptor)
    assert other != base
    again, descriptor = ports.claim_block()
    os.close(descriptor)
    assert again == base


def test_a_block_with_a_listener_in_it_is_passed_over():
    """Whoever listens there knows nothing of our locks."""
    base, descriptor = ports.claim_block()
    os.close(descriptor)
    with socket.create_server((ports.HOST, base + 57)):
        other, descriptor = ports.claim_block()
        os.close(descriptor)
    assert other != base


def test_a_busy_entry_port_is_refused_with_the_name_of_who_has_it():
    """A person can act on that."""
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DeploymentError, match=rf"port {port} on 127.0.0.1 is taken by pid {os.getpid()}"):
            ports.check_entry_port(port)
    ports.check_entry_port(port)


def test_a_port_that_is_none_is_refused():
    """Before anything is started."""
    with pytest.raises(DeploymentError, match="port 70000 is none"):
        ports.check_entry_port(70_000)


def test_the_port_of_train_ticket_is_never_in_a_block(monkeypatch):
    """Whatever range is chosen."""
    monkeypatch.setattr(ports, "FIRST", 30_400)
    monkeypatch.setattr(ports, "LAST", 30_699)
    assert ports._bases() == [30_500, 30_600]


def test_the_range_of_outgoing_ports_is_avoided(monkeypatch):
    """A connection of anyone's could sit on our port otherwise."""
    monkeypatch.setattr(ports, "_ephemeral_range", lambda: (25_000, 60_999))
    assert max(ports._bases()) == 24_900
    monkeypatch.setattr(ports, "_ephemeral_range", lambda: (1_024, 65_535))
    assert len(ports._bases()) == 100
