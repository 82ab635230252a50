"""What becomes of a resolved compose document: ours is another project on loopback, and else as it was."""

from __future__ import annotations

import pytest
from documents import SHOP, shop, with_service

from pytest_anomod.runtimes.compose import transform

LABELS = {"pytest-anomod.deployment": "anomod-1-shop"}


def ours(document, **more):
    """The document that would be brought up."""
    plan = transform.Plan(project="anomod-1-shop", labels=LABELS, service_label="pytest-anomod.service", **more)
    return transform.transform(document, plan)


def test_the_given_document_stays_as_it_is():
    """It is kept for the next deployment of this process."""
    document = shop()
    ours(document)
    assert document == SHOP


def test_it_is_a_project_of_its_own():
    """Names of project, networks and volumes come from ours; nothing of the user's is taken for it."""
    found = ours(shop())
    assert found["name"] == "anomod-1-shop"
    assert found["networks"] == {"default": {"ipam": {}, "labels": LABELS}}
    assert found["volumes"] == {"pages": {"labels": LABELS}, "kept": {"labels": LABELS}}
    assert transform.renamed(shop()) == ("volume 'kept': my-own-data stays as it is; a fresh one stands in for it",)


def test_everything_carries_our_labels():
    """They are all that the guardian has to go by."""
    for name, service in ours(shop())["services"].items():
        assert service["labels"] == {**LABELS, "pytest-anomod.service": name}


def test_a_fixed_name_of_a_container_becomes_an_alias():
    """Two deployments can't have it, and others may know the container by it."""
    found = ours(shop())["services"]["gateway"]
    assert "container_name" not in found
    assert found["networks"] == {"default": {"aliases": ["front-door"]}}


def test_ports_are_published_once_on_the_loopback_address_where_we_say():
    """The engine would pick another one at each restart; of several containers each needs its own."""
    chosen = {("gateway", 3000, "tcp"): 20_000, ("gateway", 3001, "udp"): 20_001}
    found = ours(shop(), ports=chosen)["services"]
    assert found["gateway"]["ports"] == [
        {"mode": "ingress", "target": 3000, "protocol": "tcp", "host_ip": "127.0.0.1", "published": "20000"},
        {"mode": "ingress", "target": 3001, "protocol": "udp", "host_ip": "127.0.0.1", "published": "20001"},
    ]
    assert found["db"]["ports"] == [{"mode": "ingress", "target": 5432, "protocol": "tcp", "host_ip": "127.0.0.1"}]
    assert "ports" not in found["cache"]


def test_a_port_that_nobody_publishes_can_be_published_by_us():
    """An entry that is reached in the private network only."""
    found = ours(shop(), ports={("cache", 6379, "tcp"): 20_002})["services"]["cache"]["ports"]
    assert found == [{"target": 6379, "protocol": "tcp", "host_ip": "127.0.0.1", "published": "20002"}]


def test_several_containers_of_a_service_share_no_port():
    """One port of ours would go to the first and fail the second."""
    document = with_service(deploy={"replicas": 2}, ports=[{"target": 80, "published": "80", "protocol": "tcp"}])
    assert list(transform.published_ports(document)) == []
    found = ours(document, ports={("web", 80, "tcp"): 20_000})["services"]["web"]["ports"]
    assert found == [{"target": 80, "protocol": "tcp", "host_ip": "127.0.0.1"}]


def test_what_is_built_has_the_name_that_compose_would_give_it():
    """Others of the document may use that image, and another project's name would lead nowhere."""
    found = ours(shop())["services"]
    assert found["gateway"]["image"] == "shop-gateway" == found["orders"]["image"]
    assert found["gateway"]["pull_policy"] == "never"
    assert "build" not in found["gateway"]
    assert "pull_policy" not in found["catalog"]
    built = transform.to_build(shop())
    assert built["name"] == "shop"
    assert built["services"] == {"gateway": {"image": "shop-gateway", "build": SHOP["services"]["gateway"]["build"]}}


def test_logs_can_be_read_again():
    """A driver that sends them elsewhere is replaced; options of one that keeps them stay."""
    found = ours(shop())["services"]
    assert found["catalog"]["logging"] == {"driver": "json-file", "options": transform.LOG_OPTIONS}
    assert found["gateway"]["logging"]["driver"] == "json-file"
    assert found["orders"]["logging"] == {"driver": "json-file", "options": {"max-size": "1m"}}


def test_what_makes_the_system_what_it_is_stays():
    """Restart policy, limits, replicas, capabilities, secrets, order of start; a profile was chosen already."""
    found = ours(shop())["services"]
    assert found["gateway"]["restart"] == "on-failure"
    assert found["gateway"]["depends_on"] == SHOP["services"]["gateway"]["depends_on"]
    kept = ("deploy", "environment", "read_only", "cap_drop", "secrets", "configs")
    assert {key: found["catalog"][key] for key in kept} == {key: SHOP["services"]["catalog"][key] for key in kept}
    assert "profiles" not in found["catalog"]


def test_environment_and_mounts_can_be_added():
    """Dollar signs are doubled, as compose would take them for variables."""
    found = ours(
        shop(),
        environment={"catalog": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://1.2.3.4:4318", "A": "b$c"}},
        mounts={"catalog": (("/here", "/there", False),)},
    )["services"]["catalog"]
    assert found["environment"]["A"] == "b$$c"
    assert found["environment"]["DATABASE_URL"] == SHOP["services"]["catalog"]["environment"]["DATABASE_URL"]
    assert found["volumes"] == [{"type": "bind", "source": "/here", "target": "/there", "read_only": True}]


def test_a_network_shared_by_container_name_is_shared_by_service():
    """The name is gone, the service is the same."""
    document = with_service(container_name="first")
    document["services"]["side"] = {"image": "y", "network_mode": "container:first"}
    found = ours(document)["services"]
    assert found["side"]["network_mode"] == "service:web"
    assert "networks" not in found["side"]


def test_who_ends_and_how_many_there_are():
    """Of a document."""
    assert transform.one_shot(shop()) == {"seed"}
    assert [transform.replicas(SHOP["services"][name]) for name in ("catalog", "db")] == [2, 1]
    assert transform.replicas({"scale": 3}) == 3


@pytest.mark.parametrize("text", ["plain", "with $ and ${X}", "$$"])
def test_dollar_signs_are_doubled_and_back(text):
    """As a container gets them."""
    assert transform.plain(transform.escaped(text)) == text
