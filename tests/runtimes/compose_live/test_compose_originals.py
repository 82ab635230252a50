"""The paper's original from a compose file that is laid out as it is, with stand-ins for its images."""

from __future__ import annotations

import dataclasses
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.define.originals import original_of
from pytest_anomod.faults import DnsFailure, RedisMemoryLimit
from pytest_anomod.host import net_namespace
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.model.runtime import need
from pytest_anomod.model.source import Jaeger
from pytest_anomod.replicas.kit.redis_server import find_redis
from pytest_anomod.runtimes.compose import ComposeRuntime
from pytest_anomod.systems.social_network import SOCIAL_NETWORK

HERE = Path(__file__).parent
STAND_INS = (
    "social-network-microservices",
    "openresty-thrift:xenial",
    "mongo:4.4.6",
    "memcached",
    "redis",
    "all-in-one",
)


@pytest.fixture
def original(engine, tiny, monkeypatch):
    """SocialNetwork from a checkout; images have names of ours that end as the original ones do."""
    redis = find_redis()
    monkeypatch.setenv("REDIS_SERVER", str(redis))
    monkeypatch.setenv("REDIS_FOLDER", str(redis.parent))
    image, _ = engine.images.build(path=str(tiny), rm=True)
    for name in STAND_INS:
        image.tag(f"stand-in/{name}")
    named = dataclasses.replace(SOCIAL_NETWORK.original, names={"user-service": ("accounts",)})
    yield original_of(dataclasses.replace(SOCIAL_NETWORK, original=named), "stand_in", HERE)
    for name in STAND_INS:
        engine.images.remove(f"stand-in/{name}", force=True)


def test_it_comes_up_under_our_names(original, compose_session):
    """It serves, is watched and asked for traces; its Redis has a login; a name is hidden with the one in the file."""
    runtime = ComposeRuntime()
    deployment = runtime.up(original, compose_session)
    try:
        assert deployment.unhealthy() == ()
        assert {one.service for one in deployment.instances()} == {service.name for service in original.services}
        assert get(deployment.entry_url) == b"hello /wrk2-api/user-timeline/read\n"
        (jaeger,) = [source for source in deployment.sources() if isinstance(source, Jaeger)]
        assert get(jaeger.url).startswith(b"hello")
        assert ("nginx-web-server", "nginx-thrift") in jaeger.names
        assert need(deployment, StoreLogin, "home-timeline-redis").dsn().startswith("redis://")
        played(RedisMemoryLimit(percent_of_used=50), deployment, "home-timeline-redis")
        if not net_namespace.why_not():
            played(DnsFailure(peers=("user-service",)), deployment, "nginx-thrift", get_fails=True)
        assert get(deployment.entry_url)
    finally:
        runtime.down(deployment)


def get(url: str) -> bytes:
    """What a user gets."""
    with urllib.request.urlopen(f"{url}/wrk2-api/user-timeline/read", timeout=5) as answer:
        return answer.read()


def played(fault, deployment, target: str, *, get_fails: bool = False) -> None:
    """Put a fault in, see it, take it out."""
    native = catalog.find("injectors", "native")
    fault.check(catalog.find("systems", "social_network"), target)
    native.prepare(fault, deployment, target)
    assert not native.active(fault, deployment, target)
    native.inject(fault, deployment, target)
    try:
        assert native.active(fault, deployment, target)
        if get_fails:
            with pytest.raises(OSError, match="502"):
                get(deployment.entry_url)
    finally:
        native.recover(fault, deployment, target)
    assert not native.active(fault, deployment, target)
