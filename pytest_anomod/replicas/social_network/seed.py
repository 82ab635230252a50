"""Fills the stores of a new system with the population of its seed, in the state the API calls would have left.

Bulk loads only: COPY for the document stores, pipelines for the caches. Registrations leave users and graph documents,
follows both sides of the graph in both stores and the user ids in memcached (they are by name), posts leave themselves,
their short urls and the timelines they went to. Every post has been read once, so memcached holds it: a system that
has run for a while has warm caches, and a cold one would get faster all through its first cases.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.system import SeedContext

from . import population
from .population import Population, SeedFollow, SeedPost

POSTS_PER_USER = 2  # on average; each user has 0 to twice as many
MOST_COMMANDS = 500  # of one pipeline

Sets = dict[str, dict[int, int]]  # scores by member, by key


async def seed(context: SeedContext, posts_per_user: int = POSTS_PER_USER) -> None:
    """Fill every store; equal seeds give equal users, edges and texts, at times counted back from now."""
    people = population.build(context.seed, time.time_ns() // 1_000_000, posts_per_user)
    await asyncio.gather(
        _fill_users(context, people),
        _fill_graph(context, people.follows),
        _fill_posts(context, people.posts),
        _fill_user_timelines(context, people.posts),
        _fill_home_timelines(context, people),
    )


async def _fill_users(context: SeedContext, people: Population) -> None:
    rows = [
        (user.user_id, user.first_name, user.last_name, user.username, user.salt, user.password)
        for user in people.users
    ]
    columns = ("user_id", "first_name", "last_name", "username", "salt", "password")
    await context.pg("user-mongodb").copy("users", columns, rows)
    # every user follows someone by name, so every name has been looked up
    commands = [("SET", f"{user.username}:user_id", user.user_id) for user in people.users]
    await _send(context.redis("user-memcached"), commands)


async def _fill_graph(context: SeedContext, follows: Sequence[SeedFollow]) -> None:
    followers: dict[int, list[dict[str, int]]] = defaultdict(list)
    followees: dict[int, list[dict[str, int]]] = defaultdict(list)
    for follow in follows:
        followees[follow.user_id].append({"user_id": follow.followee_id, "timestamp": follow.timestamp})
        followers[follow.followee_id].append({"user_id": follow.user_id, "timestamp": follow.timestamp})
    rows = [(user, _text(followers[user]), _text(followees[user])) for user in sorted(followers)]
    await context.pg("social-graph-mongodb").copy("social_graph", ("user_id", "followers", "followees"), rows)
    sets: Sets = {}
    for user in sorted(followers):
        sets[f"{user}:followers"] = {edge["user_id"]: edge["timestamp"] for edge in followers[user]}
        sets[f"{user}:followees"] = {edge["user_id"]: edge["timestamp"] for edge in followees[user]}
    await _send(context.redis("social-graph-redis"), _additions(sets))


async def _fill_posts(context: SeedContext, posts: Sequence[SeedPost]) -> None:
    rows = [(post.post_id, _text(post.document)) for post in posts]
    await context.pg("post-storage-mongodb").copy("post", ("post_id", "document"), rows)
    cached = [("SET", post.post_id, document) for post, (_, document) in zip(posts, rows, strict=True)]
    await _send(context.redis("post-storage-memcached"), cached)
    urls = [(url["shortened_url"], url["expanded_url"]) for post in posts for url in post.document["urls"]]
    await context.pg("url-shorten-mongodb").copy("url_shorten", ("shortened_url", "expanded_url"), urls)


async def _fill_user_timelines(context: SeedContext, posts: Sequence[SeedPost]) -> None:
    timelines: dict[int, list[SeedPost]] = defaultdict(list)
    for post in reversed(posts):  # newest first
        timelines[post.user_id].append(post)
    rows = [
        (user, _text([{"post_id": post.post_id, "timestamp": post.timestamp} for post in own]))
        for user, own in timelines.items()
    ]
    await context.pg("user-timeline-mongodb").copy("user_timeline", ("user_id", "posts"), rows)
    sets = {str(user): {post.post_id: post.timestamp for post in own} for user, own in timelines.items()}
    await _send(context.redis("user-timeline-redis"), _additions(sets))


async def _fill_home_timelines(context: SeedContext, people: Population) -> None:
    followers: dict[int, set[int]] = defaultdict(set)
    for follow in people.follows:
        followers[follow.followee_id].add(follow.user_id)
    sets: Sets = defaultdict(dict)
    for post in people.posts:
        for reader in followers[post.user_id] | set(post.mentioned):
            sets[str(reader)][post.post_id] = post.timestamp
    await _send(context.redis("home-timeline-redis"), _additions(sets))


def _additions(sets: Sets) -> list[list[Any]]:
    """One ZADD a key."""
    commands = []
    for key, scores in sets.items():
        command: list[Any] = ["ZADD", key]
        for member, score in scores.items():
            command += (score, member)
        commands.append(command)
    return commands


async def _send(redis: RedisClient, commands: Sequence[Iterable[Any]]) -> None:
    for first in range(0, len(commands), MOST_COMMANDS):
        await redis.pipeline([tuple(command) for command in commands[first : first + MOST_COMMANDS]])


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
