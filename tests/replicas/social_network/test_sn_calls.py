"""The call graph of each flow as spans, that traces are complete, and the order and overlap of calls."""

import pytest
from sn_system import System
from sn_trees import (
    CACHED_MENTIONS,
    CACHED_POSTS,
    COMPOSE,
    FOLLOW_STORES,
    FOLLOWERS_FOUND,
    FOLLOWERS_KEPT,
    GET_USER_ID,
    GET_USER_ID_MISS,
    INSERT_USER,
    READ_HOME,
    READ_USER,
    STORED_MENTIONS,
    UNCACHED_POSTS,
    UNFOLLOW_STORES,
    URLS,
    below_server,
    drawn,
    tree,
    wrapped,
)


@pytest.fixture
def people(system: System) -> tuple[int, int]:
    """Two registered users; the second follows the first."""
    one, two = system.new_id(), system.new_id()
    system.register(one)
    system.register(two)
    system.post("/wrk2-api/user/follow", {"user_id": two, "followee_id": one})
    return one, two


def compose_form(user: int, text: str) -> dict[str, object]:
    return {"username": f"username_{user}", "user_id": user, "text": text, "post_type": 0}


def test_compose_plain(system: System, people: tuple[int, int]):
    expected = tree(COMPOSE.format(urls="", mentions="", followers=""))
    with system.traced() as trace:
        form = compose_form(people[0], "plain")
        assert system.post("/wrk2-api/post/compose", form, headers=trace.headers).status_code == 200
    assert drawn(trace, expected) == expected


def test_compose_with_urls_mentions_and_lost_followers(system: System, people: tuple[int, int]):
    indent = " " * 18
    expected = tree(
        COMPOSE.format(
            urls=URLS,
            mentions=indent + CACHED_MENTIONS + indent + STORED_MENTIONS,
            followers=" " * 18 + FOLLOWERS_FOUND + " " * 18 + FOLLOWERS_KEPT,
        )
    )
    system.redis("social-graph-redis").delete(f"{people[0]}:followers")
    with system.traced() as trace:
        form = compose_form(people[0], f"to @username_1 and @username_{people[1]} at http://a.b")
        assert system.post("/wrk2-api/post/compose", form, headers=trace.headers).status_code == 200
    assert drawn(trace, expected) == expected
    assert system.redis("social-graph-redis").zrange(f"{people[0]}:followers", 0, -1) == [str(people[1])]


def test_compose_runs_four_calls_at_once_and_then_one_after_the_other(system: System, people: tuple[int, int]):
    with system.traced() as trace:
        form = compose_form(people[0], "order")
        system.post("/wrk2-api/post/compose", form, headers=trace.headers)
    spans = {span["span_name"]: span for span in trace.spans(20)}

    def began(name: str) -> int:
        return spans[name]["start_unix_nano"]

    def ended(name: str) -> int:
        return began(name) + spans[name]["duration_ns"]

    parts = ["compose_unique_id_client", "compose_creator_client", "compose_media_client", "compose_text_client"]
    assert max(map(began, parts)) < min(map(ended, parts))
    assert began("compose_urls_client") < ended("compose_user_mentions_client")
    assert began("compose_user_mentions_client") < ended("compose_urls_client")
    tolerance_ns = 1_000_000  # starts are wall clock, lengths are not
    chain = ["store_post_client", "write_user_timeline_client", "write_home_timeline_client"]
    for before, after in zip([*parts, *chain[:-1]], [chain[0]] * 4 + chain[1:], strict=True):
        assert ended(before) <= began(after) + tolerance_ns


@pytest.mark.parametrize("kind", ["home", "user"])
def test_reads_without_and_with_cached_posts(system: System, people: tuple[int, int], kind: str):
    system.compose(people[0], "to be read")
    reader = people[1] if kind == "home" else people[0]
    base = READ_HOME if kind == "home" else READ_USER
    for posts in (UNCACHED_POSTS, CACHED_POSTS):
        expected = tree(base + posts)
        with system.traced() as trace:
            path = f"/wrk2-api/{kind}-timeline/read?user_id={reader}&start=0&stop=10"
            assert len(system.get(path, headers=trace.headers).json()) == 1
        assert drawn(trace, expected) == expected


def test_reads_of_nobody_ask_the_post_storage_but_no_store_of_it(system: System):
    for kind, base in (("home", READ_HOME), ("user", READ_USER)):
        with system.traced() as trace:
            system.get(f"/wrk2-api/{kind}-timeline/read?user_id=123456&start=0&stop=1", headers=trace.headers)
        assert drawn(trace, tree(base)) == tree(base)


def test_a_user_timeline_lost_by_redis_is_put_back(system: System, people: tuple[int, int]):
    system.compose(people[0], "older")
    system.compose(people[0], "newer")
    system.read("user", people[0])
    system.redis("user-timeline-redis").delete(str(people[0]))
    refill = "        user-timeline-service user_timeline_redis_update_client > user-timeline-redis\n"
    expected = tree(READ_USER.replace("        post-st", refill + "        post-st") + CACHED_POSTS)
    with system.traced() as trace:
        path = f"/wrk2-api/user-timeline/read?user_id={people[0]}&start=0&stop=10"
        posts = system.get(path, headers=trace.headers).json()
    assert [post["text"] for post in posts] == ["newer", "older"]
    assert drawn(trace, expected) == expected
    assert system.redis("user-timeline-redis").zcard(str(people[0])) == 2


def test_a_user_timeline_that_redis_knows_whole_leaves_mongodb_alone(system: System, people: tuple[int, int]):
    system.compose(people[0], "only one")
    system.read("user", people[0])
    find = "        user-timeline-service user_timeline_mongo_find_client > user-timeline-mongodb\n"
    expected = tree(READ_USER.replace(find, "") + CACHED_POSTS)
    with system.traced() as trace:
        system.get(f"/wrk2-api/user-timeline/read?user_id={people[0]}&start=0&stop=1", headers=trace.headers)
    assert drawn(trace, expected) == expected


def test_early_returns_reach_the_timeline_service_only(system: System):
    expected = wrapped(
        "/wrk2-api/home-timeline/read",
        "read_home_timeline_client > home-timeline-service",
        "home-timeline-service read_home_timeline_server",
    )
    with system.traced() as trace:
        system.get("/wrk2-api/home-timeline/read?user_id=1&start=3&stop=3", headers=trace.headers)
    assert drawn(trace, expected) == expected


@pytest.mark.parametrize(("action", "stores"), [("follow", FOLLOW_STORES), ("unfollow", UNFOLLOW_STORES)])
def test_edges_by_ids(system: System, people: tuple[int, int], action: str, stores: str):
    expected = wrapped(
        f"/wrk2-api/user/{action}",
        f"{action}_client > social-graph-service",
        below_server(f"social-graph-service {action}_server", stores),
    )
    with system.traced() as trace:
        fields = {"user_id": people[0], "followee_id": people[1]}
        system.post(f"/wrk2-api/user/{action}", fields, headers=trace.headers)
    assert drawn(trace, expected) == expected


@pytest.mark.parametrize(("action", "stores"), [("follow", FOLLOW_STORES), ("unfollow", UNFOLLOW_STORES)])
def test_edges_by_names_look_both_up(system: System, people: tuple[int, int], action: str, stores: str):
    names = {"user_name": f"username_{people[0]}", "followee_name": f"username_{people[1]}"}
    for lookup in (GET_USER_ID_MISS, GET_USER_ID):
        expected = wrapped(
            f"/wrk2-api/user/{action}",
            f"{action}_client > social-graph-service",
            below_server(
                f"social-graph-service {action}_with_username_server",
                lookup,
                lookup,
                below_server(f"social-graph-service {action}_server", stores),
            ),
        )
        with system.traced() as trace:
            system.post(f"/wrk2-api/user/{action}", names, headers=trace.headers)
        assert drawn(trace, expected) == expected


def test_register_under_an_id(system: System):
    expected = wrapped(
        "/wrk2-api/user/register",
        "register_client > user-service",
        below_server(
            "user-service register_user_withid_server",
            "user-service user_mongo_insert_cilent > user-mongodb",
            INSERT_USER,
        ),
    )
    user = system.new_id()
    form = {"first_name": "a", "last_name": "b", "username": f"u{user}", "password": "p", "user_id": user}
    with system.traced() as trace:
        system.post("/wrk2-api/user/register", form, headers=trace.headers)
    assert drawn(trace, expected) == expected


def test_register_by_browser(system: System):
    expected = wrapped(
        "/api/user/register",
        "RegisterUser > user-service",
        below_server(
            "user-service register_user_server", "user-service user_mongo_insert_client > user-mongodb", INSERT_USER
        ),
    )
    form = {"first_name": "a", "last_name": "b", "username": f"b{system.new_id()}", "password": "p"}
    with system.traced() as trace:
        system.post("/api/user/register", form, headers=trace.headers)
    assert drawn(trace, expected) == expected


def test_login_without_and_with_cached_login(system: System):
    user = system.new_id()
    system.register(user)
    miss = (
        "user-service user_mmc_set_client > user-memcached\n",
        "user-service user_mongo_find_client > user-mongodb\n",
    )
    for more in (miss, ()):
        expected = wrapped(
            "/api/user/login",
            "Login > user-service",
            below_server("user-service login_server", "user-service user_mmc_get_client > user-memcached", *more),
        )
        with system.traced() as trace:
            fields = {"username": f"username_{user}", "password": "secret"}
            assert system.post("/api/user/login", fields, headers=trace.headers).status_code == 302
        assert drawn(trace, expected) == expected


@pytest.mark.parametrize(
    ("path", "span", "server"),
    [
        ("/api/user/get_follower", "GetFollower", "get_followers_server"),
        ("/api/user/get_followee", "GetFollowee", "get_followees_server"),
    ],
)
def test_relations(system: System, path: str, span: str, server: str):
    expected = wrapped(
        path,
        f"{span} > social-graph-service",
        below_server(
            f"social-graph-service {server}",
            "social-graph-service social_graph_redis_get_client > social-graph-redis",
        ),
    )
    user, other = system.new_id(), system.new_id()
    for fields in ({"user_id": user, "followee_id": other}, {"user_id": other, "followee_id": user}):
        system.post("/wrk2-api/user/follow", fields)
    system.register(user, f"related_{user}")
    cookie = {"Cookie": f"login_token={system.login(f'related_{user}', 'secret')}"}
    with system.traced() as trace:
        assert len(system.get(path, headers=trace.headers | cookie).json()) == 1
    assert drawn(trace, expected) == expected


def test_static_pages_have_the_two_spans_of_their_location(system: System):
    expected = "nginx-thrift /\n  nginx-thrift /\n"
    with system.traced() as trace:
        system.get("/index.html", headers=trace.headers)
    assert drawn(trace, expected) == expected


def test_the_root_says_what_was_asked_and_answered(system: System):
    with system.traced() as trace:
        system.get("/wrk2-api/home-timeline/read", headers=trace.headers)
    root = next(span for span in trace.spans(2) if span["span_kind"] == "SERVER")
    assert root["attributes"]["http.method"] == "GET"
    assert root["attributes"]["http.status_code"] == 400
    assert root["attributes"]["http.url"] == "/wrk2-api/home-timeline/read"
    assert root["service_instance_id"].startswith("nginx-thrift-")


def test_store_spans_say_which_system_and_operation(system: System, people: tuple[int, int]):
    with system.traced() as trace:
        form = compose_form(people[0], "attributes @username_1 http://a")
        system.post("/wrk2-api/post/compose", form, headers=trace.headers)
    found = {
        span["attributes"]["peer.service"]: (span["attributes"]["db.system"], span["attributes"]["db.operation"])
        for span in trace.spans(26)
        if "db.system" in span["attributes"]
    }
    assert found["post-storage-mongodb"] == ("mongodb", "insert")
    assert found["user-memcached"] == ("memcached", "mget")
    assert found["social-graph-redis"] == ("redis", "zrange")


def test_unsampled_requests_leave_no_spans_and_no_info_lines(system: System, people: tuple[int, int]):
    with system.traced() as trace:
        headers = {"traceparent": trace.headers["traceparent"][:-2] + "00"}
        form = compose_form(people[0], "unsampled")
        assert system.post("/wrk2-api/post/compose", form, headers=headers).status_code == 200
        system.read("user", people[0])
    assert trace.spans() == []
    assert trace.lines() == {}


def test_media_frontend_leaves_no_spans(system: System):
    system.http.get(f"{system.media_url}/get-media?filename=1.png", timeout=5)
    assert not [span for span in system.spans() if span["service_name"] == "media-frontend"]
