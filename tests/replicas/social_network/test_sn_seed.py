"""The seeded population: its figures, that its seed determines it, and the state of the stores it leaves."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from sn_system import System, booted

from pytest_anomod.replicas.social_network import graph, population

SEED = 11


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system nobody has sent a request to."""
    with booted(tmp_path_factory.mktemp("fresh"), "--seed", str(SEED)) as up:
        yield up


@pytest.fixture(scope="module")
def people() -> population.Population:
    return population.build(SEED, time.time_ns() // 1_000_000)


def test_the_graph_has_the_figures_of_reed98():
    edges = graph.edges(SEED)
    degrees = Counter(node for edge in edges for node in edge)
    assert len(edges) == len(set(edges)) == 18_812
    assert all(a > b for a, b in edges)
    assert len(degrees) == 962
    assert min(degrees.values()) >= 1
    assert round(sum(degrees.values()) / 962, 2) == 39.11
    assert [degrees[node] for node in (678, 872, 888, 466)] == [313, 213, 211, 33]
    assert degrees.most_common(3) == [(678, 313), (872, 213), (888, 211)]
    assert not {(941, 95), (703, 385)} & set(edges)


def test_a_seed_determines_everything_but_the_time():
    one, again, other = (
        population.build(seed, now, 1) for seed, now in ((1, 10**12 * 2), (1, 10**12 * 2), (2, 10**12 * 2))
    )
    assert one == again
    assert one.users != other.users
    assert one.follows != other.follows
    assert one.posts != other.posts


def test_posts_per_user_can_be_none_or_many():
    assert population.build(1, 10**12 * 2, 0).posts == []
    many = len(population.build(1, 10**12 * 2, 5).posts)
    assert 4.5 < many / 962 < 5.5


def test_everything_happened_before_now_and_in_order(people: population.Population):
    now_ms = time.time_ns() // 1_000_000
    times = [post.timestamp for post in people.posts]
    assert times == sorted(set(times))
    assert max(follow.timestamp for follow in people.follows) < times[0]
    assert times[-1] < now_ms
    for post in people.posts:
        assert (post.post_id >> 12 & 0xFFFFFFFFFF) + 1_514_764_800_000 == post.timestamp


def test_seeding_takes_about_a_second(fresh: System):
    boot = fresh.deployment["boot_s"]
    # the machine may be busy with other tests: a generous multiple of the 0.6 s it takes alone
    assert boot["stores_and_seed"] - boot["stores"] < 6.0


def test_users_are_stored_and_can_log_in(fresh: System, people: population.Population):
    rows = fresh.sql("user-mongodb", "SELECT * FROM users ORDER BY user_id")
    assert [tuple(row) for row in rows] == [
        (user.user_id, user.first_name, user.last_name, user.username, user.salt, user.password)
        for user in people.users
    ]
    row = rows[961]
    assert row["password"] == hashlib.sha256(f"password_961{row['salt']}".encode()).hexdigest()
    assert fresh.login("username_961", "password_961").count(".") == 2


def test_user_ids_and_posts_are_in_memcached(fresh: System):
    cache = fresh.redis("user-memcached")
    assert cache.get("username_7:user_id") == "7"
    assert len(cache.keys("*:user_id")) == 962
    posts = fresh.redis("post-storage-memcached")
    some = posts.randomkey()
    assert json.loads(posts.get(some))["post_id"] == int(some)
    assert posts.dbsize() == fresh.sql("post-storage-mongodb", "SELECT count(*) AS n FROM post")[0]["n"]


def test_documents_and_sets_hold_the_same_graph(fresh: System, people: population.Population):
    rows = fresh.sql("social-graph-mongodb", "SELECT * FROM social_graph ORDER BY user_id")
    assert [row["user_id"] for row in rows] == list(range(962))
    sets = fresh.redis("social-graph-redis")
    assert sets.dbsize() == 2 * 962
    for row in (rows[0], rows[466], rows[678]):
        for side in ("followers", "followees"):
            edges = json.loads(row[side])
            assert [edge["timestamp"] for edge in edges] == sorted(edge["timestamp"] for edge in edges)
            members = sets.zrange(f"{row['user_id']}:{side}", 0, -1, withscores=True)
            pairs = [(str(edge["user_id"]), edge["timestamp"]) for edge in edges]
            assert [name for name, _ in members] == [name for name, _ in pairs]
            assert abs(members[0][1] - pairs[0][1]) < 1
    followees = sum(len(json.loads(row["followees"])) for row in rows)
    assert followees == len(people.follows) == 2 * 18_812


def test_posts_and_timelines_agree(fresh: System, people: population.Population):
    assert fresh.sql("post-storage-mongodb", "SELECT count(*) AS n FROM post")[0]["n"] == len(people.posts)
    urls = sum(len(post.document["urls"]) for post in people.posts)
    assert fresh.sql("url-shorten-mongodb", "SELECT count(*) AS n FROM url_shorten")[0]["n"] == urls
    author = people.posts[-1].user_id
    own = [post for post in reversed(people.posts) if post.user_id == author]
    got = fresh.read("user", author).json()
    assert [post["text"] for post in got] == [post.document["text"] for post in own[:10]]
    array = json.loads(
        fresh.sql("user-timeline-mongodb", "SELECT posts FROM user_timeline WHERE user_id = $1", author)[0]["posts"]
    )
    members = fresh.redis("user-timeline-redis").zrevrange(str(author), 0, -1)
    assert members == [str(entry["post_id"]) for entry in array]


def test_home_timelines_hold_the_posts_of_followees_and_mentions(fresh: System, people: population.Population):
    reader = 678
    followees = {follow.followee_id for follow in people.follows if follow.user_id == reader}
    due = [post for post in people.posts if post.user_id in followees or reader in post.mentioned]
    assert fresh.redis("home-timeline-redis").zcard(str(reader)) == len(due)
    got = fresh.read("home", reader, 0, 20).json()
    assert [post["text"] for post in got] == [post.document["text"] for post in reversed(due[-20:])]


def test_a_seeded_user_posts_to_all_followers(fresh: System):
    assert fresh.compose(466, "fan out").status_code == 200
    followers = fresh.redis("social-graph-redis").zrange("466:followers", 0, -1)
    assert len(followers) == 33
    for follower in followers:
        assert fresh.read("home", int(follower), 0, 1).json()[0]["text"] == "fan out"
