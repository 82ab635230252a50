"""What a journey can rely on: its cookies, its own steps, other public services, and that no failure raises."""

from __future__ import annotations

import asyncio
import json

import pytest

from pytest_anomod.model.system import Journey, System
from pytest_anomod.workloads.generator import Generator, state_path
from pytest_anomod.workloads.plan import Load


@pytest.fixture
def play(entry, tmp_path):
    """Play journeys of a made-up system for a moment; return the records and the report."""

    def play(journey, **changes):
        load = Load(
            system=System(name="made-up", services=(), entry="front", journeys=()),
            entry_url=entry.url,
            urls={"front": entry.url, "media": entry.url + "/media"},
            journeys=(Journey(name="j", weight=1, play=journey),),
            rate_rps=20,
            timeout_s=5,
            seed=1,
            deadline_s=changes.get("deadline_s", 0.1),
            body_limit_bytes=changes.get("body_limit_bytes", 4096),
            max_in_flight=50,
        )
        path = tmp_path / "records.jsonl"
        asyncio.run(Generator(load, path).run())
        report = json.loads(state_path(path).read_text())
        return [json.loads(line) for line in path.read_text().splitlines()], report

    return play


def test_cookies_live_as_long_as_the_journey_and_no_longer(entry, play):
    async def journey(client, random):
        await client.request("POST", "/login", form={"password": "hunter2&", "user": "a b"})
        await client.request("GET", "/read")

    records, _ = play(journey)
    assert [row["step"] for row in records if row["journey_id"] == 0] == [1, 2]
    by_path = [(path, headers.get("cookie"), body) for _, path, headers, body in entry.requests]
    logins = [(cookie, body) for path, cookie, body in by_path if path == "/login"]
    assert logins == [(None, b"password=hunter2%26&user=a+b")] * 2
    assert [cookie for path, cookie, _ in by_path if path == "/read"] == ["login_token=s3cr3t"] * 2
    assert "hunter2" not in json.dumps(records)
    assert "s3cr3t" not in json.dumps(records)


def test_only_the_first_step_counts_from_the_plan(play):
    async def journey(client, random):
        await client.request("GET", "/one")
        await asyncio.sleep(0.2)
        await client.request("GET", "/two")

    records, _ = play(journey)
    assert all(row["duration_ns"] < 150e6 and row["delay_ns"] == 0 for row in records if row["step"] == 2)


def test_json_queries_routes_and_other_public_services(entry, play):
    async def journey(client, random):
        await client.request("PUT", "/items/7", route="/items/{id}", json={"a": "ü"}, query={"q": "x y"}, host="media")

    records, _ = play(journey, deadline_s=0.05)
    [(_, path, headers, body)] = entry.requests
    assert (path, headers["content-type"], body) == ("/media/items/7?q=x+y", "application/json", '{"a":"ü"}'.encode())
    [row] = records
    assert (row["service_name"], row["method"], row["route"]) == ("media", "PUT", "/items/{id}")
    assert row["url"] == f"{entry.url}/media/items/7?q=x+y"
    assert row["request_body"] == '{"a":"ü"}'


def test_a_body_is_cut_at_the_limit_and_its_length_kept(play):
    async def journey(client, random):
        await client.request("GET", "/x")

    records, _ = play(journey, body_limit_bytes=10)
    assert {(len(row["response_body"]) <= 24, row["response_truncated"], row["response_bytes"]) for row in records} == {
        (True, True, 36)
    }


def test_a_journey_that_trips_is_counted_and_told_and_the_others_go_on(play):
    async def journey(client, random):
        answer = await client.request("GET", "/x")
        raise KeyError(answer.status)

    records, report = play(journey, deadline_s=0.2)
    assert len(records) == report["journey_errors"] == 4
    assert report["last_journey_errors"] == {"j": "KeyError: 200"}


def test_a_journey_that_asks_for_a_service_nobody_knows_ends_the_workload_with_the_reason(play):
    async def journey(client, random):
        await client.request("GET", "/x", host="nowhere")

    _, report = play(journey, deadline_s=5)
    assert report["end_reason"].startswith("error: journey 'j' asks for 'nowhere'")
