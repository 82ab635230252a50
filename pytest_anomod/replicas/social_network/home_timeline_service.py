"""home-timeline-service: the feed of each user, written when someone posts; Redis is the only place it is kept."""

from typing import Any

from pytest_anomod.replicas.kit.errors import StoreError
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import PEER_ERRORS, Backend


class HomeTimelineHandler(Backend):
    """A post goes to all followers of its author and to everyone it mentions; nothing is ever trimmed."""

    async def start(self) -> None:
        """Name the store."""
        self._timelines = self.sorted_sets("home-timeline-redis")
        await super().start()

    @method("WriteHomeTimeline", span="write_home_timeline_server")
    async def write_home_timeline(
        self, ctx: Context, req_id: int, post_id: int, user_id: int, timestamp: int, user_mentions_id: list[int]
    ) -> None:
        """Put a post on the timelines of the author's followers and of the mentioned users."""
        ctx.log.info(f"Start writing home timeline [req_id={req_id}, user_id={user_id}, post_id={post_id}]")
        followers = await self._followers(ctx, req_id, user_id)
        ctx.log.info(f"Successfully got followers [req_id={req_id}, followers_count={len(followers)}]")
        targets = sorted(set(followers) | set(user_mentions_id))
        entries = [(str(target), str(post_id), timestamp) for target in targets]
        try:
            await self._timelines.add_new(ctx, "write_home_timeline_redis_update_client", entries)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise
        ctx.log.info(f"Successfully wrote to redis home timeline [req_id={req_id}, followers_count={len(targets)}]")
        ctx.log.info(f"Home timeline write completed [req_id={req_id}, post_id={post_id}]")

    async def _followers(self, ctx: Context, req_id: int, user_id: int) -> list[int]:
        try:
            return await self.ask(
                ctx,
                "social-graph-service",
                "GetFollowers",
                span="get_followers_client",
                req_id=req_id,
                user_id=user_id,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get followers from social-network-service: {error}")
            raise

    @method("ReadHomeTimeline", span="read_home_timeline_server")
    async def read_home_timeline(
        self, ctx: Context, req_id: int, user_id: int, start: int, stop: int
    ) -> list[dict[str, Any]]:
        """The posts at positions start to stop-1, newest first; what Redis lost is lost."""
        ctx.log.info(f"Start reading home timeline [req_id={req_id}, user_id={user_id}, start={start}, stop={stop}]")
        if stop <= start or start < 0:
            return []
        try:
            members = await self._timelines.reverse_range(
                ctx, "read_home_timeline_redis_find_client", str(user_id), start, stop - 1
            )
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise
        post_ids = [int(member) for member in members]
        posts = await self._posts(ctx, req_id, post_ids)
        ctx.log.info(f"Successfully got posts from post-storage-service [req_id={req_id}, post_count={len(posts)}]")
        ctx.log.info(f"Home timeline read completed [req_id={req_id}, user_id={user_id}]")
        return posts

    async def _posts(self, ctx: Context, req_id: int, post_ids: list[int]) -> list[dict[str, Any]]:
        try:
            return await self.ask(ctx, "post-storage-service", "ReadPosts", req_id=req_id, post_ids=post_ids)
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to read posts from post-storage-service: {error}")
            raise


SERVICE = HomeTimelineHandler
