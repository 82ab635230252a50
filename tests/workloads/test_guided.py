"""Traffic that coverage guides: a ladder of refusals is climbed, and what was kept is a suite that can be replayed."""

from __future__ import annotations

import ast
import base64
import dataclasses
import importlib.util
import json
from random import Random

import pytest
from shop_entry import DOCUMENT, FRESH, open_shop

from pytest_anomod.workloads.guided import Answer, Explorer, chain, envelope_status
from pytest_anomod.workloads.guided_ask import Sender
from pytest_anomod.workloads.guided_drafts import Drafts
from pytest_anomod.workloads.guided_lines import Ground
from pytest_anomod.workloads.guided_seeds import recorded_steps
from pytest_anomod.workloads.guided_suite import write_suite
from pytest_anomod.workloads.guided_values import Values
from pytest_anomod.workloads.guided_words import day_for, given, likeness, words, words_of_route
from pytest_anomod.workloads.openapi_document import Operation, operations
from pytest_anomod.workloads.script import Day, Step

LADDER = {
    "openapi": "3.0.3",
    "paths": {
        "/contacts": {"get": {}},
        "/trips": {"get": {}},
        "/menus": {"get": {}},
        "/orders": {"get": {}},
        "/booking": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "contactsId": {"type": "string", "nullable": True},
                                    "tripId": {"type": "string", "nullable": True},
                                    "date": {"type": "string"},
                                    "from": {"type": "string"},
                                    "to": {"type": "string"},
                                    "seatType": {"type": "integer"},
                                },
                            }
                        }
                    }
                }
            }
        },
    },
}
LINES = list(range(1, 8))
TOWNS = ["nanjing", "beijing", "shanghai", "suzhou", "wuxi", "taiyuan"]
TRIPS = [
    {
        "tripId": {"type": "G", "number": f"12{number}"},
        "startStation": TOWNS[number],
        "terminalStation": TOWNS[number - 2],
    }
    for number in range(6)
]
LISTS = {
    "/contacts": [{"id": f"contact-{number}"} for number in range(3)],
    "/trips": {"status": 1, "data": TRIPS},
    "/menus": {"status": 1, "data": [{"tripId": f"G12{number}", "food": "soup"} for number in range(6)]},
    "/orders": {"status": 1, "data": [{"from": town, "to": TOWNS[0], "price": "50"} for town in TOWNS]},
}


class Ladder:
    """A service that books in five steps, each a line; it answers 200 to all, and says in the envelope how it went.

    The trip and its two stations must be of one object of an answer, where they have other names.
    """

    def __init__(self) -> None:
        self.ground = Ground()
        self._ran: list[int] = []
        self.ground.begin("booking", self._snapshot([1]))

    def ask(self, step: Step) -> Answer:
        """Answer, and remember which lines ran."""
        if step.route in LISTS:
            return Answer(200, LISTS[step.route], "t")
        wanted = step.body or {}
        trips = {f"G12{number}": (TOWNS[number], TOWNS[number - 2]) for number in range(6)}
        rungs = [
            str(wanted.get("contactsId", "")).startswith("contact-"),
            wanted.get("tripId") in trips,
            trips.get(wanted.get("tripId")) == (wanted.get("from"), wanted.get("to")),
            str(wanted.get("date", "")) > Day(0, "%Y-%m-%d").of({}),
            wanted.get("seatType") == 3,
        ]
        reached = next((number for number, good in enumerate(rungs) if not good), len(rungs))
        self._ran = LINES[1 : 2 + reached]
        return Answer(200, {"status": int(reached == len(rungs)), "msg": "Success" if reached == 5 else "No"}, "t")

    def after(self, trace_id: str):
        """Lines of the request before."""
        ran, self._ran = self._ran, []
        return self.ground.ran("booking", self._snapshot(ran))

    def _snapshot(self, ran):
        return {"files": {"book.py": {"covered": ran, "executable": LINES, "functions": {"book": [2, 7]}}}}


def climbed(seed: int) -> tuple[Ladder, Explorer]:
    ladder = Ladder()
    explorer = Explorer(operations(LADDER), ask=ladder.ask, lines=ladder, random=Random(seed))
    explore_until(explorer, lambda: ("POST /booking", 200, "status=1") in explorer.outcomes, most=600)
    return ladder, explorer


@pytest.mark.parametrize("seed", [1, 2])
def test_a_ladder_of_refusals_is_climbed_to_its_end(seed):
    ladder, explorer = climbed(seed)
    assert ladder.ground.covered == {("booking", "book.py", line) for line in range(2, 8)}
    assert ladder.ground.total == 6
    booked = explorer.kept[-1]
    assert booked.envelope == "status=1"
    assert {explorer.kept[number].step.route for number in chain(explorer.kept, [booked.number])} >= {
        "/contacts",
        "/trips",
    }
    assert booked.step.taken["body", "contactsId"].keys[-1] == "id"
    assert all(("body", name) in booked.step.taken for name in ("tripId", "from", "to"))


def test_what_was_kept_is_a_suite_that_takes_ids_from_the_answers_of_today(tmp_path, monkeypatch):
    with open_shop() as shop:
        sender = Sender(shop.url, {"Authorization": FRESH})
        explorer = Explorer(operations(DOCUMENT), ask=sender, lines=Silent(), random=Random(4))
        explore_until(explorer, lambda: bool(shop.orders), most=200)
        sender.close()
        path = tmp_path / "test_explored.py"
        tests = write_suite(path, explorer.kept, system="shop", base="http://x:1", login={"Authorization": FRESH})
        text = path.read_text(encoding="utf-8")
        assert FRESH not in text
        names = [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        assert sum(name.startswith("test_") for name in names) == tests == sum(one.adds for one in explorer.kept)
        shop.items = [f"item-{number:04}-later" for number in range(3)]
        monkeypatch.setenv("ANOMOD_BASE_URL", shop.url)
        spec = importlib.util.spec_from_file_location("explored", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.LOGIN = {"Authorization": FRESH}
        before = len(shop.orders)
        for name in names:
            if name.startswith("test_post_orders") and "201" in getattr(module, name).__doc__:
                getattr(module, name)()
        assert len(shop.orders) > before


class Silent:
    """A system whose lines nobody counts: only outcomes are new."""

    def __init__(self) -> None:
        self.ground = Ground()

    def after(self, trace_id: str):
        return set()


def explore_until(explorer: Explorer, done, *, most: int) -> None:
    """Try candidates until something is reached."""
    for one in explorer.candidates():
        explorer.attempt(one)
        if done():
            return
        assert explorer.requests < most


def test_names_say_what_may_be_meant():
    assert words("contactsId") == {"contact", "id"}
    assert words_of_route("/api/v1/contactservice/contacts/{id}") == {"contact"}
    wanted, around = words("contactsId"), words_of_route("/preserveservice/preserve")
    contact, order = (likeness(wanted, around, words("id"), words(name)) for name in ("contacts", "orders"))
    assert contact > 2 > order
    assert likeness(words("from"), around, words("startStation"), around) > 0
    assert likeness(words("from"), around, words("endStation"), around) < 0
    assert day_for(words("name"), "2013-05-04 07:00:00", Random(1)).form == "%Y-%m-%d %H:%M:%S"
    assert day_for(words("name"), "blue", Random(1)) is None


def test_secrets_of_answers_are_never_spliced():
    values = Values()
    values.learn(0, "/login", {"data": {"userId": "u-1", "token": "eyJ.secret", "password": "p"}})
    seen = {one.value for row in values.rows for one in row.values()} | {
        one.value for group in values._by_word.values() for one in group
    }
    assert seen == {"u-1"}


def test_envelopes_say_how_it_went():
    assert envelope_status({"status": 0, "data": None}) == "status=0"
    assert envelope_status({"success": False}) == "success=False"
    assert [envelope_status(one) for one in ([], None, {"status": {"a": 1}})] == ["", "", ""]


def test_recorded_requests_are_seeds_without_logins():
    rows = [
        {
            "method": "POST", "url": "http://x:1/orders", "status_code": 201, "request_truncated": False,
            "request_headers": {"Content-Type": "application/json", "Authorization": "[redacted]"},
            "request_body": json.dumps({"itemId": f"item-{number}"}),
        }
        for number in range(5)
    ]  # fmt: skip
    steps = recorded_steps([*rows, {**rows[0], "request_body": "password=[redacted]"}], operations(DOCUMENT))
    assert [step.body["itemId"] for step in steps] == ["item-0", "item-1", "item-2"]
    assert all(step.headers == {} for step in steps)


def test_repeated_names_of_recorded_requests_are_sent_again():
    row = {
        "method": "POST", "url": "http://x:1/items?id=1&id=2", "status_code": 200, "request_truncated": False,
        "request_headers": {"Content-Type": "application/x-www-form-urlencoded"}, "request_body": "tag=red&tag=blue",
    }  # fmt: skip
    with open_shop() as shop:
        sender = Sender(shop.url, {})
        (step,) = recorded_steps([row], [])
        sender(step)
        sender.close()
        assert [(path, body) for _, path, _, body in shop.requests] == [("/items?id=1&id=2", b"tag=red&tag=blue")]


def test_time_and_rate_bound_it():
    ladder = Ladder()
    explorer = Explorer(operations(LADDER), ask=ladder.ask, lines=ladder, random=Random(1))
    told = []
    explorer.run(0.3, 50.0, every=(0.1, lambda: told.append(explorer.requests)))
    assert 1 <= explorer.requests <= 16
    assert [count for _, _, count in explorer.progress] == list(range(1, explorer.requests + 1))


def test_a_gone_system_gives_no_answer():
    with open_shop() as shop:
        url = shop.url
    assert Sender(url, {})(Step(method="GET", path="/items", route="/items")).status == 0


MAKER = {
    "openapi": "3.0.3",
    "paths": {
        "/notes": {"get": {}, "post": {"requestBody": {"content": {"application/json": {"schema": {
            "type": "object", "properties": {"title": {"type": "string"}}}}}}}},
        "/archive/{noteId}": {"post": {"parameters": [{"name": "noteId", "in": "path", "schema": {"type": "string"}}]}},
        "/purge": {"put": {}, "delete": {}},
    },
}  # fmt: skip


class Notes:
    """Notes have no ids in the answer that makes them, only in the list; who archives one must take it from there."""

    def __init__(self) -> None:
        self.ground = Ground()
        self.notes: list[str] = []
        self._ran: list[int] = []
        self.ground.begin("notes", self._snapshot([1]))

    def ask(self, step: Step) -> Answer:
        """Answer, and remember which lines ran."""
        if step.route == "/notes":
            self._ran = [2] if step.method == "GET" else [3]
            if step.method == "POST":
                self.notes.append(f"note-{len(self.notes)}")
                return Answer(201, None, "t")
            return Answer(200, [{"id": note, "pages": 1} for note in self.notes], "t")
        known = step.route.startswith("/archive") and step.path.rpartition("/")[2] in self.notes
        self._ran = [4, 5] if known else [4]
        return Answer(200 if known else 404, None, "t")

    def after(self, trace_id: str):
        """Lines of the request before."""
        ran, self._ran = self._ran, []
        return self.ground.ran("notes", self._snapshot(ran))

    def _snapshot(self, ran):
        return {"files": {"notes.py": {"covered": ran, "executable": [1, 2, 3, 4, 5], "functions": {"all": [2, 5]}}}}


def test_what_was_made_is_found_in_a_list_that_is_read_again():
    notes = Notes()
    explorer = Explorer(operations(MAKER), ask=notes.ask, lines=notes, random=Random(1))
    explore_until(explorer, lambda: ("notes", "notes.py", 5) in notes.ground.covered, most=100)
    needed = [explorer.kept[number] for number in chain(explorer.kept, [len(explorer.kept) - 1])]
    assert [f"{one.step.method} {one.step.route}" for one in needed] == [
        "POST /notes", "GET /notes", "POST /archive/{noteId}",
    ]  # fmt: skip


def test_what_changes_or_deletes_waits_until_others_had_their_time():
    asked = []

    def ask(step: Step) -> Answer:
        asked.append(step.method)
        return Answer(200, None, "t")

    explorer = Explorer(operations(MAKER), ask=ask, lines=Silent(), random=Random(1), deletions=True)
    tries = explorer.candidates()
    for share, new in ((0.0, set()), (0.8, {"PUT"}), (0.9, {"DELETE"})):
        explorer.share = share
        before = set(asked)
        for _ in range(40):
            explorer.attempt(next(tries))
        assert set(asked) & {"PUT", "DELETE"} - before == new


def test_a_login_says_who_one_is_and_not_the_token():
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "ann", "id": "u-7", "exp": 99, "roles": ["x"]}).encode())
    values = Values()
    values.learn_login({"Authorization": f"Bearer eyJhbGciOiJIUzI1NiJ9.{claims.decode().rstrip('=')}.c2ln"})
    account = Operation("POST", "/orders", {("body", "accountId"): {"type": "string"}}, frozenset(), "json")
    assert [one.value for _, one in values.fitting(account, ("body", "accountId"))] == ["u-7"]
    assert values.version == 2
    body = {"userId": "u-7", "password": "Explored-1a", "name": "bob"}
    spared = Drafts(values, Random(1)).spared(Step(method="POST", path="/auth", route="/auth", body=body, kind="json"))
    assert spared.body["userId"] != "u-7"
    assert spared.body["name"] == "bob"


def test_a_trip_is_looked_at_with_its_route_and_from_is_where_that_starts():
    values = Values()
    values.learn(0, "/routes", [{"id": "route-9", "startStation": "nanjing", "endStation": "shanghai"}])
    values.learn(1, "/trips", [{"id": "trip-1", "tripId": {"type": "G", "number": "9"}, "routeId": "route-9"}])
    names = ("tripId", "from", "to", "date")
    places = {("body", name): {"type": "string"} for name in names}
    booking = Operation("POST", "/booking", places, frozenset(), "json")
    drafts = Drafts(values, Random(1))
    rows = [drafts.row_for(booking) for _ in range(40)]
    found = {tuple(row[place].value for place in places if place in row) for row in rows if len(row) == 3}
    assert ("G9", "nanjing", "shanghai") in found
    assert {one[1:] for one in found} == {("nanjing", "shanghai")}


def test_examples_stand_in_descriptions_too():
    told = {"type": "string", "description": 'A JSON list of texts, such as ["412"].'}
    assert given(told) == ['["412"]']
    assert given({"type": "integer", "description": "A year, e.g. 1999, or later."}) == [1999]
    assert given({**told, "example": "[]"}) == ["[]"]


def test_a_request_of_nobody_has_no_login_here_and_in_the_suite(tmp_path):
    with open_shop() as shop:
        sender = Sender(shop.url, {"Authorization": FRESH})
        step = Step(method="GET", path="/items", route="/items", anonymous=True)
        sender(step)
        sender(dataclasses.replace(step, anonymous=False))
        assert ["authorization" in headers for _, _, headers, _ in shop.requests] == [False, True]
        sender.close()
    explorer = Explorer([], ask=lambda step: Answer(401, None, "t"), lines=Silent(), random=Random(1), seeds=[step])
    explorer.attempt(next(explorer.candidates()))
    write_suite(tmp_path / "test_it.py", explorer.kept, system="shop", base="http://x:1", login={"Authorization": "x"})
    assert "send('GET', '/items', login=False)" in (tmp_path / "test_it.py").read_text(encoding="utf-8")
