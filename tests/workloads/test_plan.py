"""The plan of a workload comes from its seed alone, and keeps rate and mix."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.workload import Response
from pytest_anomod.workloads.plan import arrivals, read_spec

SPEC = {"system": "social_network", "entry_url": "http://127.0.0.1:1/", "seed": 7, "deadline_s": 60}


class Wire:
    """A client that only keeps what would be sent."""

    def __init__(self):
        self.state = {}
        self.sent = []

    async def request(self, method, path, **rest):
        self.sent.append((method, path, sorted(rest.items(), key=str)))
        return Response(status=200, body=b"")


def wire_bytes(spec, *, backwards=False):
    planned = list(arrivals(read_spec(spec)))
    wires = {}
    for arrival in reversed(planned) if backwards else planned:
        wires[arrival.index] = wire = Wire()
        asyncio.run(arrival.journey.play(wire, arrival.random))
    return [(a.at_s, a.journey.name, repr(wires[a.index].sent).encode()) for a in planned]


def test_the_same_seed_gives_the_same_bytes_at_the_same_times():
    spec = {**SPEC, "deadline_s": 5}
    assert wire_bytes(spec) == wire_bytes(spec)


def test_what_a_journey_sends_does_not_depend_on_the_order_journeys_are_played_in():
    spec = {**SPEC, "deadline_s": 3}
    assert wire_bytes(spec) == wire_bytes(spec, backwards=True)


def test_another_seed_gives_other_bytes_and_other_times():
    one, two = (wire_bytes({**SPEC, "deadline_s": 2, "seed": seed}) for seed in (1, 2))
    assert [at for at, _, _ in one] != [at for at, _, _ in two]
    assert [sent for _, _, sent in one] != [sent for _, _, sent in two]


def test_every_second_has_its_share_of_arrivals_and_all_are_in_order():
    times = [arrival.at_s for arrival in arrivals(read_spec({**SPEC, "rate_rps": 20}))]
    assert times == sorted(times)
    assert set(Counter(int(at) for at in times).values()) == {20}
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert len({round(gap, 4) for gap in gaps}) > 500, "arrivals tick like a clock"


def test_the_rate_is_the_systems_own_when_none_is_given():
    assert read_spec(SPEC).rate_rps == 30.0


def test_the_mix_is_sixty_thirty_ten():
    shares = Counter(a.journey.name for a in arrivals(read_spec({**SPEC, "deadline_s": 300})))
    total = shares.total()
    assert shares["read-home-timeline"] / total == pytest.approx(0.6, abs=0.02)
    assert shares["read-user-timeline"] / total == pytest.approx(0.3, abs=0.02)
    assert shares["compose-post"] / total == pytest.approx(0.1, abs=0.02)


def test_a_mix_replaces_the_weights_and_leaves_out_what_it_does_not_name():
    load = read_spec({**SPEC, "mix": {"compose-post": 3, "read-user-timeline": 1}})
    shares = Counter(a.journey.name for a in arrivals(load))
    assert set(shares) == {"compose-post", "read-user-timeline"}
    assert shares["compose-post"] / shares.total() == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize(
    ("mix", "words"), [({"buy-ticket": 1}, "buy-ticket"), ({"compose-post": 0}, "no journey"), ({}, "no journey")]
)
def test_a_mix_that_can_not_work_is_refused(mix, words):
    with pytest.raises(ScenarioError, match=words):
        read_spec({**SPEC, "mix": mix})
