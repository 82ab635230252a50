"""What services in Node and Go are told: a preload beside their own, pins by npm, and nothing more than was asked."""

import pytest

from pytest_anomod.agents import by_npm, go, node
from pytest_anomod.agents.language import FetchError, Place, Reach
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Agents


def place(language, **changed):
    given = {"service": "shop", "asked": Agents(language), "ours": "/anomod/ours", "library": "/lib", "run": "/run"}
    return Place(**(given | changed))


def test_node_options_of_the_image_stay():
    found = node.LANGUAGE.environment(place("node", own={"NODE_OPTIONS": "--enable-source-maps"}))
    assert found["NODE_OPTIONS"] == "--require /anomod/ours/anomod.js --enable-source-maps"
    assert "OTEL_SERVICE_NAME" not in found


def test_a_directory_with_a_blank_is_quoted():
    found = node.LANGUAGE.environment(place("node", ours="/a b"))
    assert found["NODE_OPTIONS"] == '--require "/a b/anomod.js"'


def test_what_is_given_is_what_was_asked_for():
    asked = Agents("node", coverage=False)
    found = node.LANGUAGE.environment(place("node", asked=asked, otlp_url="http://127.0.0.1:4318"))
    assert found["ANOMOD_GIVE"] == "traces,faults"
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"


def test_every_package_is_pinned_by_a_hash_and_has_a_licence():
    found = by_npm.pins(node.PINS)
    assert {"acorn", "@opentelemetry/sdk-trace-node"} <= {one.name for one in found}
    assert all(one.sha256.startswith("sha512-") and one.licence for one in found)
    assert "resolved" not in (node.PINS / by_npm.LOCK).read_text()  # whose registry it is, the user's npm knows


def test_a_machine_without_npm_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="there is no npm on PATH"):
        node.LANGUAGE.fetch(tmp_path)


def test_go_gives_no_faults_and_keeps_its_own_directory_of_counters():
    found = go.LANGUAGE.environment(place("go", own={"GOCOVERDIR": "/mine"}))
    assert (found["ANOMOD_GIVE"], found["GOCOVERDIR"]) == ("coverage", "/mine")


def test_a_go_service_without_an_agent_is_told_how_it_is_built(tmp_path):
    reach = Reach(
        service="p", asked=Agents("go"), library=tmp_path, run=tmp_path, pid=lambda: None, host=lambda: "127.0.0.1"
    )
    with pytest.raises(DeploymentError, match="was it built with the GOFLAGS"):
        go.LANGUAGE.agent(reach).ask("/hello")
