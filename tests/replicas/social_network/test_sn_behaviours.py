"""Behaviours beside the endpoints: failures that travel, cache misses, memory limits, restarts, the text rules."""

import json
import os
import signal
import threading
import time

import pytest
import requests
from host_program import wait_for
from sn_system import System

HUNG_UP = "TTransportException:0: Default (unknown)\n"
OOM = "OOM command not allowed when used memory > 'maxmemory'."


def call(system: System, service: str, method: str, **arguments) -> dict:
    """Call a method of a backend directly, as its peers do."""
    url = f"http://127.0.0.1:{system.services[service]['port']}/{method}"
    return requests.post(url, json={"req_id": 1} | arguments, timeout=10).json()


@pytest.fixture
def user(system: System) -> int:
    """A registered user."""
    number = system.new_id()
    system.register(number)
    return number


def follow(system: System, follower: int, followee: int) -> requests.Response:
    return system.post("/wrk2-api/user/follow", {"user_id": follower, "followee_id": followee})


# ---- what is posted, and who gets it


def test_the_author_gets_the_own_post_only_when_mentioned_or_following_themselves(system: System, user: int):
    follow(system, user, system.new_id())
    follow(system, system.new_id(), user)
    system.compose(user, "to others")
    assert system.read("home", user).text == "{}\n"
    system.compose(user, f"to myself @username_{user}")
    follow(system, user, user)
    system.compose(user, "as my follower")
    texts = [post["text"] for post in system.read("home", user).json()]
    assert texts == ["as my follower", f"to myself @username_{user}"]


def test_mentions_keep_doubles_once_cached_and_unknown_names_vanish(system: System):
    author = system.new_id()
    system.redis("user-memcached").delete("username_11:user_id")
    text = "@username_11 @username_11 @no_such_one @username_12-x and mail@username_13"
    system.compose(author, text)
    first = system.read("user", author, 0, 1).json()[0]["user_mentions"]
    # found in MongoDB, each name once, and not kept in memcached for the next time
    assert sorted(item["user_id"] for item in first) == ["11", "13"]
    assert system.redis("user-memcached").get("username_11:user_id") is None
    system.redis("user-memcached").set("username_11:user_id", 11)
    system.compose(author, text)
    again = system.read("user", author, 0, 1).json()[0]["user_mentions"]
    assert sorted(item["user_id"] for item in again) == ["11", "11", "13"]


def test_a_known_author_without_followers_fails_after_the_post_was_stored(system: System, user: int):
    answer = system.compose(user, "nobody listens")
    assert (answer.status_code, answer.text) == (500, "compost_post failure: ZADD: no key specified\n")
    assert [post["text"] for post in system.read("user", user).json()] == ["nobody listens"]


def test_equal_times_are_ordered_by_member_text_descending(system: System):
    reader, author = system.new_id(), system.new_id()
    for text in ("a", "b"):
        system.compose(author, text)
    ids = [post["post_id"] for post in system.read("user", author).json()]
    system.redis("home-timeline-redis").zadd(str(reader), {ids[0]: 5, ids[1]: 5})
    got = [post["post_id"] for post in system.read("home", reader).json()]
    assert got == sorted(ids, reverse=True)


# ---- ReadPosts


def test_a_post_that_is_nowhere_fails_the_whole_read(system: System):
    reader, author = system.new_id(), system.new_id()
    system.compose(author, f"@username_{reader}")
    system.redis("home-timeline-redis").zadd(str(reader), {"123": 1})
    answer = system.read("home", reader)
    assert (answer.status_code, answer.text) == (500, "Get home-timeline failure: Return set incomplete\n")


def test_read_posts_refuses_doubles_and_keeps_the_asked_order(system: System):
    author = system.new_id()
    for text in ("one", "two", "three"):
        system.compose(author, text)
    ids = [int(post["post_id"]) for post in system.read("user", author).json()]
    refused = call(system, "post-storage-service", "ReadPosts", post_ids=[ids[0], ids[0]])
    assert refused["error"] == {"kind": "declared", "code": 6, "message": "Post_ids are duplicated"}
    asked = [ids[1], ids[2], ids[0]]
    got = call(system, "post-storage-service", "ReadPosts", post_ids=asked)["result"]
    assert [post["post_id"] for post in got] == asked
    assert call(system, "post-storage-service", "ReadPosts", post_ids=[])["result"] == []


def test_posts_reach_memcached_on_the_first_read_and_not_before(system: System):
    author = system.new_id()
    system.compose(author, "cache me")
    post_id = system.redis("user-timeline-redis").zrange(str(author), 0, 0)[0]
    cache = system.redis("post-storage-memcached")
    assert cache.get(post_id) is None
    system.read("user", author)
    wait_for(lambda: cache.get(post_id) is not None, "the post in memcached")
    assert json.loads(cache.get(post_id))["text"] == "cache me"
    assert cache.ttl(post_id) == -1


def test_methods_that_no_flow_calls_answer_all_the_same(system: System):
    author = system.new_id()
    system.compose(author, "read alone")
    post_id = int(system.redis("user-timeline-redis").zrange(str(author), 0, 0)[0])
    for _ in range(2):  # from the store, then from the cache
        assert call(system, "post-storage-service", "ReadPost", post_id=post_id)["result"]["text"] == "read alone"
    missing = call(system, "post-storage-service", "ReadPost", post_id=1)["error"]
    assert missing["message"] == "Post_id: 1 doesn't exist in MongoDB"
    creator = call(system, "user-service", "ComposeCreatorWithUsername", username="username_21")["result"]
    assert creator == {"user_id": 21, "username": "username_21"}
    assert call(system, "url-shorten-service", "GetExtendedUrls", shortened_urls=["x"])["result"] == []


# ---- what caches lose


def test_a_graph_set_lost_by_redis_comes_back_but_a_new_follow_leaves_it_partial(system: System, user: int):
    old, new = system.new_id(), system.new_id()
    follow(system, old, user)
    sets = system.redis("social-graph-redis")
    sets.delete(f"{user}:followers")
    assert call(system, "social-graph-service", "GetFollowers", user_id=user)["result"] == [old]
    assert sets.zrange(f"{user}:followers", 0, -1) == [str(old)]
    sets.delete(f"{user}:followers")
    follow(system, new, user)
    assert call(system, "social-graph-service", "GetFollowers", user_id=user)["result"] == [new]


def test_a_home_timeline_lost_by_redis_is_gone_for_good(system: System):
    reader = system.new_id()
    system.compose(system.new_id(), f"@username_{reader}")
    system.register(reader)
    system.compose(system.new_id(), f"@username_{reader}")
    assert len(system.read("home", reader).json()) == 1
    system.redis("home-timeline-redis").delete(str(reader))
    answer = system.read("home", reader)
    assert (answer.status_code, answer.text) == (200, "{}\n")


@pytest.mark.parametrize("store", ["user-timeline-redis", "home-timeline-redis", "social-graph-redis"])
def test_a_memory_limit_refuses_writes_and_not_reads(system: System, user: int, store: str):
    follower = system.new_id()
    follow(system, follower, user)
    system.compose(user, "before the limit")
    cache = system.redis(store)
    cache.config_set("maxmemory", 1)
    try:
        composed = system.compose(user, "over the limit")
        followed = follow(system, user, system.new_id())
        home, own = system.read("home", follower, 0, 1), system.read("user", user, 0, 1)
    finally:
        cache.config_set("maxmemory", 0)
    if store == "social-graph-redis":
        assert (composed.status_code, followed.status_code) == (200, 500)
        assert followed.text == f"Follow Failed: {OOM}\n"
    else:
        assert (composed.status_code, followed.status_code) == (500, 200)
        assert composed.text == f"compost_post failure: {OOM}\n"
    assert home.status_code == 200
    if store == "user-timeline-redis":
        # the array has it, the set does not; MongoDB is asked only for what lies behind what Redis has
        assert own.json()[0]["text"] == "before the limit"
        statement = "SELECT jsonb_array_length(posts) AS n FROM user_timeline WHERE user_id = $1"
        assert system.sql("user-timeline-mongodb", statement, user)[0]["n"] == 2
        assert [post["text"] for post in system.read("user", user).json()] == ["before the limit"]
        assert len(system.read("home", follower).json()) == 1


def test_a_read_that_must_refill_a_limited_redis_fails(system: System, user: int):
    follow(system, system.new_id(), user)
    system.compose(user, "to be refilled")
    cache = system.redis("user-timeline-redis")
    cache.delete(str(user))
    cache.config_set("maxmemory", 1)
    try:
        answer = system.read("user", user)
    finally:
        cache.config_set("maxmemory", 0)
    assert (answer.status_code, answer.text) == (500, f"Get user-timeline failure: {OOM}\n")
    assert len(system.read("user", user).json()) == 1


def test_memcached_is_limited_and_evicts(system: System):
    for store in ("user-memcached", "post-storage-memcached"):
        settings = system.redis(store).config_get("maxmemory*")
        assert settings["maxmemory"] == str(64 * 1024 * 1024)
        assert settings["maxmemory-policy"] == "allkeys-lru"
    assert system.redis("home-timeline-redis").config_get("maxmemory")["maxmemory"] == "0"


# ---- services that die or are silent


def test_a_killed_service_comes_back(system: System):
    before = system.states()["user-timeline-service"]
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: system.read("user", 1).status_code == 200, "reads to work again")

    def back() -> bool:
        state = system.states()["user-timeline-service"]
        return state["state"] == "running" and state["pid"] != before["pid"]

    wait_for(back, "the host to report it")
    assert system.states()["user-timeline-service"]["restarts"] == before["restarts"] + 1
    starts = [line for line in system.logs("user-timeline-service") if line["body"].startswith("Starting ")]
    assert len(starts) >= 2
    with system.traced() as trace:
        system.get("/wrk2-api/user-timeline/read?user_id=1&start=0&stop=1", headers=trace.headers)
    instances = {
        span["service_instance_id"] for span in trace.spans(5) if span["service_name"] == "user-timeline-service"
    }
    assert instances == {f"user-timeline-service-{before['restarts'] + 2}"}


@pytest.mark.parametrize("end", ["killed", "silent"])
def test_a_first_hop_that_gives_no_answer(system: System, end: str):
    # a user known to be readable, so that the connection of the gateway exists
    assert system.read("home", 1).status_code == 200
    pid = system.states()["home-timeline-service"]["pid"]
    answers: list[requests.Response] = []
    os.kill(pid, signal.SIGSTOP)
    reader = threading.Thread(target=lambda: answers.append(system.read("home", 1)))
    started = time.monotonic()
    try:
        reader.start()
        if end == "killed":
            reader.join(0.3)
            os.kill(pid, signal.SIGKILL)
        reader.join(14)
    finally:
        if end == "silent":
            os.kill(pid, signal.SIGCONT)
    waited_s = time.monotonic() - started
    (answer,) = answers
    assert answer.status_code == 500
    assert answer.text.startswith("Get home-timeline failure: ")
    assert answer.text.endswith(HUNG_UP)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert (waited_s >= 9.9) == (end == "silent")
    wait_for(lambda: system.read("home", 1).status_code == 200, "reads to work again")
    wait_for(lambda: system.states()["home-timeline-service"]["state"] == "running", "the host to report it")


def test_an_undeclared_failure_keeps_its_text_over_all_hops(system: System):
    with system.stopped("url-shorten-service"):
        answer = system.compose(1, "x")
        inner = call(system, "text-service", "ComposeText", text="x")["error"]
    message = "Could not resolve host for client socket."
    assert inner == {"kind": "undeclared", "code": 0, "message": message}
    assert answer.text == f"compost_post failure: {message}\n"


def test_a_declared_failure_keeps_its_code_over_a_hop(system: System):
    arguments = {"user_name": "nobody", "followee_name": "username_1"}
    error = call(system, "social-graph-service", "FollowWithUsername", **arguments)["error"]
    assert error == {"kind": "declared", "code": 2, "message": "User: nobody is not registered"}


def test_all_parts_of_a_post_run_to_their_end_although_one_fails(system: System):
    with system.stopped("unique-id-service"), system.traced() as trace:
        form = {"username": "x", "user_id": 1, "text": "all parts", "post_type": 0}
        system.post("/wrk2-api/post/compose", form, headers=trace.headers)
        spans = {span["span_name"]: span["status_code"] for span in trace.spans(14)}
    assert {"compose_creator_server", "compose_media_server", "compose_text_server"} <= set(spans)
    assert spans["compose_unique_id_client"] == spans["compose_post_server"] == "ERROR"
    assert "store_post_client" not in spans
