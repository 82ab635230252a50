"""Copies of the clients the original is driven with: the shapes of wrk2's mixed workload and of the init script."""

import asyncio
import http.client
import json
import random
import string

import aiohttp
from host_program import wait_for
from sn_system import System

ALPHANUMERIC = string.ascii_letters + string.digits
URL = "http://localhost:8080/wrk2-api"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Host": "localhost:8080"}
USERS = 962


class Wrk2:
    """Requests as mixed-workload.lua makes them: absolute targets, bodies that are not percent-encoded."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> tuple[str, str, str | None]:
        """Method, target and body of the next request."""
        draw = self._random.random()
        if draw < 0.6:
            return self._read("home")
        return self._read("user") if draw < 0.9 else self._compose()

    def _read(self, kind: str) -> tuple[str, str, None]:
        user, start = self._random.randrange(USERS), self._random.randint(0, 100)
        return "GET", f"{URL}/{kind}-timeline/read?user_id={user}&start={start}&stop={start + 10}", None

    def _compose(self) -> tuple[str, str, str]:
        choose = self._random
        user = choose.randrange(USERS)
        text = "".join(choose.choices(ALPHANUMERIC, k=256))
        for _ in range(choose.randint(0, 5) + 1):
            text += f" @username_{choose.choice([other for other in range(USERS) if other != user])}"
        for _ in range(choose.randint(0, 5) + 1):
            text += " http://" + "".join(choose.choices(ALPHANUMERIC, k=64))
        count = choose.randint(0, 4) + 1
        ids = ",".join('"' + "".join(choose.choices(string.digits, k=18)) + '"' for _ in range(count))
        types = ",".join(['"png"'] * count)
        body = (
            f"username=username_{user}&user_id={user}&text={text}&media_ids=[{ids}]&media_types=[{types}]&post_type=0"
        )
        return "POST", f"{URL}/post/compose", body


def test_wrk2_mixed_workload_has_no_failure_and_its_traces_are_whole(system: System):
    known = {span["trace_id"] for span in system.spans()}
    client = Wrk2(5)
    connection = http.client.HTTPConnection(system.url.removeprefix("http://"), timeout=15)
    kinds = set()
    for _ in range(120):
        method, target, body = client.request()
        connection.request(method, target, body, HEADERS)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        if method == "POST":
            assert content == b"Successfully upload post\n"
        else:
            posts = json.loads(content)
            assert posts == {} or 1 <= len(posts) <= 10
            kinds.add(type(posts))
    connection.close()
    assert kinds == {dict, list}

    def orphans() -> list[str]:
        spans = [span for span in system.spans() if span["trace_id"] not in known]
        ids = {(span["trace_id"], span["span_id"]) for span in spans}
        assert len({trace for trace, _ in ids}) == 120  # a trace for each request
        assert len(ids) == len(spans)
        parents = [(span["trace_id"], span["parent_span_id"]) for span in spans if span["parent_span_id"]]
        return [parent for parent in parents if parent not in ids]

    wait_for(lambda: not orphans(), "every span's parent")


async def _init(url: str, prefix: str, users: int, edges: list[tuple[int, int]], limit: int) -> list[str]:
    """Register, follow by names both ways, compose; returns the bodies that are no successes."""
    failures: list[str] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:

        async def post(path: str, fields: dict[str, str]) -> None:
            async with session.post(f"{url}/wrk2-api/{path}", data=fields) as answer:
                text = await answer.text()
                if not (text == "" or text.startswith("Success")):
                    failures.append(text)

        def registration(number: int) -> dict[str, str]:
            name = f"{prefix}{number}"
            return {
                "first_name": f"first_name_{number}",
                "last_name": f"last_name_{number}",
                "username": name,
                "password": f"password_{number}",
                "user_id": str(5_000_000 + number),
            }

        await asyncio.gather(*(post("user/register", registration(number)) for number in range(users)))
        pairs = [pair for a, b in edges for pair in ((a, b), (b, a))]
        follows = [{"user_name": f"{prefix}{a}", "followee_name": f"{prefix}{b}"} for a, b in pairs]
        await asyncio.gather(*(post("user/follow", fields) for fields in follows))
        posts = [
            {"username": f"{prefix}{number}", "user_id": str(5_000_000 + number), "text": "init & go", "post_type": "0"}
            for number in range(users)
        ]
        await asyncio.gather(*(post("post/compose", fields) for fields in posts))
    return failures


def test_init_client_builds_a_graph_with_many_connections(system: System):
    users = 24
    edges = [(number, (number + step) % users) for number in range(users) for step in (1, 2)]
    failures = asyncio.run(_init(system.url, "init_", users, edges, limit=50))
    assert failures == []
    rows = system.sql(
        "social-graph-mongodb",
        "SELECT user_id, jsonb_array_length(followers) AS a, jsonb_array_length(followees) AS b "
        "FROM social_graph WHERE user_id BETWEEN 5000000 AND 5999999",
    )
    assert len(rows) == users
    assert {(row["a"], row["b"]) for row in rows} == {(4, 4)}
    sets = system.redis("social-graph-redis")
    assert {sets.zcard(f"{5_000_000 + number}:followers") for number in range(users)} == {4}
    posts = system.read("home", 5_000_000).json()
    authors = {post["creator"]["username"] for post in posts}
    assert authors == {f"init_{number}" for number in (1, 2, users - 1, users - 2)}
    assert {post["text"] for post in posts} == {"init & go"}
