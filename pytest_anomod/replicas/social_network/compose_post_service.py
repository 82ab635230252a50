"""compose-post-service: gathers the parts of a new post from four services, then stores and distributes it."""

from typing import Any

from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import PEER_ERRORS, Backend, now_ms, result_of, settled


class ComposePostHandler(Backend):
    """Nothing is undone: a failure late in the chain leaves the post stored although the caller gets an error."""

    @method("ComposePost", span="compose_post_server")
    async def compose_post(
        self,
        ctx: Context,
        req_id: int,
        username: str,
        user_id: int,
        text: str,
        media_ids: list[int],
        media_types: list[str],
        post_type: int,
    ) -> None:
        """Make, store and distribute one post."""
        ctx.log.info(f"start process compose post request [req_id={req_id}, user={username}]")
        timestamp = now_ms()
        # all four always run to their end; the first failure in this order is the one that counts
        unique_id, creator, media, composed_text = await settled(
            self._unique_id(ctx, req_id, post_type),
            self._creator(ctx, req_id, user_id, username),
            self._media(ctx, req_id, media_types, media_ids),
            self._text(ctx, req_id, text),
        )
        post: dict[str, Any] = {"timestamp": timestamp, "req_id": req_id, "post_type": post_type}
        post["post_id"] = result_of(unique_id)
        ctx.log.info(f"get unique id: {post['post_id']} [req_id={req_id}]")
        post["creator"] = result_of(creator)
        ctx.log.info(f"get creator info [req_id={req_id}]")
        post["media"] = result_of(media)
        ctx.log.info(f"get media info, media count: {len(post['media'])} [req_id={req_id}]")
        post |= result_of(composed_text)
        ctx.log.info(
            f"get text info, text length: {len(post['text'])}, "
            f"user mention count: {len(post['user_mentions'])} [req_id={req_id}]"
        )
        await self._distribute(ctx, req_id, user_id, post)
        ctx.log.info(f"compose post request completed [req_id={req_id}, post_id={post['post_id']}]")

    async def _distribute(self, ctx: Context, req_id: int, user_id: int, post: dict[str, Any]) -> None:
        """Store the post, then the author's timeline, then those of the readers; each only after the one before."""
        ctx.log.info(f"start upload post to storage service [req_id={req_id}, post_id={post['post_id']}]")
        await self._store(ctx, req_id, post)
        ctx.log.info(f"post storage completed [req_id={req_id}]")
        ctx.log.info(f"finish upload post to storage service [req_id={req_id}, post_id={post['post_id']}]")
        await self._write_user_timeline(ctx, req_id, user_id, post)
        ctx.log.info(f"user timeline update completed [req_id={req_id}]")
        await self._write_home_timeline(ctx, req_id, user_id, post)
        ctx.log.info(f"home timeline update completed [req_id={req_id}]")

    async def _unique_id(self, ctx: Context, req_id: int, post_type: int) -> int:
        try:
            return await self.ask(
                ctx,
                "unique-id-service",
                "ComposeUniqueId",
                span="compose_unique_id_client",
                req_id=req_id,
                post_type=post_type,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get unique_id from unique-id-service: {error}")
            raise

    async def _creator(self, ctx: Context, req_id: int, user_id: int, username: str) -> dict[str, Any]:
        try:
            return await self.ask(
                ctx,
                "user-service",
                "ComposeCreatorWithUserId",
                span="compose_creator_client",
                req_id=req_id,
                user_id=user_id,
                username=username,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get creator from user-service: {error}")
            raise

    async def _media(
        self, ctx: Context, req_id: int, media_types: list[str], media_ids: list[int]
    ) -> list[dict[str, Any]]:
        try:
            return await self.ask(
                ctx,
                "media-service",
                "ComposeMedia",
                span="compose_media_client",
                req_id=req_id,
                media_types=media_types,
                media_ids=media_ids,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get media from media-service: {error}")
            raise

    async def _text(self, ctx: Context, req_id: int, text: str) -> dict[str, Any]:
        try:
            return await self.ask(
                ctx, "text-service", "ComposeText", span="compose_text_client", req_id=req_id, text=text
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get text from text-service: {error}")
            raise

    async def _store(self, ctx: Context, req_id: int, post: dict[str, Any]) -> None:
        try:
            await self.ask(ctx, "post-storage-service", "StorePost", span="store_post_client", req_id=req_id, post=post)
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to store post to post-storage-service: {error}")
            raise
        ctx.log.info(f"post storage completed [req_id={req_id}, post_id={post['post_id']}]")

    async def _write_user_timeline(self, ctx: Context, req_id: int, user_id: int, post: dict[str, Any]) -> None:
        try:
            await self.ask(
                ctx,
                "user-timeline-service",
                "WriteUserTimeline",
                span="write_user_timeline_client",
                req_id=req_id,
                post_id=post["post_id"],
                user_id=user_id,
                timestamp=post["timestamp"],
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to write user timeline to user-timeline-service: {error}")
            raise

    async def _write_home_timeline(self, ctx: Context, req_id: int, user_id: int, post: dict[str, Any]) -> None:
        mentioned = [mention["user_id"] for mention in post["user_mentions"]]
        try:
            await self.ask(
                ctx,
                "home-timeline-service",
                "WriteHomeTimeline",
                span="write_home_timeline_client",
                req_id=req_id,
                post_id=post["post_id"],
                user_id=user_id,
                timestamp=post["timestamp"],
                user_mentions_id=mentioned,
            )
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to write home timeline to home-timeline-service: {error}")
            raise


SERVICE = ComposePostHandler
