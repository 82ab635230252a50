"""Every endpoint of the gateway and the media frontend: encodings, answers, content types and errors."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from sn_system import System

STREAM = "application/octet-stream"
JSON = "application/json; charset=utf-8"

REGISTER = {"first_name": "a", "last_name": "b", "username": "c", "password": "d", "user_id": "1"}
COMPOSE = {"username": "username_1", "user_id": "1", "text": "hi", "post_type": "0"}


def token_of(user_id: int, username: str, timestamp: int, secret: bytes = b"secret") -> str:
    """A login token made by hand."""

    def encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    claims = {"user_id": str(user_id), "username": username, "timestamp": str(timestamp), "ttl": "3600"}
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def cookie_of(user_id: int, username: str = "someone", age_s: int = 0, secret: bytes = b"secret") -> dict[str, str]:
    """The Cookie header of who is logged in."""
    return {"Cookie": f"login_token={token_of(user_id, username, int(time.time()) - age_s, secret)}"}


def is_page(answer, status: int) -> bool:
    """nginx's own HTML page, with a length."""
    return (
        answer.status_code == status
        and answer.headers["Content-Type"] == "text/html"
        and f"<center><h1>{status} " in answer.text
        and "Content-Length" in answer.headers
    )


def is_text(answer, status: int, text: str, content_type: str = STREAM) -> bool:
    """A text of a Lua handler: chunked, no length."""
    return (
        answer.status_code == status
        and answer.text == text
        and answer.headers["Content-Type"] == content_type
        and answer.headers["Transfer-Encoding"] == "chunked"
        and "Content-Length" not in answer.headers
    )


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


# ---- static pages and CORS


@pytest.mark.parametrize("page", ["", "index.html", "signup.html", "main.html", "profile.html", "contact.html"])
def test_static_pages(system: System, page: str):
    answer = system.get(f"/{page}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert is_page(system.post(f"/{page}"), 405)


def test_static_scripts_and_styles_have_their_types(system: System):
    assert system.get("/javascript/main.js").headers["Content-Type"] == "application/javascript"
    assert system.get("/style/main.css").headers["Content-Type"] == "text/css"
    assert is_page(system.get("/nothing.html"), 404)


@pytest.mark.parametrize("path", ["/", "/api/user/login", "/api/post/compose", "/api/user/follow", "/anything"])
def test_options_is_a_cors_preflight(system: System, path: str):
    answer = system.http.options(system.url + path, timeout=5)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert answer.headers["Access-Control-Max-Age"] == "1728000"


# ---- /api


def test_api_register_sends_back_to_the_index_even_for_duplicates(system: System):
    fields = {"first_name": "a", "last_name": "b", "username": f"api_{system.new_id()}", "password": "p"}
    for _ in range(2):
        answer = system.post("/api/user/register", fields)
        assert is_page(answer, 302)
        assert answer.headers["Location"] == "../../index.html"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "Content-Length,Content-Range"
    rows = system.sql("user-mongodb", "SELECT user_id FROM users WHERE username = $1", fields["username"])
    assert len(rows) == 1
    assert rows[0]["user_id"] > 2**50  # a made id
    assert is_text(system.post("/api/user/register", {"username": "x"}), 400, "Incomplete arguments\n")


def test_login_gives_a_cookie_that_lives_a_day(system: System):
    user = system.new_id()
    system.register(user, f"login_{user}")
    key = f"login_{user}:login"
    assert system.redis("user-memcached").get(key) is None
    answer = system.post("/api/user/login", {"username": f"login_{user}", "password": "secret"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"../../main.html?username=login_{user}"
    header, claims, _ = answer.cookies["login_token"].split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "HS256"
    assert (decoded["user_id"], decoded["username"], decoded["ttl"]) == (str(user), f"login_{user}", "3600")
    assert answer.cookies["login_token"] == token_of_claims(header, claims)
    (cookie,) = answer.cookies
    assert cookie.path == "/"
    assert abs(cookie.expires - time.time() - 86_400) < 30
    assert set(json.loads(system.redis("user-memcached").get(key))) == {"password", "salt", "user_id"}


def token_of_claims(header: str, claims: str) -> str:
    """The token that belongs to an encoded header and claims."""
    signature = hmac.new(b"secret", f"{header}.{claims}".encode(), hashlib.sha256).digest()
    return f"{header}.{claims}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_login_refuses_with_500_and_plain_text(system: System):
    wrong = system.post("/api/user/login", {"username": "username_9", "password": "wrong"})
    assert is_text(wrong, 500, "User login failure: Incorrect username or password\n", "text/plain")
    assert system.redis("user-memcached").get("username_9:login") is None
    unknown = system.post("/api/user/login", {"username": "nobody", "password": "x"})
    assert is_text(unknown, 500, "User login failure: User: nobody is not registered\n", "text/plain")
    port = system.url.rpartition(":")[2]
    missing = system.post("/api/user/login", {"username": "x"})
    assert is_text(missing, 400, f"Incomplete arguments\nhttp://127.0.0.1:{port}\n", "text/plain")


def test_api_compose_and_reads_use_the_token(system: System):
    user = system.new_id()
    fields = {"text": "by token", "post_type": 0}
    answer = system.post("/api/post/compose", fields, headers=cookie_of(user, "tokened"))
    assert is_text(answer, 200, "Successfully upload post\n")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    read = system.get("/api/user-timeline/read?start=0&stop=5", headers=cookie_of(user))
    assert [post["text"] for post in read.json()] == ["by token"]
    assert read.json()[0]["creator"] == {"user_id": str(user), "username": "tokened"}
    assert system.get("/api/home-timeline/read?start=0&stop=5", headers=cookie_of(user)).text == "{}\n"


def test_api_compose_checks_arguments_before_the_login(system: System):
    assert is_text(system.post("/api/post/compose", {"text": "x"}), 400, "Incomplete arguments\n")
    away = system.post("/api/post/compose", {"text": "x", "post_type": 0})
    assert (away.status_code, away.headers["Location"]) == (302, "../../index.html")
    expired = system.post("/api/post/compose", {"text": "x", "post_type": 0}, headers=cookie_of(1, age_s=3700))
    assert expired.status_code == 401
    assert "expired" in expired.text


@pytest.mark.parametrize(
    "headers",
    [{}, cookie_of(1, age_s=3700), cookie_of(1, secret=b"other"), {"Cookie": "login_token=rubbish"}],
    ids=["none", "expired", "forged", "rubbish"],
)
def test_api_reads_ask_for_a_good_token(system: System, headers: dict[str, str]):
    # the home timeline looks at the login first, the user timeline at the arguments
    assert is_page(system.get("/api/home-timeline/read", headers=headers), 401)
    assert is_text(system.get("/api/user-timeline/read", headers=headers), 400, "Incomplete arguments\n")
    assert is_page(system.get("/api/user-timeline/read?start=0&stop=1", headers=headers), 401)


def test_api_home_timeline_refuses_missing_arguments_of_who_is_logged_in(system: System):
    answer = system.get("/api/home-timeline/read?start=0", headers=cookie_of(1))
    assert is_text(answer, 400, "Incomplete arguments\n")


def test_api_follow_redirects_and_unfollow_is_empty(system: System):
    one, two = system.new_id(), system.new_id()
    ids = {"user_id": one, "followee_id": two}
    answer = system.post("/api/user/follow", ids)
    assert (answer.status_code, answer.headers["Location"]) == (302, "../../contact.html")
    assert system.redis("social-graph-redis").zrange(f"{one}:followees", 0, -1) == [str(two)]
    assert is_text(system.post("/api/user/unfollow", ids), 200, "")
    assert is_text(system.post("/api/user/follow", {}), 400, "Incomplete arguments\n")
    unknown = {"user_name": "nobody", "followee_name": "username_1"}
    expected = "Unfollow Failed: User: nobody is not registered\n"
    assert is_text(system.post("/api/user/unfollow", unknown), 500, expected)


def test_followers_and_followees_of_who_is_logged_in(system: System):
    one, two = system.new_id(), system.new_id()
    system.register(one)
    system.register(two)
    system.post("/wrk2-api/user/follow", {"user_id": one, "followee_id": two})
    followees = system.get("/api/user/get_followee", headers=cookie_of(one))
    assert (followees.json(), followees.headers["Content-Type"]) == ([{"followee_id": str(two)}], JSON)
    followers = system.get("/api/user/get_follower", headers=cookie_of(two))
    assert followers.json() == [{"follower_id": str(one)}]
    unknown = system.new_id()
    assert system.get("/api/user/get_follower", headers=cookie_of(unknown)).text == "{}\n"
    missing = system.get("/api/user/get_followee", headers=cookie_of(unknown))
    expected = "Get user-timeline failure: Cannot find user_id in MongoDB.\n"
    assert is_text(missing, 500, expected, "text/plain")


@pytest.mark.parametrize("side", ["follower", "followee"])
def test_relations_say_why_a_token_is_refused(system: System, side: str):
    path = f"/api/user/get_{side}"
    nobody = system.get(path)
    assert (nobody.status_code, nobody.text) == (401, "")
    expired = system.get(path, headers=cookie_of(1, age_s=3700))
    assert is_text(expired, 401, "Login token expired, please log in again\n", "text/plain")
    forged = system.get(path, headers=cookie_of(1, secret=b"other"))
    assert forged.status_code == 401
    assert forged.text.startswith("signature mismatch: ")


# ---- media frontend


def test_media_can_be_uploaded_and_read_back(system: System):
    content = bytes(range(256)) * 100
    answer = system.http.post(f"{system.media_url}/upload-media", files={"f": ("x.png", content)}, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    assert answer.text.endswith("}\n")
    media = answer.json()
    assert media["media_type"] == "png"
    assert media["media_id"].isdigit()
    assert int(media["media_id"]) < 16**15
    got = system.http.get(f"{system.media_url}/get-media?filename={media['media_id']}.png", timeout=10)
    assert (got.status_code, got.headers["Content-Type"]) == (200, "image/png")
    assert got.content == content + b"\n"


def test_media_errors(system: System):
    url = system.media_url
    unknown = system.http.get(f"{url}/get-media?filename=1.png", timeout=10)
    assert (unknown.status_code, unknown.content) == (200, b"")
    split = system.http.get(f"{url}/get-media?filename=1.png%0d%0aSet-Cookie:a=b", timeout=10)
    assert split.headers["Content-Type"] == "image/pngSet-Cookieab"
    assert "Set-Cookie" not in split.headers
    missing = system.http.get(f"{url}/get-media", timeout=10)
    assert (missing.status_code, missing.text) == (400, "Incomplete arguments\n")
    assert is_page(system.http.post(f"{url}/upload-media", data={"a": "b"}, timeout=10), 500)
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    bad = system.http.post(f"{url}/upload-media", data=b"--xyz\r\nno end", headers=headers, timeout=10)
    assert bad.status_code == 200
    assert bad.text.startswith("failed to read: ")


def test_media_frontend_without_its_store_answers_with_an_error_page(system: System):
    with system.stopped("media-mongodb"):
        upload = system.http.post(f"{system.media_url}/upload-media", files={"f": ("x.png", b"1")}, timeout=10)
        assert is_page(upload, 500)
    again = system.http.post(f"{system.media_url}/upload-media", files={"f": ("x.png", b"1")}, timeout=10)
    assert again.status_code == 200
