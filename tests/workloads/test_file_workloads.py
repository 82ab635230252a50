"""Files of other tools as workloads: what is sent, what is recorded, and what is said of files that are no good."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from pathlib import Path

import pytest
from shop_entry import COLLECTION, DOCUMENT, FRESH, HAR, define_shop, open_shop

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.model.workload import Driver, Scripted, is_replayed, workload_from_json
from pytest_anomod.workloads import driver, driver_programs, scripted
from pytest_anomod.workloads.har import read_har
from pytest_anomod.workloads.named import named_workload
from pytest_anomod.workloads.openapi_document import operations
from pytest_anomod.workloads.openapi_pool import generated
from pytest_anomod.workloads.postman import read_collection
from pytest_anomod.workloads.script import send

STAND_IN = """\
#!/usr/bin/env python3
# Stands in for k6: reads its command line, and sends what a script of two lines would.
import os, sys, time, urllib.request
if sys.argv[1] == "inspect":
    text = open(sys.argv[-1]).read()
    sys.exit("SyntaxError: file:///script.js: Line 2:7 Unexpected token" if "oops" in text else 0)
assert "--no-usage-report" in sys.argv and sys.argv[sys.argv.index("--vus") + 1] == "4"
base = os.environ["BASE_URL"]
while True:
    for path in ("/items", "/orders/none"):
        request = urllib.request.Request(base + path, headers={"Authorization": "Bearer stale-login"})
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read()
        except urllib.error.HTTPError:
            pass
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": os.environ["HTTP_PROXY"]}))
        opener.open("http://elsewhere.example/").read()
    except urllib.error.HTTPError as error:
        assert error.code == 502
    time.sleep(0.02)
"""
LOCUST = """
from locust import HttpUser, constant, task


class Shopper(HttpUser):
    wait_time = constant(0.02)

    @task
    def shop(self):
        self.client.get("/items")
        self.client.get("/orders/none", headers={"Authorization": "Bearer stale-login"})
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setenv(catalog.DEFINED_IN, str(define_shop(tmp_path)))
    with open_shop() as shop:
        yield shop


@pytest.fixture
def play(shop, tmp_path):
    """Plays a workload until so many requests are recorded; the records, and the summary."""

    def start(workload: Scripted | Driver, count: int) -> tuple[list[dict], dict]:
        module = driver if isinstance(workload, Driver) else scripted
        spec = {"system": "little-shop", "entry_url": shop.url, "urls": {}, "seed": 3, "deadline_s": 60.0}
        path = tmp_path / "records.jsonl"
        handle = module.start({**spec, **workload.spec(), "rate_rps": 50.0}, path)
        try:
            clock.wait_until(
                lambda: len(path.read_text().splitlines()) >= count, timeout_s=20, what="requests to be recorded"
            )
        finally:
            summary = module.stop(handle)
        return [json.loads(line) for line in path.read_text().splitlines()], summary

    return start


def written(folder: Path, name: str, content) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_recording_is_played_with_the_ids_of_today(play, shop, tmp_path):
    workload = named_workload(f"har:{written(tmp_path, 'visit.har', HAR).name}", tmp_path)
    rows, summary = play(workload, 9)
    assert {row["status_code"] for row in rows} == {200, 201}
    assert {(row["method"], row["route"]) for row in rows} == {
        ("GET", "/items"),
        ("POST", "/orders"),
        ("GET", "/orders/order-9-then"),
    }
    assert any("live" in row["url"] for row in rows)
    assert summary["left_out"] == 1
    assert summary["first_left_out"] == ["GET /broken: 500"]
    assert len(shop.items) == 8, "deletions are left out"
    assert all(headers.get("authorization") == FRESH for _, path, headers, _ in shop.requests if "orders" in path)
    assert all("cookie" not in headers and headers["x-shop"] == "blue" for _, _, headers, _ in shop.requests)
    told = (tmp_path / "records.jsonl").read_text() + (tmp_path / "records.jsonl.state.json").read_text()
    assert not any(secret in told for secret in ("stale", FRESH))
    assert len({row["trace_id"] for row in rows}) == len(rows)


def test_a_document_is_played_as_far_as_the_system_answers(play, shop, tmp_path):
    workload = named_workload(f"openapi:{written(tmp_path, 'shop.json', DOCUMENT).name}", tmp_path)
    rows, summary = play(workload, 12)
    assert {row["status_code"] for row in rows} <= {200, 201}
    assert summary["journeys"] == 3
    assert summary["first_left_out"] == ["GET /broken: 500"]
    orders = [json.loads(row["request_body"]) for row in rows if row["method"] == "POST"]
    assert all(order["itemId"] in shop.items and order.get("count", 2) == 2 for order in orders), "seen, and as given"


def test_dates_of_a_yaml_document_are_sent_as_they_are_written(play, tmp_path):
    import yaml

    document = {"openapi": "3.0.3", "info": DOCUMENT["info"], "paths": {"/items": DOCUMENT["paths"]["/items"]}}
    document["paths"]["/orders"] = {"post": {"requestBody": {"content": {"application/json": {"schema": {
        "type": "object", "required": ["itemId", "day"], "properties": {"itemId": {"type": "string"}, "day": {}},
    }}}}, "responses": {"201": {"description": "ordered"}}}}  # fmt: skip
    text = yaml.safe_dump(document).replace("day: {}", "day: {type: string, format: date, example: 2024-05-01}")
    assert "example: 2024-05-01}" in text
    rows, summary = play(named_workload(f"openapi:{written(tmp_path, 'shop.yaml', text).name}", tmp_path), 6)
    assert summary["journeys"] == 2
    days = [json.loads(row["request_body"])["day"] for row in rows if row["method"] == "POST"]
    assert days
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)


@pytest.mark.parametrize("base", ["", "/api"])
def test_generated_requests_are_of_the_operation_that_they_were_made_for(base):
    def of(*names: str):
        given = [{"name": name, "in": "path", "required": True, "schema": {"type": "integer"}} for name in names]
        return {"get": {"parameters": given, "responses": {"200": {"description": "one"}}}}

    document = {
        "openapi": "3.0.3",
        "info": DOCUMENT["info"],
        "servers": [{"url": f"http://shop.example{base}"}],
        "paths": {"/users/{uid}/orders/{id}": of("uid", "id"), "/orders/{id}": of("id")},
    }
    found = {name: make() for name, make in generated(document, operations(document), 1).items()}
    assert set(found) == {f"GET {base}/users/{{uid}}/orders/{{id}}", f"GET {base}/orders/{{id}}"}
    assert all(steps and "{" not in "".join(step.path for step in steps) for steps in found.values())


def test_a_collection_is_read_without_what_scripts_would_set(tmp_path):
    scripts, left_out = read_collection(written(tmp_path, "shop.json", COLLECTION))
    assert [one.partition("item[1] ")[2] for one in left_out] == [
        "needs lastOrder: give values in the collection's variables"
    ]
    assert [one.name for one in scripts] == ["order_an_item"]
    items, order = scripts[0].steps
    assert (items.method, items.path) == ("GET", "/items")
    assert order.body == {"itemId": "item-0001-then", "count": 2}
    assert order.headers == {}
    assert order.filled({0: [{"id": "item-7-live"}]}).body["itemId"] == "item-7-live"


def test_nothing_answered_says_what_was_tried(play, tmp_path):
    lost = {"log": {"entries": [one for one in HAR["log"]["entries"] if one["request"]["url"].endswith("/broken")]}}
    workload = named_workload(f"har:{written(tmp_path, 'lost.har', lost).name}", tmp_path)
    with pytest.raises(CaptureError, match=r"nothing of har:.*GET /broken: 500"):
        play(workload, 1)


def test_a_locust_file_goes_through_the_proxy(play, shop, tmp_path):
    workload = named_workload(f"locust:{written(tmp_path, 'shopper.py', LOCUST).name}", tmp_path)
    check_driven(*play(workload, 8), shop, tmp_path)


def test_a_k6_script_goes_through_the_proxy(play, shop, tmp_path, monkeypatch):
    stand_in = written(tmp_path, "k6", STAND_IN)
    stand_in.chmod(0o755)
    monkeypatch.setenv(driver_programs.K6, str(stand_in))
    script = 'http.get("http://localhost:8080/items", {headers: {Authorization: "Bearer stale-login"}});'
    workload = named_workload(f"k6:{written(tmp_path, 'shopper.js', script).name}", tmp_path)
    assert workload.bases == {"http://localhost:8080": ""}
    check_driven(*play(workload, 8), shop, tmp_path)
    with pytest.raises(ScenarioError, match=r"k6:.*bad\.js: SyntaxError: .* Line 2:7"):
        named_workload(f"k6:{written(tmp_path, 'bad.js', 'oops').name}", tmp_path)


def check_driven(rows: list[dict], summary: dict, shop, folder: Path) -> None:
    """Rows of both paths, each with its own trace; the written login gave way to a fresh one, which is in no file."""
    assert summary["end_reason"] == "stopped"
    assert {(row["journey"], row["status_code"]) for row in rows} == {("GET /items", 200), ("GET /orders/none", 404)}
    assert all(row["usual_status"] == row["status_code"] for row in rows)
    sent = {headers["traceparent"].split("-")[1] for _, _, headers, _ in shop.requests}
    assert {row["trace_id"] for row in rows} <= sent
    assert all(headers["authorization"] == FRESH for _, path, headers, _ in shop.requests if "orders" in path)
    told = (folder / "records.jsonl").read_text()
    assert "stale" not in told
    assert FRESH not in told


def test_what_a_file_lacks_is_said_with_its_place(tmp_path):
    cases = {
        ("openapi", "no.yaml", "paths: [1"): r"openapi:.*no\.yaml: neither JSON nor YAML: .*line 1",
        ("openapi", "no.json", "{}"): r"no\.json: it has no `openapi: 3...`",
        ("openapi", "empty.json", '{"openapi": "3.0.3", "paths": {}}'): r"paths: there are none",
        ("har", "no.har", "{"): r"har:.*no\.har: no JSON: .*line 1 column 2",
        ("har", "other.har", "{}"): r"it has no log\.entries",
        ("har", "entry.har", '{"log": {"entries": [{}]}}'): r"log\.entries\[0\]: no request",
        ("postman", "no.json", "{}"): r"it has no list `item`",
        ("postman", "item.json", '{"item": [{"item": [3]}]}'): r"item\[0\]\.item\[0\]: must be an object",
        ("postman", "lacks.json", '{"item": [{"request": "{{base}}/{{id}}"}]}'): r"item\[0\] needs id",
        ("locust", "no.py", "def ("): r"no\.py:1: invalid syntax",
        ("locust", "plain.py", "x = 1"): r"no class in it derives from locust's HttpUser",
    }
    for (kind, name, content), message in cases.items():
        with pytest.raises(ScenarioError, match=message):
            named_workload(f"{kind}:{written(tmp_path, name, content).name}", tmp_path)
    with pytest.raises(ScenarioError, match=r"there is no file .*gone\.har"):
        named_workload("har:gone.har", tmp_path)
    with pytest.raises(ScenarioError, match=r"'wat:x' is none of openapi:FILE, har:FILE"):
        named_workload("wat:x", tmp_path)


def test_missing_tools_are_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv(driver_programs.K6, "no-such-k6")
    with pytest.raises(ScenarioError, match=r"ANOMOD_K6=no-such-k6 is no program: install it"):
        named_workload(f"k6:{written(tmp_path, 'x.js', '').name}", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScenarioError, match=r"pip install 'pytest-anomod\[locust\]'"):
        named_workload(f"locust:{written(tmp_path, 'x.py', LOCUST).name}", tmp_path)
    with pytest.raises(ScenarioError, match=r"pip install 'pytest-anomod\[openapi\]'"):
        named_workload(f"openapi:{written(tmp_path, 'x.json', DOCUMENT).name}", tmp_path)


def test_pages_of_a_recording_are_journeys(tmp_path):
    entries = [{**one, "pageref": f"page_{index % 2}"} for index, one in enumerate(HAR["log"]["entries"])]
    scripts = read_har(written(tmp_path, "pages.har", {"log": {"entries": entries}}))
    assert [len(one.steps) for one in scripts] == [3, 2]


def collected(folder: Path, *requests, **variables) -> tuple[list, list[str]]:
    """The steps of a collection with these requests, and why others are left out."""
    content = {
        "variable": [{"key": name, "value": value} for name, value in variables.items()],
        "item": [{"name": "All", "item": [{"request": one} for one in requests]}],
    }
    scripts, left_out = read_collection(written(folder, "all.json", content))
    return [step for one in scripts for step in one.steps], [one.partition("item[0].")[2] for one in left_out]


def test_the_path_of_a_base_url_is_kept_and_its_host_is_not(tmp_path):
    steps, left_out = collected(
        tmp_path,
        "{{baseUrl}}/items?page={{page}}",
        {"url": {"raw": "{{baseUrl}}/items/:id", "variable": [{"key": "id", "value": "{{item}}"}]}},
        "{{scheme}}://{{host}}/items",
        "{{unknown}}/items",
        "shop.example:8080/items",
        "http://shop.example",
        baseUrl="https://{{host}}/api/v1",
        host="shop.example:8443",
        page="2",
        item="item-7",
    )
    assert not left_out
    assert [step.path for step in steps] == [
        "/api/v1/items", "/api/v1/items/item-7", "/items", "/items", "/items", "/",
    ]  # fmt: skip
    assert steps[0].query == {"page": "2"}


def test_requests_of_a_collection_that_would_be_sent_wrong_are_left_out(tmp_path):
    form = [{"key": "photo", "type": "file", "src": "x.png"}]
    asked = {"query": "{ item(id: {{id}}) { name } }", "variables": '{"first": {{id}}}'}
    steps, left_out = collected(
        tmp_path,
        {"url": "{{base}}/a", "header": [{"key": "X-Foo", "value": "{{x}}"}]},
        {"url": "{{base}}/b", "method": "POST", "body": {"mode": "formdata", "formdata": form}},
        {"url": "{{base}}/c", "method": "POST", "body": {"mode": "file", "file": {"src": "x.bin"}}},
        {"url": "{{base}}/d", "method": "POST", "body": {"mode": "graphql", "graphql": asked}},
        {"url": "{{base}}/e", "body": {"mode": "formdata", "formdata": []}},
        {"url": "{{base}}/f", "header": [{"key": "X-Foo", "value": "{{id}}"}]},
        {"url": "{{base}}/g", "body": {"mode": "graphql", "graphql": {"query": "{a}", "variables": '{"b": {{c}}}'}}},
        id="7",
    )
    assert [step.path for step in steps] == ["/d", "/e", "/f"]
    assert (steps[0].kind, steps[0].body) == (
        "json", {"query": "{ item(id: 7) { name } }", "variables": {"first": 7}},
    )  # fmt: skip
    assert steps[2].headers == {"X-Foo": "7"}
    assert left_out == [
        "item[0] needs x: give values in the collection's variables",
        "item[1] has a body of mode 'formdata', which is not sent: of bodies, raw, urlencoded and graphql are",
        "item[2] has a body of mode 'file', which is not sent: of bodies, raw, urlencoded and graphql are",
        "item[6] needs c: give values in the collection's variables",
    ]


class Sent:
    """Notes what a journey would send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None, dict[str, str]]] = []

    async def request(self, method, path, *, form=None, headers=None, **_):
        self.sent.append((path, form, headers))


def test_boundaries_and_repeated_names_are_sent_as_they_were_recorded(tmp_path):
    posted = [
        ("multipart/form-data; boundary=----WebKitFormBoundaryAbC", "------WebKitFormBoundaryAbC--"),
        ("Application/X-WWW-Form-Urlencoded", "tag=red&tag=blue&size=4"),
    ]
    entries = [
        {"request": {"method": "POST", "url": "http://shop.example/items?id=1&id=2&all=", "headers": [],
                     "postData": {"mimeType": media, "text": text}}}
        for media, text in posted
    ]  # fmt: skip
    (script,) = read_har(written(tmp_path, "visit.har", {"log": {"entries": entries}}))
    pairs = [{"key": "tag", "value": "red"}, {"key": "tag", "value": "blue"}, {"key": "size", "value": "4"}]
    request = {"url": "{{b}}/items?id=1&id=2&all=", "body": {"mode": "urlencoded", "urlencoded": pairs}}
    steps, _ = collected(tmp_path, request)
    client = Sent()
    for step in (*script.steps, *steps):
        asyncio.run(send(client, step, {}))
    target, form = "/items?id=1&id=2&all=", "tag=red&tag=blue&size=4"
    assert client.sent == [
        (target, posted[0][1], {"Content-Type": posted[0][0]}), (target, form, {}), (target, form, {}),
    ]  # fmt: skip


@pytest.mark.parametrize("deletions", [False, True])
def test_ids_come_from_the_same_answers_where_deletions_are_left_out(tmp_path, deletions):
    asked = [
        ("POST", "/items", {"id": "item-new-then"}),
        ("DELETE", "/items/item-new-then", {}),
        ("GET", "/items", [{"id": "item-0001-then"}]),
        ("GET", "/items/item-0001-then", {}),
    ]
    entries = [
        {
            "request": {"method": method, "url": f"http://shop.example{path}"},
            "response": {"content": {"mimeType": "application/json", "text": json.dumps(answer)}},
        }
        for method, path, answer in asked
    ]
    items = [
        {
            "request": {"method": method, "url": f"{{{{base}}}}{path}"},
            "response": [{"body": json.dumps(answer)}],
        }
        for method, path, answer in asked
    ]
    har = written(tmp_path, "visit.har", {"log": {"entries": entries}})
    collection = written(tmp_path, "shop.json", {"item": [{"name": "Visit", "item": items}]})
    for kind, path in (("har", har), ("postman", collection)):
        (script,), _ = scripted.read_scripts(kind, path, deletions=deletions)
        assert [step.method for step in script.steps] == ["POST", *["DELETE"] * deletions, "GET", "GET"]
        answers = dict(enumerate([{"id": "item-new-live"}, *[{}] * deletions, [{"id": "item-7-live"}]]))
        assert script.steps[-1].filled(answers).path == "/items/item-7-live"
        if deletions:
            assert script.steps[1].filled(answers).path == "/items/item-new-live"


def test_workloads_are_read_back_as_they_were_written(tmp_path):
    for workload in (
        Scripted(kind="har", path="/a/visit.har", rate_rps=3.0),
        Driver(kind="k6", path="/a/x.js", users=2, bases={"http://a:1": ""}),
    ):
        fields = {field.name: getattr(workload, field.name) for field in dataclasses.fields(workload)}
        assert workload_from_json(fields) == workload
    assert [is_replayed(title) for title in ("suite:x", "k6:x.js", "har:x", "open_loop")] == [True, True, False, False]
    with pytest.raises(ScenarioError, match="kind='soap'"):
        Scripted(kind="soap", path="/x")
