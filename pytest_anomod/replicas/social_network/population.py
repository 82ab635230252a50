"""Who lives in a freshly seeded system: users, follows and posts as the original's init script would have sent them.

Pure data from a seed; times are counted back from `now_ms`, so that everything happened before now. The first follow
lies two hours back, and the posts are spread over the last hour.
"""

import base64
import hashlib
import random
from dataclasses import dataclass
from typing import Any

from . import graph, ids

HOUR_MS = 3_600_000
MOST_MENTIONS = MOST_URLS = MOST_MEDIA = 5
TEXT_LENGTH = 256
SHORT_URL = "http://short-url/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedUser:
    """One registered user."""

    user_id: int
    first_name: str
    last_name: str
    username: str
    salt: str
    password: str  # hex sha256 of password and salt


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFollow:
    """One user follows another since a time in milliseconds."""

    user_id: int
    followee_id: int
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPost:
    """One stored post and whom it reaches besides the followers."""

    post_id: int
    user_id: int
    timestamp: int
    mentioned: tuple[int, ...]
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Everything the stores are filled from."""

    users: list[SeedUser]
    follows: list[SeedFollow]
    posts: list[SeedPost]


def build(seed: int, now_ms: int, posts_per_user: int = 2) -> Population:
    """The population of a seed; each user has 0 to 2 * posts_per_user posts."""
    return Population(
        users=_users(random.Random(f"users {seed}")),
        follows=_follows(graph.edges(seed), now_ms - 2 * HOUR_MS),
        posts=_posts(random.Random(f"posts {seed}"), now_ms, posts_per_user),
    )


def _users(rng: random.Random) -> list[SeedUser]:
    users = []
    for number in range(graph.NODES):
        salt = _characters(rng, 32)
        users.append(
            SeedUser(
                user_id=number,
                first_name=f"first_name_{number}",
                last_name=f"last_name_{number}",
                username=f"username_{number}",
                salt=salt,
                password=hashlib.sha256(f"password_{number}{salt}".encode()).hexdigest(),
            )
        )
    return users


def _follows(edges: list[tuple[int, int]], start_ms: int) -> list[SeedFollow]:
    """Both directions of each edge, one after the other, a millisecond apart."""
    follows = []
    for number, (a, b) in enumerate(edges):
        timestamp = start_ms + 2 * number
        follows.append(SeedFollow(user_id=a, followee_id=b, timestamp=timestamp))
        follows.append(SeedFollow(user_id=b, followee_id=a, timestamp=timestamp + 1))
    return follows


def _posts(rng: random.Random, now_ms: int, posts_per_user: int) -> list[SeedPost]:
    authors = [user for user in range(graph.NODES) for _ in range(rng.randint(0, 2 * posts_per_user))]
    rng.shuffle(authors)
    step_ms = HOUR_MS // (len(authors) + 1)
    # the process that would have made these ids is gone: any process id of its time will do
    machine = ids.machine_id(ids.mac_address("unique-id-service"), pid=rng.randint(2, 30_000))
    start_ms = now_ms - HOUR_MS
    return [_post(rng, machine, user, start_ms + number * step_ms) for number, user in enumerate(authors)]


def _post(rng: random.Random, machine: str, user: int, timestamp: int) -> SeedPost:
    post_id = ids.compose_id(machine, timestamp - ids.EPOCH_MS, 0)
    mentioned = tuple(rng.randrange(graph.NODES) for _ in range(rng.randint(0, MOST_MENTIONS)))
    urls = [_url(rng) for _ in range(rng.randint(0, MOST_URLS))]
    words = [_characters(rng, TEXT_LENGTH)]
    words += [f"@username_{other}" for other in mentioned]
    words += [url["shortened_url"] for url in urls]
    document = {
        "post_id": post_id,
        "timestamp": timestamp,
        "text": " ".join(words),
        "req_id": rng.getrandbits(52),
        "post_type": 0,
        "creator": {"user_id": user, "username": f"username_{user}"},
        "urls": urls,
        "user_mentions": [{"user_id": other, "username": f"username_{other}"} for other in mentioned],
        "media": [{"media_id": _media_id(rng), "media_type": "png"} for _ in range(rng.randint(0, MOST_MEDIA))],
    }
    return SeedPost(post_id=post_id, user_id=user, timestamp=timestamp, mentioned=mentioned, document=document)


def _url(rng: random.Random) -> dict[str, str]:
    return {
        "shortened_url": SHORT_URL + _characters(rng, 10),
        "expanded_url": "http://" + _characters(rng, 64).lower(),
    }


def _media_id(rng: random.Random) -> int:
    return rng.randrange(10**18)


def _characters(rng: random.Random, count: int) -> str:
    """Letters and digits; made of random bytes because drawing them one by one takes ten times as long."""
    raw = rng.randbytes(count)
    return base64.b64encode(raw, altchars=b"xy").decode()[:count]
