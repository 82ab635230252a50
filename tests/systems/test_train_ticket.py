"""TrainTicket is what the replica deploys; its journeys go through all targets, whole and unrefused."""

from __future__ import annotations

import asyncio
import collections
import csv
import dataclasses
import json
import re
from pathlib import Path
from random import Random

import pytest

from pytest_anomod.model import catalog
from pytest_anomod.model.system import Replica, ServiceKind
from pytest_anomod.model.workload import Response
from pytest_anomod.replicas.train_ticket import SYSTEM, access
from pytest_anomod.runtimes.process.runtime import ProcessRuntime
from pytest_anomod.safety import sessions
from pytest_anomod.systems import _train_ticket_journeys as journeys
from pytest_anomod.systems import _train_ticket_users as users
from pytest_anomod.systems import train_ticket
from pytest_anomod.systems.train_ticket import TRAIN_TICKET
from pytest_anomod.workloads.generator import Generator
from pytest_anomod.workloads.plan import read_spec

CALLS = Path(__file__).parents[1] / "replicas" / "train_ticket" / "calls.csv"
SECONDS = 8.0
LEAST_RPS = {
    "ts-preserve-service": 2.5,
    "ts-order-service": 20.0,
    "ts-order-other-service": 5.0,
    "ts-security-service": 2.5,
    "ts-travel-service": 4.0,
    "tsdb-mysql": 80.0,
}
"""What the targets of the scenarios get at the default rate a second: requests, and the database statements."""


class Wire:
    """A client whose every answer `answer` makes from method and path; keeps what was sent."""

    def __init__(self, answer=None, state=None):
        self.state = {} if state is None else state
        self.calls = []
        self.answer = answer or granting

    async def request(self, method, path, **rest):
        self.calls.append((method, path, rest))
        status, answer = self.answer(path)
        return Response(status=status, body=json.dumps(answer).encode())

    def paths(self):
        return [path for _, path, _ in self.calls]


def granting(path):
    if path.endswith("/login"):
        return 200, {"status": 1, "data": {"userId": "u", "token": "t"}}
    if "/contacts/account/" in path:
        return 200, {"status": 1, "data": [{"id": "c1"}, {"id": "c2"}]}
    return 200, {"status": 1, "data": []}


def played(play, seed, wire):
    asyncio.run(play(wire, Random(seed)))
    return wire.calls


def test_it_is_found_by_name():
    assert catalog.find("systems", "train_ticket") is TRAIN_TICKET


def test_the_definition_is_what_the_replica_deploys():
    ours = {service.name: (str(service.kind), set(service.calls)) for service in TRAIN_TICKET.services}
    theirs = {spec.name: (spec.kind, set(spec.calls)) for spec in SYSTEM.services}
    theirs |= {spec.name: (spec.kind, set()) for spec in SYSTEM.stores}
    assert ours == theirs
    assert (SYSTEM.entry, SYSTEM.name) == (TRAIN_TICKET.entry, TRAIN_TICKET.deploy(Replica).package)


def test_the_calls_are_those_of_the_original():
    with CALLS.open() as stream:
        wanted = {(row["caller"], row["callee"]) for row in csv.DictReader(stream)}
    # who reads a queue calls it; the mail server is no part of the system
    wanted = {(callee, caller) if caller == "rabbitmq" else (caller, callee) for caller, callee in wanted}
    wanted = {edge for edge in wanted if not edge[1].startswith("smtp")}
    assert {(service.name, call) for service in TRAIN_TICKET.services for call in service.calls} == wanted


def test_there_are_two_gateways_44_services_a_database_and_a_queue():
    kinds = collections.Counter(service.kind for service in TRAIN_TICKET.services)
    assert kinds == {ServiceKind.GATEWAY: 2, ServiceKind.APP: 44, ServiceKind.DOCSTORE: 1, ServiceKind.QUEUE: 1}


def test_the_table_of_shares_is_the_mix():
    shares = {name: int(share) for name, share in re.findall(r"^\| ([\w-]+) \| (\d+) % ", train_ticket.__doc__, re.M)}
    assert shares == {journey.name: round(journey.weight * 100) for journey in TRAIN_TICKET.journeys}
    assert sum(shares.values()) == 100


@pytest.mark.parametrize("journey", TRAIN_TICKET.journeys, ids=lambda journey: journey.name)
def test_what_a_journey_sends_comes_from_its_seed_alone(journey):
    runs = [played(journey.play, seed, Wire()) for seed in (5, 5, *range(20))]
    assert runs[0] == runs[1]
    assert len({json.dumps(run, sort_keys=True) for run in runs[2:]}) > 1 or journey.name == "open-page"


@pytest.mark.parametrize("journey", TRAIN_TICKET.journeys, ids=lambda journey: journey.name)
@pytest.mark.parametrize(
    "answer",
    [
        (0, ""),
        (500, {"status": 500}),
        (403, ""),
        (200, ""),
        (200, []),
        (200, None),
        (200, {"status": 0, "data": None}),
        (200, {"status": 1, "data": None}),
    ],
    ids=json.dumps,
)
def test_a_journey_that_gets_no_good_answer_after_the_login_ends_without_an_error(journey, answer):
    for seed in range(8):
        wire = Wire(lambda path: granting(path) if path.endswith("/login") else answer)
        assert len(played(journey.play, seed, wire)) <= 9


def test_who_cannot_log_in_does_nothing_else():
    wire = Wire(lambda path: (200, {"status": 0, "msg": "Incorrect username or password.", "data": None}))
    played(journeys.travel, 1, wire)
    sign_up = "/api/v1/userservice/users/register"
    assert wire.paths() == [sign_up, "/api/v1/verifycode/generate", "/api/v1/users/login"]


def a_full_house():
    """State of a workload whose passengers have all come."""
    state = {}
    for seed in range(users.PASSENGERS):
        played(users.sign_up, seed, Wire(state=state))
    return state


def test_a_login_lasts_until_it_is_refreshed_or_the_token_is_refused(monkeypatch):
    monkeypatch.setattr(users, "JOURNEYS", 10_000)
    state = a_full_house()
    later = [Wire(state=state) for _ in range(100)]
    for seed, wire in enumerate(later):
        played(journeys.look_at_orders, seed, wire)
    assert later[0].calls[-1][2]["headers"]["Authorization"] == "Bearer t"
    assert 2 <= sum("/api/v1/users/login" in wire.paths() for wire in later) <= 25
    kept = next(seed for seed, wire in enumerate(later) if "/api/v1/users/login" not in wire.paths())
    played(journeys.look_at_orders, kept, Wire(lambda path: (403, ""), state))
    again = Wire(state=state)
    played(journeys.look_at_orders, kept, again)
    assert "/api/v1/users/login" in again.paths()


def test_a_new_login_takes_nothing_from_the_users_other_journeys():
    state = {}

    async def together():
        first, second = Wire(state=state), Wire(state=state)
        begun = await users.passenger(first, Random(1))
        second.answer = lambda path: (200, {"status": 1, "data": {"userId": "u", "token": "new"}})
        assert await users.log_in(second, Random(1), begun.user)
        first.answer = lambda path: (403, "")
        assert await begun.get("/orders") is None
        return first.calls[-1][2]["headers"]["Authorization"], begun.user.token

    assert asyncio.run(together()) == ("Bearer t", "new")


def test_passengers_of_any_three_in_turn_differ_in_group_and_money():
    """Drawn by lot they would all be alike in one window and otherwise in the next: a difference that nothing made."""
    state, kinds = {}, []
    for seed in range(12):
        wire = Wire(state=state)
        played(users.sign_up, seed, wire)
        has_money = any(call[1].endswith("/inside_payment/account") for call in wire.calls)
        kinds.append((state["train_ticket"].passengers[-1].group, has_money))
    for three in zip(kinds, kinds[1:], kinds[2:], strict=False):
        assert {group for group, _ in three} == {"alpha", "beta"}
        assert {money for _, money in three} == {True, False}


def test_users_say_which_of_two_groups_they_are_in():
    """A fault can be for one of them: all requests of a user have the same group."""
    state = {}
    for seed in range(12):
        wire = Wire(state=state)
        played(users.sign_up, seed, wire)
        groups = {call[2]["headers"]["X-Group"] for call in wire.calls if "headers" in call[2]}
        assert groups == {state["train_ticket"].passengers[-1].group}


def test_passengers_come_and_go():
    state = a_full_house()
    before = [user.name for user in state["train_ticket"].passengers]
    for seed in range(100, 100 + users.PASSENGERS):
        played(users.sign_up, seed, Wire(state=state))
    after = [user.name for user in state["train_ticket"].passengers]
    assert len({*before, *after}) == 2 * users.PASSENGERS


def test_nobody_makes_many_journeys_and_there_are_as_many_passengers_at_any_time():
    """Lists of orders stay short, and are as long in the first seconds as later."""
    state, made = {}, collections.Counter()
    for seed in range(300):
        wire = Wire(state=state)
        wire.answer = lambda path, seed=seed: (
            (200, {"status": 1, "data": {"userId": f"u{seed}", "token": f"t{seed}"}})
            if path.endswith("/login")
            else granting(path)
        )
        begun = asyncio.run(users.passenger(wire, Random(seed)))
        made[begun.user.name] += 1
        assert seed < users.PASSENGERS or len(state["train_ticket"].passengers) >= users.PASSENGERS - 1
    assert max(made.values()) == users.JOURNEYS + 1
    first = [made[name] for name in list(made)[: users.PASSENGERS]]
    assert first == [1 + users.JOURNEYS * (turn + 1) // users.PASSENGERS for turn in range(users.PASSENGERS)]


def test_a_probe_is_an_administrator_to_every_service():
    """The services' own check takes the token that is made without asking them."""
    identity = access.identify(TRAIN_TICKET.probe_headers()["Authorization"])
    assert identity.roles == ("ROLE_ADMIN",)


def test_a_passenger_of_an_earlier_workload_with_the_same_seed_takes_part_again():
    def refusing(path):
        is_known = path.endswith(("/register", "/contactservice/contacts", "/inside_payment/account"))
        return (200, {"status": 0, "msg": "known", "data": None}) if is_known else granting(path)

    state = {}
    played(users.sign_up, 1, Wire(refusing, state))
    assert len(state["train_ticket"].passengers) == 1


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """The booted system, in a state directory of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMOD_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw0")
        runtime = ProcessRuntime()
        deployment = runtime.up(TRAIN_TICKET, session, coverage=False)
        yield deployment
        runtime.down(deployment)
        assert sessions.end_session(session) == ()


def run_load(deployment, path, seed, **changes):
    """Play a load; the records of its exchanges, after a check that none was an error or a refusal."""
    spec = {"system": "train_ticket", "entry_url": deployment.entry_url, "urls": dict(deployment.urls)}
    load = read_spec({**spec, "seed": seed, "timeout_s": 30, "body_limit_bytes": 300, **changes})
    generator = Generator(dataclasses.replace(load, max_in_flight=10_000), path)
    asyncio.run(generator.run())
    records = [json.loads(line) for line in path.read_text().splitlines()]
    bad = [
        (row["journey"], row["method"], row["url"], row["status_code"], row["error_kind"], row["response_body"])
        for row in records
        if row["error_kind"] or row["status_code"] not in (200, 201) or row["response_body"].startswith('{"status":0')
    ]
    assert bad == []
    report = json.loads(path.with_name(path.name + ".state.json").read_text())
    assert report["journey_errors"] == 0, report
    return records


def test_every_journey_plays_to_its_end_without_an_error_answer(deployment, tmp_path):
    mix = {journey.name: 1.0 for journey in TRAIN_TICKET.journeys}
    records = run_load(deployment, tmp_path / "all", 7, mix=mix, rate_rps=8.0, deadline_s=SECONDS)
    routes = collections.defaultdict(set)
    for row in records:
        routes[row["journey"]].add(row["route"].removeprefix("/api/v1"))
    assert set(routes) == {journey.name for journey in TRAIN_TICKET.journeys}
    ends = {
        "travel": "/executeservice/execute/execute/{order_id}",
        "cancel": "/cancelservice/cancel/{order_id}/{user_id}",
        "rebook": "/rebookservice/rebook/difference",
        "consign": "/consignservice/consigns/account/{user_id}",
        "order-food": "/foodservice/orders",
        "sign-up": "/inside_pay_service/inside_payment/account",
        "look-at-orders": "/orderOtherService/orderOther/refresh",
        "open-page": "/stationservice/stations",
    }
    assert {name: end for name, end in ends.items() if end not in routes[name]} == {}
    assert {"/preserveservice/preserve", "/preserveotherservice/preserveOther"} <= set().union(*routes.values())


def test_every_page_of_the_administrator_is_there(deployment, tmp_path):
    records = run_load(deployment, tmp_path / "admin", 1, mix={"administrate": 1.0}, rate_rps=25.0, deadline_s=2.0)
    assert set(journeys.ADMIN_PAGES) <= {row["route"] for row in records}


def spans_now(deployment):
    """Server spans by service, and statements under the database's name."""
    found = collections.Counter()
    for file in (Path(deployment.directory) / "spans").glob("*.jsonl"):
        for span in map(json.loads, file.read_text().splitlines()):
            if span["span_kind"] == "SERVER":
                found[span["service_name"]] += 1
            if span["attributes"].get("db.system") == "mysql":
                found["tsdb-mysql"] += 1
    return found


def test_every_target_gets_several_requests_a_second_at_the_default_rate(deployment, tmp_path):
    before = spans_now(deployment)
    run_load(deployment, tmp_path / "default", 3, deadline_s=SECONDS)
    counts = spans_now(deployment) - before
    rates = {name: counts[name] / SECONDS for name in LEAST_RPS}
    assert {name: rate for name, rate in rates.items() if rate < LEAST_RPS[name]} == {}
