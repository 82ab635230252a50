"""Every endpoint below /wrk2-api/: encodings, answers, content types and errors."""

import hashlib
import json
import time

import pytest
from sn_answers import JSON, is_page, is_text
from sn_system import System

REGISTER = {"first_name": "a", "last_name": "b", "username": "c", "password": "d", "user_id": "1"}
COMPOSE = {"username": "username_1", "user_id": "1", "text": "hi", "post_type": "0"}


# ---- /wrk2-api/user/register


def test_register_stores_the_user_and_an_empty_graph_document(system: System):
    user = system.new_id()
    assert is_text(system.register(user), 200, "Success!\n")
    row = system.sql("user-mongodb", "SELECT * FROM users WHERE user_id = $1", user)[0]
    assert len(row["salt"]) == 32
    assert row["salt"].isalnum()
    assert row["password"] == hashlib.sha256(f"secret{row['salt']}".encode()).hexdigest()
    graph = system.sql("social-graph-mongodb", "SELECT * FROM social_graph WHERE user_id = $1", user)[0]
    assert (graph["followers"], graph["followees"]) == ("[]", "[]")
    assert system.redis("user-memcached").get(f"username_{user}:user_id") is None


def test_register_of_a_known_name_or_id_still_succeeds_and_stores_nothing(system: System):
    assert is_text(system.register(444, "new_name_for_444"), 200, "Success!\n")
    assert is_text(system.register(system.new_id(), "username_444"), 200, "Success!\n")
    assert not system.sql("user-mongodb", "SELECT 1 FROM users WHERE username = 'new_name_for_444'")
    assert len(system.sql("user-mongodb", "SELECT 1 FROM users WHERE username = 'username_444'")) == 1


@pytest.mark.parametrize("name", sorted(REGISTER))
def test_register_needs_every_field_not_empty(system: System, name: str):
    for fields in ({key: REGISTER[key] for key in REGISTER if key != name}, REGISTER | {name: ""}):
        assert is_text(system.post("/wrk2-api/user/register", fields), 400, "Incomplete arguments\n")


def test_a_user_id_that_is_no_number_counts_as_zero(system: System):
    # id 0 is taken, so the user is refused, which nobody is told of
    fields = REGISTER | {"username": "id_is_no_number", "user_id": "abc"}
    assert is_text(system.post("/wrk2-api/user/register", fields), 200, "Success!\n")
    assert not system.sql("user-mongodb", "SELECT 1 FROM users WHERE username = 'id_is_no_number'")


# ---- follow and unfollow


def test_follow_and_unfollow_by_ids(system: System):
    one, two = system.new_id(), system.new_id()
    system.register(one)
    system.register(two)
    ids = {"user_id": one, "followee_id": two}
    for _ in range(2):  # repeats are harmless
        assert is_text(system.post("/wrk2-api/user/follow", ids), 200, "Success!\n")
    sets = system.redis("social-graph-redis")
    assert sets.zrange(f"{one}:followees", 0, -1) == [str(two)]
    assert sets.zrange(f"{two}:followers", 0, -1) == [str(one)]
    assert _edges(system, one, "followees") == [two]
    assert _edges(system, two, "followers") == [one]
    for _ in range(2):
        assert is_text(system.post("/wrk2-api/user/unfollow", ids), 200, "Success!\n")
    assert not sets.exists(f"{one}:followees", f"{two}:followers")
    assert _edges(system, one, "followees") == _edges(system, two, "followers") == []


def test_unfollow_keeps_the_other_edges_in_their_order(system: System):
    users = [system.new_id() for _ in range(4)]
    for user in users:
        system.register(user)
    for other in users[1:]:
        system.post("/wrk2-api/user/follow", {"user_id": users[0], "followee_id": other})
    system.post("/wrk2-api/user/unfollow", {"user_id": users[0], "followee_id": users[2]})
    assert _edges(system, users[0], "followees") == [users[1], users[3]]


def test_follow_of_unknown_ids_succeeds_in_redis_only(system: System):
    one, two = system.new_id(), system.new_id()
    assert is_text(system.post("/wrk2-api/user/follow", {"user_id": one, "followee_id": two}), 200, "Success!\n")
    assert system.redis("social-graph-redis").zrange(f"{one}:followees", 0, -1) == [str(two)]
    assert not system.sql("social-graph-mongodb", "SELECT 1 FROM social_graph WHERE user_id = $1", one)


def test_follow_by_names_and_ids_win_over_names(system: System):
    one, two, three = (system.new_id() for _ in range(3))
    for user in (one, two, three):
        system.register(user)
    names = {"user_name": f"username_{one}", "followee_name": f"username_{two}"}
    assert is_text(system.post("/wrk2-api/user/follow", names), 200, "Success!\n")
    assert system.redis("user-memcached").get(f"username_{one}:user_id") == str(one)
    both = names | {"user_id": one, "followee_id": three}
    assert is_text(system.post("/wrk2-api/user/follow", both), 200, "Success!\n")
    assert _edges(system, one, "followees") == [two, three]
    assert is_text(system.post("/wrk2-api/user/unfollow", names), 200, "Success!\n")
    assert _edges(system, one, "followees") == [three]


@pytest.mark.parametrize(("action", "prefix"), [("follow", "Follow"), ("unfollow", "Unfollow")])
def test_follow_refuses_unknown_names_and_incomplete_pairs(system: System, action: str, prefix: str):
    path = f"/wrk2-api/user/{action}"
    unknown = {"user_name": "username_1", "followee_name": "nobody"}
    expected = f"{prefix} Failed: User: nobody is not registered\n"
    assert is_text(system.post(path, unknown), 500, expected)
    for fields in ({}, {"user_id": "1"}, {"user_id": "1", "followee_name": "username_2"}):
        assert is_text(system.post(path, fields), 400, "Incomplete arguments\n")


def _edges(system: System, user: int, side: str) -> list[int]:
    rows = system.sql("social-graph-mongodb", f"SELECT {side} FROM social_graph WHERE user_id = $1", user)
    return [edge["user_id"] for edge in json.loads(rows[0][side])]


# ---- compose and read


def test_compose_then_read_gives_the_documented_post(system: System):
    author = system.new_id()
    text = "hello @username_5 @nobody_at_all http://aaa.bb/path end"
    answer = system.compose(
        author, text, post_type=9, media_ids='["123456789012345678",9007199254740993]', media_types='["png","jpg"]'
    )
    assert is_text(answer, 200, "Successfully upload post\n")
    read = system.read("user", author)
    assert read.status_code == 200
    assert read.headers["Content-Type"] == JSON
    assert read.headers["Transfer-Encoding"] == "chunked"
    assert read.text.endswith("]\n")
    (post,) = read.json()
    short = post["urls"][0]["shortened_url"]
    assert short.startswith("http://short-url/")
    assert len(short) == len("http://short-url/") + 10
    assert post["urls"] == [{"shortened_url": short, "expanded_url": "http://aaa.bb"}]
    # a slash ends the url; what follows the last url is dropped
    assert post["text"] == f"hello @username_5 @nobody_at_all {short}"
    assert post["creator"] == {"user_id": str(author), "username": f"username_{author}"}
    assert post["user_mentions"] == [{"user_id": "5", "username": "username_5"}]
    # quoted ids are exact, bare numbers go through a double
    assert [item["media_id"] for item in post["media"]] == ["123456789012345678", "9007199254740992"]
    assert post["post_type"] == 9
    assert all(isinstance(post[name], str) and post[name].isdigit() for name in ("post_id", "req_id", "timestamp"))
    assert abs(int(post["timestamp"]) - time.time() * 1000) < 20_000
    assert 0 < int(post["post_id"]) < 2**63
    assert "http:\\/\\/short-url" in read.text


def test_post_ids_hold_the_time_since_2018(system: System):
    author = system.new_id()
    system.compose(author, "one")
    system.compose(author, "two")
    second, first = system.read("user", author).json()
    for post in (first, second):
        made_ms = (int(post["post_id"]) >> 12 & 0xFFFFFFFFFF) + 1_514_764_800_000
        assert abs(made_ms - int(post["timestamp"])) < 5_000
    assert int(first["post_id"]) >> 52 == int(second["post_id"]) >> 52  # the machine
    assert second["text"] == "two"


def test_empty_lists_are_empty_objects(system: System):
    author = system.new_id()
    assert system.compose(author, "plain").status_code == 200
    (post,) = system.read("user", author).json()
    assert (post["urls"], post["media"], post["user_mentions"]) == ({}, {}, {})
    for kind in ("home", "user"):
        answer = system.read(kind, system.new_id())
        assert (answer.status_code, answer.text) == (200, "{}\n")


@pytest.mark.parametrize("name", sorted(COMPOSE))
def test_compose_needs_every_field_not_empty(system: System, name: str):
    for fields in ({key: COMPOSE[key] for key in COMPOSE if key != name}, COMPOSE | {name: ""}):
        assert is_text(system.post("/wrk2-api/post/compose", fields), 400, "Incomplete arguments\n")


def test_media_lists_count_only_together_and_must_be_json(system: System):
    author = system.new_id()
    assert system.compose(author, "ids alone", media_ids='["1"]').status_code == 200
    assert system.read("user", author).json()[0]["media"] == {}
    assert is_page(system.compose(author, "no json", media_ids="[1", media_types='["png"]'), 500)
    assert is_page(system.compose(author, "no list", media_ids="5", media_types='["png"]'), 500)


def test_media_lists_of_different_lengths_store_nothing_and_nobody_is_told(system: System):
    author = system.new_id()
    answer = system.compose(author, "two and one", media_ids='["1","2"]', media_types='["png"]')
    assert is_text(answer, 200, "Successfully upload post\n")
    assert system.read("user", author).text == "{}\n"


@pytest.mark.parametrize("kind", ["home", "user"])
def test_reads_refuse_missing_arguments_and_return_early(system: System, kind: str):
    path = f"/wrk2-api/{kind}-timeline/read"
    for query in ("", "?user_id=1&start=0", "?user_id=1&start=0&stop=", "?start=0&stop=10"):
        assert is_text(system.get(path + query), 400, "Incomplete arguments\n")
    for start, stop in ((5, 5), (5, 3), (-1, 4)):
        answer = system.read(kind, 1, start, stop)
        assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "{}\n", JSON)
    assert system.get(f"{path}?user_id=abc&start=x&stop=y").text == "{}\n"
    assert system.get(f"{path}?user_id=1&start=0&stop=99999999999999").status_code == 200


@pytest.mark.parametrize("kind", ["home", "user"])
def test_reads_page_through_positions_newest_first(system: System, kind: str):
    author, reader = system.new_id(), system.new_id()
    system.register(reader)
    for number in range(4):
        system.compose(author, f"post {number} @username_{reader}")
    user = reader if kind == "home" else author
    texts = [post["text"].split()[1] for post in system.read(kind, user, 1, 3).json()]
    assert texts == ["2", "1"]


# ---- whatever the method and the content type


def test_forms_are_read_whatever_the_content_type_says(system: System):
    body = "user_id=1&followee_id=2"
    for content_type in ("application/json", "text/plain", ""):
        answer = system.post("/wrk2-api/user/follow", body, headers={"Content-Type": content_type})
        assert is_text(answer, 200, "Success!\n")
    refused = system.post("/wrk2-api/user/register", json=REGISTER)
    assert is_text(refused, 400, "Incomplete arguments\n")


def test_the_method_is_not_checked(system: System):
    assert is_text(system.get("/wrk2-api/user/register"), 400, "Incomplete arguments\n")
    assert system.post("/wrk2-api/home-timeline/read?user_id=1&start=0&stop=1").status_code == 200
    options = system.http.options(system.url + "/wrk2-api/post/compose", timeout=5)
    assert is_text(options, 400, "Incomplete arguments\n")
    assert "Access-Control-Allow-Origin" not in options.headers


def test_absolute_targets_and_raw_bodies_are_taken(system: System):
    body = (
        b'username=username_1&user_id=1&text=raw @username_2 http://x.y&media_ids=["1"]&media_types=["png"]&post_type=0'
    )
    head = (
        "POST http://localhost:8080/wrk2-api/post/compose HTTP/1.1\r\nHost: localhost:8080\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    answer = system.raw(head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n19\r\nSuccessfully upload post\n\r\n0\r\n\r\n")
    assert system.read("user", 1, 0, 1).json()[0]["media"] == [{"media_id": "1", "media_type": "png"}]


@pytest.mark.parametrize(
    "path",
    ["user/login", "user/profile", "media/upload", "text/upload", "url/shorten", "user-mention/upload"],
)
def test_unknown_locations_are_not_found(system: System, path: str):
    assert is_page(system.get(f"/wrk2-api/{path}"), 404)
    assert is_page(system.post(f"/wrk2-api/{path}", json={}), 404)
