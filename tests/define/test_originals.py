"""The paper's originals from compose files laid out as theirs: names, stores, entry, what a test of ours can't have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_compose import FakeCompose

from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.define.originals import original_of
from pytest_anomod.faults import DnsFailure
from pytest_anomod.model import redact
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import ComposeFiles, ServiceKind
from pytest_anomod.runtimes import choice
from pytest_anomod.runtimes.compose import cli, resolve, runtime
from pytest_anomod.systems.social_network import SOCIAL_NETWORK
from pytest_anomod.systems.train_ticket import TRAIN_TICKET

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MANIFESTS = "deployment/docker-compose-manifests"


def document(services: dict[str, tuple[str, int | None]]) -> dict[str, Any]:
    """A resolved one: services by name, each with its image and the port that it publishes."""
    rows = {
        name: {
            "image": image,
            "networks": {"default": None},
            **({"ports": [{"target": port, "published": str(port), "protocol": "tcp"}]} if port else {}),
        }
        for name, (image, port) in services.items()
    }
    return {"name": "original", "services": rows, "networks": {"default": {"name": "original_default", "ipam": {}}}}


def death_star_bench() -> dict[str, Any]:
    """Services of ours by kind, with what is started beside them; one backend publishes its port, for tests of it."""
    images = {ServiceKind.APP: "some/microservices", ServiceKind.GATEWAY: "some/openresty"}
    stores = {"redis": "redis", "memcached": "memcached", "mongodb": "mongo:4.4.6"}
    ports = {"nginx-thrift": 8080, "media-frontend": 8081, "post-storage-service": 9090}
    names = {one.name: images.get(one.kind) or stores[one.name.rpartition("-")[2]] for one in SOCIAL_NETWORK.services}
    names |= {"url-shorten-memcached": "memcached", "jaeger-agent": "jaegertracing/all-in-one:latest"}
    return document(
        {name: (image, ports.get(name)) for name, image in names.items()}
        | {"jaeger-agent": (names["jaeger-agent"], 16686)}
    )


def train_ticket() -> dict[str, Any]:
    """A few of its services, as the files of one version name them: each store has one service, and no gateway."""
    web = {
        "ts-ui-dashboard": 8080, "ts-ticket-purchase-service": 14568, "ts-order-service": 12031,
        "ts-order-other-service": 12032, "ts-food-service": 18856, "ts-food-map-service": 18855,
    }  # fmt: skip
    made = {name: (f"some/{name}", port) for name, port in web.items()}
    stores = {"ts-order-mysql": "mysql:5.7", "ts-order-other-mongo": "mongo", "ts-food-mongo": "mongo"}
    return document(made | {name: (image, None) for name, image in stores.items()} | {"redis": ("redis", 6379)})


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A function that makes a checkout with one compose file, which compose reads as a document; it gives its place."""
    monkeypatch.setattr(redact, "_told", [])
    monkeypatch.setattr(resolve, "_resolved", {})
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    cli.find.cache_clear()
    fake = FakeCompose(directory)

    def make(file: str, found: dict[str, Any]) -> str:
        path = tmp_path / "checkout" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        fake.say(document=found)
        return str(tmp_path / "checkout")

    make.fake = fake
    yield make
    cli.find.cache_clear()


def test_social_network_has_our_names_and_its_own_stores(checkout, tmp_path):
    """Memcached and MongoDB where the replica has Redis and PostgreSQL; Thrift between services; traces of Jaeger."""
    place = checkout("socialNetwork/docker-compose.yml", death_star_bench())
    found = original_of(SOCIAL_NETWORK, place, tmp_path)
    services = {one.name: one for one in found.services}
    assert list(services) == [*(one.name for one in SOCIAL_NETWORK.services), "url-shorten-memcached"]
    assert (found.name, found.entry, found.journeys) == ("social_network", "nginx-thrift", SOCIAL_NETWORK.journeys)
    assert [services[name].calls for name in services if name != "url-shorten-memcached"] == [
        one.calls for one in SOCIAL_NETWORK.services
    ]
    wanted = {
        "nginx-thrift": ("http", 8080), "media-frontend": ("http", 8081), "post-storage-service": ("", 9090),
        "user-service": ("", 9090), "user-memcached": ("memcached", 11211), "user-mongodb": ("mongodb", 27017),
        "user-timeline-redis": ("redis", 6379),
    }  # fmt: skip
    assert {name: (services[name].engine, services[name].port) for name in wanted} == wanted
    assert services["user-memcached"].kind is ServiceKind.CACHE
    assert services["post-storage-service"].kind is ServiceKind.APP
    deploys = found.deploy(ComposeFiles)
    assert found.deploys == (deploys,)
    assert (deploys.jaeger, deploys.zipkin, deploys.names) == ("jaeger-agent", "", ())
    assert deploys.reported_as == (("nginx-web-server", "nginx-thrift"),)


def test_train_ticket_is_found_under_the_names_of_its_files(checkout, tmp_path):
    """Services that were called otherwise, users who come in by the web page, a store for each service."""
    place = checkout(f"{MANIFESTS}/quickstart-docker-compose.yml", train_ticket())
    found = original_of(TRAIN_TICKET, place, tmp_path)
    services = {one.name: one for one in found.services}
    assert found.entry == "ts-ui-dashboard"
    assert {"ts-preserve-service", "ts-station-food-service", "ts-order-mysql"} <= set(services)
    deploys = found.deploy(ComposeFiles)
    assert dict(deploys.names) == {
        "ts-preserve-service": "ts-ticket-purchase-service",
        "ts-station-food-service": "ts-food-map-service",
    }
    assert ("ts-ticket-purchase-service", "ts-preserve-service") in deploys.reported_as
    assert services["ts-order-service"].calls == ("ts-order-mysql",)
    assert services["ts-order-other-service"].calls == ("ts-order-other-mongo",)
    assert services["ts-food-service"].calls == ("ts-station-food-service", "ts-food-mongo")
    assert set(services["ts-ui-dashboard"].calls) == {
        "ts-preserve-service", "ts-order-service", "ts-order-other-service", "ts-food-service",
        "ts-station-food-service",
    }  # fmt: skip
    assert (services["ts-order-mysql"].engine, services["redis"].engine) == ("mysql", "redis")
    DnsFailure(peers=("ts-order-service",)).check(found, "ts-preserve-service")


def test_a_file_may_be_named_itself_and_others_with_it(checkout, tmp_path):
    """As COMPOSE_FILE names them, from where pytest was called."""
    checkout("socialNetwork/docker-compose.yml", death_star_bench())
    (tmp_path / "more.yaml").write_text("")
    place = os.pathsep.join(["checkout/socialNetwork/docker-compose.yml", "more.yaml"])
    files = original_of(SOCIAL_NETWORK, place, tmp_path).deploy(ComposeFiles).files
    assert files == (str(tmp_path / "checkout/socialNetwork/docker-compose.yml"), str(tmp_path / "more.yaml"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (document({"web": ("x", 80)}), "project 'original' has no service of 'social_network'; it has web"),
        (document({"user-service": ("x", None)}), "has no entry of 'social_network', nginx-thrift; its services are"),
    ],
)
def test_another_project_is_refused_in_one_line(checkout, tmp_path, found, said):
    """With what it has."""
    place = checkout("docker-compose.yml", found)
    with pytest.raises(ScenarioError, match=said) as raised:
        original_of(SOCIAL_NETWORK, place, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_checkout_without_compose_files_is_refused(tmp_path):
    """With those that were looked for."""
    with pytest.raises(ScenarioError, match=r"has no compose file: none of socialNetwork/docker-compose\.yml, "):
        original_of(SOCIAL_NETWORK, ".", tmp_path)
    with pytest.raises(ScenarioError, match="nowhere is no directory and no compose file"):
        original_of(SOCIAL_NETWORK, "nowhere", tmp_path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("here", "--anomod-compose=here: 'here' must be SYSTEM=PATH"),
        ("train_ticket=nowhere", "--anomod-compose=train_ticket=nowhere: * is no directory and no compose file"),
        ("tickets=.", "--anomod-compose=tickets=.: no system named 'tickets'; did you mean train_ticket"),
    ],
)
def test_a_wrong_option_ends_the_run_before_it_begins(pytester, place, said):
    """As a usage error."""
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_inprocess(f"--anomod-compose={place}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])


def test_what_the_original_cant_have_is_skipped_with_the_reason(checkout, pytester, monkeypatch):
    """No such service, a store of another kind, a fault in code; the rest would run."""
    place = checkout(f"{MANIFESTS}/quickstart-docker-compose.yml", train_ticket())
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    monkeypatch.setattr(runtime.engine, "why_not", lambda *_: "")
    monkeypatch.setattr(runtime, "_is_local", lambda _: True)
    monkeypatch.setattr(choice, "_why_silent", lambda _: "nobody was asked")
    seen = []

    class Spy:
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session):
            for item in session.items:
                declaration = getattr(item.function, ATTRIBUTE)
                reasons = [mark.kwargs["reason"] for mark in item.iter_markers("skip")]
                seen.append((item.name, declaration.target, " ".join(reasons)))
            return True

    pytester.inline_run(str(EXPERIMENTS / "train_ticket"), f"--anomod-compose=train_ticket={place}", plugins=[Spy()])
    reasons = {name: reason for name, _, reason in seen}
    assert {name: target for name, target, _ in seen}["test_normal_case"] == "ts-ui-dashboard"
    assert "has no service 'tsdb-mysql'" in reasons["test_lv_d_transaction_timeout"]
    assert "calls no postgresql" in reasons["test_lv_d_connection_pool_exhaustion"]
    assert reasons["test_normal_case"] == reasons["test_lv_s_killpod_preserve"] == ""
    code = [reason for name, reason in reasons.items() if "exception" in name]
    assert code
    assert all("no agents are put into" in reason or "has no service" in reason for reason in code), code
