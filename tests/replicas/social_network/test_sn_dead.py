"""What fails when one service or store is dead: six flows for each, by name gone and by connection refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sn_system import System

GONE = "Could not resolve host for client socket."
REFUSED = "connect() failed: Connection refused"
REDIS_GONE = "Failed to connect to Redis: Name or service not known"
REDIS_REFUSED = "Failed to connect to Redis: Connection refused"
MEMCACHED_GONE = "getaddrinfo() or getnameinfo() HOSTNAME LOOKUP FAILED"
MEMCACHED_REFUSED = "CONNECTION FAILURE"

OK = "ok"
PAGE = "nginx's page"
PEER = {GONE: REFUSED, REDIS_GONE: REDIS_REFUSED, MEMCACHED_GONE: MEMCACHED_REFUSED}

# where a post that was composed can be found afterwards
POST, USER_DOC, USER_SET, HOME = "post", "user document", "user set", "home set"
EVERYWHERE = frozenset({POST, USER_DOC, USER_SET, HOME})
NOWHERE: frozenset[str] = frozenset()

PREFIX = {
    "register": "User registration failure: ",
    "follow": "Follow Failed: ",
    "follow_names": "Follow Failed: ",
    "compose": "compost_post failure: ",
    "home": "Get home-timeline failure: ",
    "user": "Get user-timeline failure: ",
}


@dataclass(frozen=True, kw_only=True)
class Dead:
    """A row of the table: each flow is OK, answered by nginx's PAGE or with a text; `kept` is what compose left."""

    register: str = OK
    follow: str = OK
    follow_names: str = OK
    compose: str = OK
    home: str = OK
    user: str = OK
    kept: frozenset[str] = field(default=EVERYWHERE)


NO_SERVER = "No suitable servers found"

TABLE = {
    "user-service": Dead(register=PAGE, follow_names=GONE, compose=GONE, kept=NOWHERE),
    "social-graph-service": Dead(
        register=GONE, follow=PAGE, follow_names=PAGE, compose=GONE, kept=frozenset({POST, USER_DOC, USER_SET})
    ),
    "compose-post-service": Dead(compose=PAGE, kept=NOWHERE),
    "unique-id-service": Dead(compose=GONE, kept=NOWHERE),
    "media-service": Dead(compose=GONE, kept=NOWHERE),
    "text-service": Dead(compose=GONE, kept=NOWHERE),
    "url-shorten-service": Dead(compose=GONE, kept=NOWHERE),
    "user-mention-service": Dead(compose=GONE, kept=NOWHERE),
    "post-storage-service": Dead(compose=GONE, home=GONE, user=GONE, kept=NOWHERE),
    "user-timeline-service": Dead(compose=GONE, user=PAGE, kept=frozenset({POST})),
    "home-timeline-service": Dead(compose=GONE, home=PAGE, kept=frozenset({POST, USER_DOC, USER_SET})),
    "user-mongodb": Dead(follow_names=NO_SERVER),
    "user-memcached": Dead(follow_names=MEMCACHED_GONE, kept=NOWHERE),
    "post-storage-mongodb": Dead(home=NO_SERVER, user=NO_SERVER, kept=NOWHERE),
    "post-storage-memcached": Dead(home=MEMCACHED_GONE, user=MEMCACHED_GONE),
    "user-timeline-mongodb": Dead(kept=frozenset({POST})),
    "user-timeline-redis": Dead(compose=REDIS_GONE, user=REDIS_GONE, kept=frozenset({POST, USER_DOC})),
    "home-timeline-redis": Dead(compose=REDIS_GONE, home=REDIS_GONE, kept=frozenset({POST, USER_DOC, USER_SET})),
    "social-graph-redis": Dead(
        follow=REDIS_GONE, follow_names=REDIS_GONE, compose=REDIS_GONE, kept=frozenset({POST, USER_DOC, USER_SET})
    ),
    "social-graph-mongodb": Dead(
        follow="Failed to update social graph for user", follow_names="Failed to update social graph for user"
    ),
    "url-shorten-mongodb": Dead(kept=NOWHERE),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One author with a follower, and a post of theirs from before; ids are new in each test."""

    author: int
    follower: int
    other: int


@pytest.fixture
def case(system: System) -> Case:
    """Three registered users; everything they need was used once, so that it is in the caches where calls put it."""
    author, follower, other = (system.new_id() for _ in range(3))
    for user in (author, follower, other):
        system.register(user)
    system.post("/wrk2-api/user/follow", {"user_id": follower, "followee_id": author})
    assert system.compose(author, "from before").status_code == 200
    return Case(author=author, follower=follower, other=other)


class Flows:
    """The six flows of the table, each with ids that were not used before."""

    def __init__(self, system: System, case: Case, text: str) -> None:
        self.system = system
        self.case = case
        self.text = text

    def register(self):
        """A new user."""
        return self.system.register(self.system.new_id())

    def follow(self):
        """By ids."""
        return self.system.post(
            "/wrk2-api/user/follow", {"user_id": self.case.author, "followee_id": self.system.new_id()}
        )

    def follow_names(self):
        """By names that nobody has looked up yet."""
        names = {"user_name": f"username_{self.case.author}", "followee_name": f"username_{self.case.other}"}
        return self.system.post("/wrk2-api/user/follow", names)

    def compose(self):
        """With a mention of a seeded user and a url."""
        return self.system.compose(self.case.author, self.text)

    def home(self):
        """The home timeline of the follower."""
        return self.system.read("home", self.case.follower)

    def user(self):
        """The timeline of the author."""
        return self.system.read("user", self.case.author)


def check(answer, expected: str, flow: str) -> None:
    """One answer against a cell of the table."""
    if expected == OK:
        assert answer.status_code == 200, f"{flow}: {answer.text}"
    elif expected == PAGE:
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "text/html", f"{flow}: {answer.text}"
        assert "<h1>500 Internal Server Error</h1>" in answer.text
    else:
        assert answer.status_code == 500, f"{flow}: {answer.text}"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.text.startswith(PREFIX[flow] + expected), f"{flow}: {answer.text}"
        assert answer.text.endswith("\n")


def kept(system: System, case: Case, text: str) -> set[str]:
    """Where the post with this text, or a second post beside the one from before, is found."""
    found = set()
    if system.sql("post-storage-mongodb", "SELECT 1 FROM post WHERE document->>'text' LIKE $1", f"{text}%"):
        found.add(POST)
    row = system.sql(
        "user-timeline-mongodb",
        "SELECT jsonb_array_length(posts) AS n FROM user_timeline WHERE user_id = $1",
        case.author,
    )
    if row[0]["n"] > 1:
        found.add(USER_DOC)
    return found


def sets_of(system: System, case: Case) -> dict[str, int]:
    """Sizes of the two timelines in Redis; 0 if the set or its server is not there."""
    sizes = {}
    for place, store, user in (
        (USER_SET, "user-timeline-redis", case.author),
        (HOME, "home-timeline-redis", case.follower),
    ):
        running = system.states()[store]["state"] == "running"
        sizes[place] = system.redis(store).zcard(str(user)) if running else 0
    return sizes


@pytest.mark.parametrize("name", sorted(TABLE))
def test_dead_by_name(system: System, case: Case, name: str):
    expected = TABLE[name]
    text = f"dead {name} {case.author}"
    flows = Flows(system, case, f"{text} @username_7 http://a.b")
    before = sets_of(system, case)
    with system.stopped(name):
        for flow in ("register", "follow", "follow_names", "compose"):
            check(getattr(flows, flow)(), getattr(expected, flow), flow)
        after = sets_of(system, case)
        if name == "post-storage-memcached":
            check(system.read("home", system.new_id()), OK, "home")  # no id, no trouble
        for flow in ("home", "user"):
            check(getattr(flows, flow)(), getattr(expected, flow), flow)
            check(system.read(flow, 1, 3, 3), PAGE if getattr(expected, flow) == PAGE else OK, flow)
    found = kept(system, case, text) | {place for place in after if after[place] > before[place]}
    assert found == expected.kept
    healed = Flows(system, case, "alive again @username_7 http://a.b")
    for flow in ("register", "follow", "follow_names", "compose", "home", "user"):
        check(getattr(healed, flow)(), OK, flow)


@pytest.mark.parametrize(
    "name", sorted(name for name, row in TABLE.items() if any(getattr(row, flow) in PEER for flow in PREFIX))
)
def test_dead_by_refused_connection(system: System, case: Case, name: str):
    flows = Flows(system, case, "refused @username_7 http://a.b")
    expected = TABLE[name]
    with system.stopped(name):
        system.refuse(name)
        for flow in PREFIX:
            text = getattr(expected, flow)
            check(getattr(flows, flow)(), PEER.get(text, text), flow)


# ---- the cells that say more than a status


def test_social_graph_service_dead_gives_the_page_even_for_missing_arguments(system: System):
    with system.stopped("social-graph-service"):
        for action in ("follow", "unfollow"):
            check(system.post(f"/wrk2-api/user/{action}", {}), PAGE, "follow")


def test_register_without_social_graph_leaves_a_user_whose_repetition_succeeds(system: System):
    user = system.new_id()
    with system.stopped("social-graph-service"):
        check(system.register(user), GONE, "register")
        check(system.register(user), OK, "register")
    assert system.sql("user-mongodb", "SELECT 1 FROM users WHERE user_id = $1", user)
    assert not system.sql("social-graph-mongodb", "SELECT 1 FROM social_graph WHERE user_id = $1", user)


def test_register_without_social_graph_mongodb_leaves_a_user_without_document(system: System):
    user = system.new_id()
    with system.stopped("social-graph-mongodb"):
        check(system.register(user), OK, "register")
    assert system.sql("user-mongodb", "SELECT 1 FROM users WHERE user_id = $1", user)
    assert not system.sql("social-graph-mongodb", "SELECT 1 FROM social_graph WHERE user_id = $1", user)


def test_without_user_mongodb_nothing_is_stored_after_300_ms_and_cached_names_still_work(system: System, case: Case):
    names = {"user_name": f"username_{case.author}", "followee_name": f"username_{case.follower}"}
    assert system.post("/wrk2-api/user/follow", names).status_code == 200  # both names are cached now
    user = system.new_id()
    with system.stopped("user-mongodb"):
        answer = system.register(user)
        check(answer, OK, "register")
        assert answer.elapsed.total_seconds() > 0.29
        check(system.post("/wrk2-api/user/follow", names), OK, "follow_names")
        check(system.compose(case.author, f"@username_{case.other} @username_{case.author}"), OK, "compose")
    assert not system.sql("user-mongodb", "SELECT 1 FROM users WHERE user_id = $1", user)
    post = system.read("user", case.author, 0, 1).json()[0]
    assert [user["user_id"] for user in post["user_mentions"]] == [str(case.author)]  # the uncached one is dropped


def test_without_user_memcached_posts_without_mentions_are_stored(system: System, case: Case):
    with system.stopped("user-memcached"):
        check(system.compose(case.author, "no mention"), OK, "compose")
        login = system.post("/api/user/login", {"username": f"username_{case.author}", "password": "secret"})
        assert login.status_code == 302  # trouble with memcached is only logged
    assert system.read("user", case.author, 0, 1).json()[0]["text"] == "no mention"


def test_without_post_storage_mongodb_cached_posts_are_still_read(system: System, case: Case):
    system.read("home", case.follower)
    key = system.redis("user-timeline-redis").zrange(str(case.author), 0, 0)[0]
    cache = system.redis("post-storage-memcached")
    while cache.get(key) is None:  # filled beside the answer
        pass
    with system.stopped("post-storage-mongodb"):
        assert len(system.read("home", case.follower).json()) == 1


def test_without_user_timeline_mongodb_reads_give_what_redis_has(system: System, case: Case):
    with system.stopped("user-timeline-mongodb"):
        assert [post["text"] for post in system.read("user", case.author).json()] == ["from before"]


def test_without_social_graph_mongodb_the_fan_out_needs_the_set_in_redis(system: System, case: Case):
    with system.stopped("social-graph-mongodb"):
        check(system.compose(case.author, "with set"), OK, "compose")
        assert len(system.read("home", case.follower).json()) == 2
        system.redis("social-graph-redis").delete(f"{case.author}:followers")
        check(system.compose(case.author, "without set"), OK, "compose")
        assert len(system.read("home", case.follower).json()) == 2
    assert len(system.read("user", case.author).json()) == 3


@pytest.mark.parametrize(("store", "done"), [("social-graph-redis", "document"), ("social-graph-mongodb", "set")])
def test_a_failed_follow_is_done_in_the_other_store(system: System, case: Case, store: str, done: str):
    with system.stopped(store):
        ids = {"user_id": case.author, "followee_id": case.other}
        assert system.post("/wrk2-api/user/follow", ids).status_code == 500
    statement = "SELECT jsonb_array_length(followees) AS n FROM social_graph WHERE user_id = $1"
    in_document = system.sql("social-graph-mongodb", statement, case.author)[0]["n"]
    in_set = system.redis("social-graph-redis").zcard(f"{case.author}:followees")
    assert (in_document, in_set) == ((1, 0) if done == "document" else (0, 1))


def test_without_url_shorten_mongodb_posts_without_urls_are_stored(system: System, case: Case):
    with system.stopped("url-shorten-mongodb"):
        check(system.compose(case.author, "no url"), OK, "compose")
    assert system.read("user", case.author, 0, 1).json()[0]["text"] == "no url"


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays_stopped(system: System) -> Iterator[None]:
    """Whatever a failed test left stopped would fail the next module."""
    yield
    stopped = [name for name, state in system.states().items() if state["state"] != "running"]
    assert stopped == []
