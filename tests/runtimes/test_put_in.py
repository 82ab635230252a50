"""What is put into services: rows of what can be, mounts, environment merged with what is there, who keeps its own."""

from __future__ import annotations

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import INSIDE, language
from pytest_anomod.model.system import Agents
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.compose import inside

URL = "http://10.0.0.1:4318"


class Receiver:
    """As much of a receiver as is asked for."""

    url = URL
    reads_protobuf = True


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Rows of two services in Python, the agents of which are there, and of one whose agents are not."""
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))
    library = cache.directory(language("python"))
    library.mkdir(parents=True)
    (library / cache.MANIFEST).write_text('{"files": {}}')
    asked = (
        ("shop", Agents("python", source="/app")),
        ("stock", Agents("python", traces=False)),
        ("web", Agents("node")),
    )
    return agents.plan(asked, tmp_path)


def test_agents_that_are_not_there_are_said_to_be_missing(rows):
    assert rows["web"] == {"language": "node", "why": agents.not_fetched("node")}
    assert agents.why_none((("web", Agents("node")),), "web") == agents.not_fetched("node")
    assert "agents={" in agents.why_none((), "web")
    assert list(agents.are_put_in(rows)) == ["shop", "stock"]
    assert agents.traced(rows) == ["shop"]


def test_what_the_image_has_on_its_path_comes_after_ours(rows):
    own = {"PYTHONPATH": "/shop/libraries", "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
    environment, mounts = inside.put_in(rows, lambda service: own, {"shop": {"TOLD": "1"}}, Receiver())
    shop = environment["shop"]
    assert shop["PYTHONPATH"] == "/anomod/ours:/shop/libraries"
    assert shop["OTEL_RESOURCE_ATTRIBUTES"] == "team=a,service.instance.id=shop"
    assert shop["OTEL_EXPORTER_OTLP_ENDPOINT"] == URL
    assert shop["OTEL_SERVICE_NAME"] == "shop"
    assert shop["ANOMOD_GIVE"] == "traces,coverage,faults"
    assert shop["ANOMOD_SOURCE"] == "/app"
    assert shop["TOLD"] == "1"
    assert not any(name.startswith("OTEL_") for name in environment["stock"])
    assert (str(INSIDE / "python"), "/anomod/ours", False) in mounts["shop"]
    assert (rows["shop"]["run"], "/anomod/run", True) in mounts["shop"]
    assert "web" not in mounts
    assert "web" not in environment


def test_a_service_that_exports_elsewhere_keeps_its_exporter(rows):
    own = {agents.EXPORTER: "http://collector:4318"}
    environment, _ = inside.put_in(rows, lambda service: own, {}, Receiver())
    assert "OTEL_TRACES_EXPORTER" not in environment["shop"]
    assert environment["shop"]["ANOMOD_GIVE"] == "coverage,faults"
    assert agents.traced(rows) == []
    assert "otlp=" in rows["shop"]["exports"]


def test_one_that_is_told_to_export_to_us_has_ours(rows):
    told = {"shop": {agents.EXPORTER: URL}}
    own = {agents.EXPORTER: "http://collector:4318"}
    environment, _ = inside.put_in(rows, lambda service: own, told, Receiver())
    assert environment["shop"]["OTEL_TRACES_EXPORTER"] == "otlp"


def test_a_remote_engine_gets_none(tmp_path):
    refused = agents.plan((("shop", Agents("python")),), tmp_path, "it is far away")
    assert refused == {"shop": {"language": "python", "why": "it is far away"}}
    assert not (tmp_path / "agents").exists()
