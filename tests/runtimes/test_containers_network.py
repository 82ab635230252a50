"""What the network of a container does with names that are hidden from it, without an engine."""

from __future__ import annotations

from pytest_anomod.runtimes.containers import network
from pytest_anomod.runtimes.containers.network import ContainerResolver


class Rules:
    """The rules of a container's network, which only count what is asked of them."""

    def __init__(self):
        self.resets = 0
        self.hidden = ()

    def hide_names(self, tag, names, domains):
        self.hidden = tuple(names)

    def show_names(self, tag):
        self.hidden = ()

    def reset_connections(self, addresses):
        self.resets += 1


class Described:
    """As much of a deployment as the resolver asks."""

    def __init__(self, directory):
        self.directory = directory
        self.domains = ()
        self.described = {"catalog": {}}

    def find(self):
        """No container of the hidden service: it has no aliases."""
        return {}


def test_a_connection_made_just_after_the_reset_is_reset_too(tmp_path, monkeypatch):
    """A name resolved before it was hidden may be connected later: a program keeps such a connection for long."""
    rules, left = Rules(), [1, 1, 0]
    monkeypatch.setattr(network, "network_of", lambda deployment, service: rules)
    monkeypatch.setattr(ContainerResolver, "_addresses", lambda self, names: frozenset({"10.0.0.2"}))
    monkeypatch.setattr(ContainerResolver, "connections", lambda self, names: left.pop(0))
    resolver = ContainerResolver(Described(tmp_path), "gateway")
    resolver.hide(["catalog"])
    assert (rules.hidden, rules.resets, left) == (("catalog",), 3, [])
    monkeypatch.setattr(ContainerResolver, "_addresses", lambda self, names: frozenset())
    resolver.hide([])
    assert (rules.hidden, rules.resets) == ((), 3)
