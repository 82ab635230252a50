"""SocialNetwork is what DeathStarBench deploys and what wrk2's mixed workload sends."""

from __future__ import annotations

import asyncio
import json
import re
from random import Random

import pytest

from pytest_anomod.model import catalog
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.model.workload import Response
from pytest_anomod.replicas.social_network import SYSTEM
from pytest_anomod.systems import social_network
from pytest_anomod.systems.social_network import SOCIAL_NETWORK


class Wire:
    def __init__(self):
        self.state = {}
        self.calls = []

    async def request(self, method, path, **rest):
        self.calls.append((method, path, rest))
        return Response(status=200, body=b"")


def sent(play, seed):
    wire = Wire()
    asyncio.run(play(wire, Random(seed)))
    [call] = wire.calls
    return call


def test_it_is_found_by_name():
    assert catalog.find("systems", "social_network") is SOCIAL_NETWORK


def test_every_call_leads_to_a_service_that_exists_and_everything_is_reached_from_a_gateway():
    names = {service.name for service in SOCIAL_NETWORK.services}
    assert {call for service in SOCIAL_NETWORK.services for call in service.calls} <= names
    reached, frontier = set(), ["nginx-thrift", "media-frontend"]
    while frontier:
        name = frontier.pop()
        if name not in reached:
            reached.add(name)
            frontier.extend(SOCIAL_NETWORK.service(name).calls)
    assert reached == names


def test_there_are_two_gateways_eleven_services_five_caches_and_six_docstores():
    kinds = [service.kind for service in SOCIAL_NETWORK.services]
    assert [kinds.count(kind) for kind in (ServiceKind.GATEWAY, ServiceKind.APP, ServiceKind.CACHE)] == [2, 11, 5]
    assert kinds.count(ServiceKind.DOCSTORE) == 6
    assert SOCIAL_NETWORK.callers("post-storage-service") == (
        "compose-post-service",
        "home-timeline-service",
        "user-timeline-service",
    )


def test_the_replica_has_the_same_services_with_the_same_calls():
    ours = {service.name: (str(service.kind), set(service.calls)) for service in SOCIAL_NETWORK.services}
    theirs = {spec.name: (spec.kind, set(getattr(spec, "calls", ()))) for spec in SYSTEM.services}
    theirs |= {spec.name: (spec.kind, set()) for spec in SYSTEM.stores}
    assert ours == theirs
    assert SYSTEM.entry == SOCIAL_NETWORK.entry


@pytest.mark.parametrize("seed", range(20))
def test_reads_ask_for_ten_posts_of_a_user_of_the_graph(seed):
    method, path, rest = sent(social_network.read_home_timeline, seed)
    assert (method, path) == ("GET", "/wrk2-api/home-timeline/read")
    query = {name: int(value) for name, value in rest["query"].items()}
    assert 0 <= query["user_id"] <= 961
    assert 0 <= query["start"] <= 100
    assert query["stop"] == query["start"] + 10
    assert rest["headers"] == {"Content-Type": "application/x-www-form-urlencoded"}
    assert sent(social_network.read_user_timeline, seed)[1] == "/wrk2-api/user-timeline/read"


def test_posts_have_the_shape_of_wrk2_and_are_not_encoded():
    counts = {"mentions": set(), "urls": set(), "media": set()}
    for seed in range(60):
        method, path, rest = sent(social_network.compose_post, seed)
        assert (method, path, set(rest)) == ("POST", "/wrk2-api/post/compose", {"form"})
        fields = dict(field.split("=", 1) for field in rest["form"].split("&"))
        assert list(fields) == ["username", "user_id", "text", "media_ids", "media_types", "post_type"]
        assert fields["username"] == f"username_{fields['user_id']}"
        assert fields["post_type"] == "0"
        body, *words = fields["text"].split(" ")
        assert re.fullmatch(r"[A-Za-z0-9]{256}", body)
        mentions = [word for word in words if re.fullmatch(r"@username_\d{1,3}", word)]
        urls = [word for word in words if re.fullmatch(r"http://[A-Za-z0-9]{64}", word)]
        assert mentions + urls == words
        assert f"@{fields['username']}" not in mentions
        media = json.loads(fields["media_ids"])
        assert all(re.fullmatch(r"\d{18}", media_id) for media_id in media)
        assert json.loads(fields["media_types"]) == ["png"] * len(media)
        for name, found in (("mentions", mentions), ("urls", urls), ("media", media)):
            counts[name].add(len(found))
    assert counts == {"mentions": set(range(1, 7)), "urls": set(range(1, 7)), "media": set(range(1, 6))}
