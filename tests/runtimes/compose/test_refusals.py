"""What can't be brought up is said in a line with service, key and reason; so is what can be up only once."""

from __future__ import annotations

import pytest
from documents import shop, with_service

from pytest_anomod.runtimes.compose import refusals


@pytest.mark.parametrize(
    ("document", "lines"),
    [
        ({"name": "p", "services": {}}, ["services: there is none"]),
        (
            with_service(network_mode="container:others"),
            ["service 'web': network_mode: container 'others'"],
        ),
        (with_service(pid="container:other"), ["service 'web': pid: container 'other'"]),
        (with_service(volumes_from=["container:other:ro"]), ["service 'web': volumes_from: container:other:ro"]),
        (with_service(provider={"type": "model"}), ["service 'web': provider: what 'model' provides"]),
        (with_service(models={"llm": None}), ["service 'web': models: llm needs a model runner"]),
        (with_service(volumes=[{"type": "npipe", "target": "x"}]), ["service 'web': volumes: type npipe of x"]),
        (
            {**with_service(), "secrets": {"key": {"name": "key", "external": True}}},
            ["secrets 'key': external: only a swarm"],
        ),
    ],
)
def test_what_cant_be_brought_up(document, lines):
    """One line each, which begins with the place."""
    found = refusals.refusals(document)
    assert len(found) == len(lines)
    assert all(line.startswith(wanted) for line, wanted in zip(found, lines, strict=True)), found


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (with_service(network_mode="host"), "service 'web': network_mode: host"),
        (with_service(pid="host"), "service 'web': pid: host"),
        (with_service(networks={"default": {"ipv4_address": "10.1.1.2"}}), "service 'web': networks: its address"),
        (with_service(external_links=["other:o"]), "service 'web': external_links: other:o"),
        (
            with_service(volumes=[{"type": "bind", "source": "/home/me/data", "target": "/data"}]),
            "service 'web': volumes: /home/me/data",
        ),
        (
            {**with_service(), "networks": {"default": {"ipam": {"config": [{"subnet": "10.1.1.0/24"}]}}}},
            "network 'default': ipam",
        ),
        ({**with_service(), "networks": {"default": {"name": "x", "external": True}}}, "network 'default': external"),
        ({**with_service(), "volumes": {"data": {"name": "x", "external": True}}}, "volume 'data': external"),
        (
            {**with_service(), "volumes": {"data": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv"}}}},
            "volume 'data': driver_opts: /srv",
        ),
    ],
)
def test_what_can_be_up_only_once(document, line):
    """It is not refused."""
    assert refusals.refusals(document) == ()
    (found,) = refusals.alone(document)
    assert found.startswith(line)


def test_an_ordinary_document_is_neither():
    """Mounts that can't be written to, and those of the machine itself, are no reason."""
    document = shop()
    mounts = [
        {"type": "bind", "source": "/src/init.sql", "target": "/init.sql", "read_only": True},
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"},
        {"type": "tmpfs", "target": "/tmp"},
    ]
    document["services"]["db"]["volumes"] += mounts
    assert refusals.refusals(document) == ()
    assert refusals.alone(document) == ()


def test_a_container_of_the_document_is_no_stranger():
    """By its fixed name, which becomes the service's."""
    document = with_service(container_name="first")
    document["services"]["side"] = {"image": "y", "network_mode": "container:first", "pid": "service:web"}
    assert refusals.refusals(document) == ()
