"""SocialNetwork of DeathStarBench: its services and stores, who calls whom, and the mixed workload of its users.

Names, calls and request shapes are those of DeathStarBench (6ecb097). Left out is what the original starts and
never uses: url-shorten-memcached, media-memcached, compose-post-redis and the tracing and monitoring containers.
"""

from __future__ import annotations

import string
from random import Random
from typing import TYPE_CHECKING

from pytest_anomod.model.system import Journey, Original, Replica, Service, ServiceKind, System
from pytest_anomod.systems._logins import social_network_login

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client, Response

USERS = 962
"""Users of the graph socfb-Reed98: ids 0..961, named username_0 and so on."""

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LETTERS = string.ascii_letters + string.digits


async def read_home_timeline(client: Client, random: Random) -> Response:
    """A user reads ten posts of those he follows."""
    return await _read(client, random, "/wrk2-api/home-timeline/read")


async def read_user_timeline(client: Client, random: Random) -> Response:
    """A user reads ten posts of his own."""
    return await _read(client, random, "/wrk2-api/user-timeline/read")


async def compose_post(client: Client, random: Random) -> Response:
    """A user writes a post with mentions, URLs and media; as in the original the form is not percent-encoded."""
    author = random.randrange(USERS)
    text = _word(random, 256) + _mentions(random, author) + _urls(random)
    media = ["".join(random.choices(string.digits, k=18)) for _ in range(random.randint(1, 5))]
    media_ids = ",".join(f'"{media_id}"' for media_id in media)
    media_types = ",".join('"png"' for _ in media)
    form = (
        f"username=username_{author}&user_id={author}&text={text}"
        f"&media_ids=[{media_ids}]&media_types=[{media_types}]&post_type=0"
    )
    return await client.request("POST", "/wrk2-api/post/compose", form=form)


async def _read(client: Client, random: Random, path: str) -> Response:
    user = random.randrange(USERS)
    start = random.randint(0, 100)
    query = {"user_id": str(user), "start": str(start), "stop": str(start + 10)}
    # the original sends the form's content type on reads, too
    return await client.request("GET", path, query=query, headers=_FORM)


def _word(random: Random, length: int) -> str:
    return "".join(random.choices(_LETTERS, k=length))


def _mentions(random: Random, author: int) -> str:
    """One to six other users; one may be named twice."""
    others = ((author + random.randrange(1, USERS)) % USERS for _ in range(random.randint(1, 6)))
    return "".join(f" @username_{user}" for user in others)


def _urls(random: Random) -> str:
    return "".join(f" http://{_word(random, 64)}" for _ in range(random.randint(1, 6)))


def _gateway(name: str, *calls: str) -> Service:
    return Service(name=name, kind=ServiceKind.GATEWAY, calls=calls)


def _app(name: str, *calls: str) -> Service:
    return Service(name=name, kind=ServiceKind.APP, calls=calls)


def _caches(*names: str) -> tuple[Service, ...]:
    return tuple(Service(name=name, kind=ServiceKind.CACHE, engine="redis") for name in names)


def _docstores(*names: str) -> tuple[Service, ...]:
    return tuple(Service(name=name, kind=ServiceKind.DOCSTORE, engine="postgresql") for name in names)


_SERVICES = (
    _gateway(
        "nginx-thrift",
        "compose-post-service",
        "home-timeline-service",
        "social-graph-service",
        "user-service",
        "user-timeline-service",
    ),
    _gateway("media-frontend", "media-mongodb"),
    _app(
        "compose-post-service",
        "home-timeline-service",
        "media-service",
        "post-storage-service",
        "text-service",
        "unique-id-service",
        "user-service",
        "user-timeline-service",
    ),
    _app("home-timeline-service", "home-timeline-redis", "post-storage-service", "social-graph-service"),
    _app("media-service"),
    _app("post-storage-service", "post-storage-memcached", "post-storage-mongodb"),
    _app("social-graph-service", "social-graph-mongodb", "social-graph-redis", "user-service"),
    _app("text-service", "url-shorten-service", "user-mention-service"),
    _app("unique-id-service"),
    _app("url-shorten-service", "url-shorten-mongodb"),
    _app("user-mention-service", "user-memcached", "user-mongodb"),
    _app("user-service", "social-graph-service", "user-memcached", "user-mongodb"),
    _app("user-timeline-service", "post-storage-service", "user-timeline-mongodb", "user-timeline-redis"),
    *_caches(
        "home-timeline-redis",
        "post-storage-memcached",
        "social-graph-redis",
        "user-memcached",
        "user-timeline-redis",
    ),
    *_docstores(
        "media-mongodb",
        "post-storage-mongodb",
        "social-graph-mongodb",
        "url-shorten-mongodb",
        "user-mongodb",
        "user-timeline-mongodb",
    ),
)

SOCIAL_NETWORK = System(
    name="social_network",
    services=_SERVICES,
    entry="nginx-thrift",
    journeys=(
        Journey(name="read-home-timeline", weight=0.6, play=read_home_timeline),
        Journey(name="read-user-timeline", weight=0.3, play=read_user_timeline),
        Journey(name="compose-post", weight=0.1, play=compose_post),
    ),
    rate_rps=30.0,
    deploys=(Replica(package="social_network"),),
    original=Original(
        files=("socialNetwork/docker-compose.yml", "docker-compose.yml"),
        protocol="",  # Thrift
        port=9_090,
        reported_as=(("nginx-web-server", "nginx-thrift"),),
    ),
    login=social_network_login,
)

OFFERS = (SOCIAL_NETWORK,)
