"""What browsers ask the gateway and the media frontend for: pages, CORS, logins, the endpoints below /api/, media."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from sn_answers import JSON, cookie_of, is_page, is_text
from sn_system import System

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
