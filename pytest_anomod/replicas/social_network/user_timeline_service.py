"""user-timeline-service: the posts of each user, newest first; an array in MongoDB, a sorted set in Redis."""

from typing import Any

import orjson

from pytest_anomod.replicas.kit.errors import ServiceException, StoreError
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import MONGODB_ERROR, PEER_ERRORS, Backend, result_of, settled
from .stores import MongoError

LARGEST_SLICE = 2**31 - 1

PUSH = "UPDATE user_timeline SET posts = $2::jsonb || posts WHERE user_id = $1"
UPSERT = """
INSERT INTO user_timeline (user_id, posts) VALUES ($1, $2::jsonb)
ON CONFLICT (user_id) DO UPDATE SET posts = EXCLUDED.posts || user_timeline.posts
"""
FIND = """
SELECT jsonb_path_query_array(posts, '$[0 to $last]', jsonb_build_object('last', $2::int - 1))::text AS posts
FROM user_timeline WHERE user_id = $1
"""


class UserTimelineHandler(Backend):
    """What Redis has lost comes back from MongoDB at the next read."""

    async def start(self) -> None:
        """Name the stores."""
        self._documents = self.documents("user-timeline-mongodb", "user-timeline.user-timeline", "user_id_1")
        self._sets = self.sorted_sets("user-timeline-redis")
        await super().start()

    @method("WriteUserTimeline", span="write_user_timeline_server")
    async def write_user_timeline(self, ctx: Context, req_id: int, post_id: int, user_id: int, timestamp: int) -> None:
        """Put a post first in the user's array, then into the set; a failed push is a declared failure."""
        ctx.log.info(
            f"Received WriteUserTimeline request [req_id={req_id}, user_id={user_id}, post_id={post_id}, "
            f"timestamp={timestamp}]"
        )
        with_time = orjson.dumps([{"post_id": post_id, "timestamp": timestamp}]).decode()
        await self._push(ctx, user_id, with_time)
        try:
            entry = (str(user_id), str(post_id), timestamp)
            await self._sets.add_new(ctx, "write_user_timeline_redis_update_client", [entry])
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise
        ctx.log.info(f"WriteUserTimeline completed [req_id={req_id}, user_id={user_id}, post_id={post_id}]")

    async def _push(self, ctx: Context, user_id: int, entry: str) -> None:
        span = "write_user_timeline_mongo_insert_client"
        try:
            await self._documents.update(ctx, span, UPSERT, user_id, entry)
        except MongoError:
            # two first posts at once may both try to insert the document: once more, without inserting
            try:
                await self._documents.update(ctx, span, PUSH, user_id, entry)
            except MongoError as error:
                ctx.log.error(f"Failed to update user-timeline for user {user_id} to MongoDB: {error}")
                raise ServiceException(
                    MONGODB_ERROR, f"Failed to update user-timeline for user {user_id} to MongoDB: {error}"
                ) from error

    @method("ReadUserTimeline", span="read_user_timeline_server")
    async def read_user_timeline(
        self, ctx: Context, req_id: int, user_id: int, start: int, stop: int
    ) -> list[dict[str, Any]]:
        """The posts at positions start to stop-1, newest first."""
        ctx.log.info(
            f"Received ReadUserTimeline request [req_id={req_id}, user_id={user_id}, start={start}, stop={stop}]"
        )
        if stop <= start or start < 0:
            return []
        post_ids = await self._cached(ctx, user_id, start, stop)
        refill: dict[str, int] = {}
        known = start + len(post_ids)
        if known < stop:
            for entry in (await self._stored(ctx, user_id, stop))[known:]:
                if entry["post_id"] not in post_ids:
                    post_ids.append(entry["post_id"])
                refill[str(entry["post_id"])] = entry["timestamp"]
        read, refilled = await settled(self._posts(ctx, req_id, post_ids), self._refill(ctx, user_id, refill))
        result_of(refilled)
        posts = result_of(read)
        ctx.log.info(f"ReadUserTimeline completed [req_id={req_id}, user_id={user_id}, return_count={len(posts)}]")
        return posts

    async def _cached(self, ctx: Context, user_id: int, start: int, stop: int) -> list[int]:
        try:
            members = await self._sets.reverse_range(
                ctx, "read_user_timeline_redis_find_client", str(user_id), start, stop - 1
            )
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise
        return [int(member) for member in members]

    async def _stored(self, ctx: Context, user_id: int, stop: int) -> list[dict[str, int]]:
        try:
            row = await self._documents.find_one(
                ctx, "user_timeline_mongo_find_client", FIND, user_id, min(stop, LARGEST_SLICE)
            )
        except MongoError:
            # the original does not look whether its cursor failed: only what Redis had is returned
            return []
        if row is None:
            return []
        return orjson.loads(row["posts"])

    async def _refill(self, ctx: Context, user_id: int, scores: dict[str, int]) -> None:
        if not scores:
            return
        try:
            await self._sets.add_all(ctx, "user_timeline_redis_update_client", str(user_id), scores)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise

    async def _posts(self, ctx: Context, req_id: int, post_ids: list[int]) -> list[dict[str, Any]]:
        try:
            return await self.ask(ctx, "post-storage-service", "ReadPosts", req_id=req_id, post_ids=post_ids)
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to read posts from post-storage-service: {error}")
            raise


SERVICE = UserTimelineHandler
