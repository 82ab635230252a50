"""post-storage-service: keeps posts in MongoDB and gives them back by id, through memcached."""

from typing import Any

import orjson

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import HANDLER_ERROR, MEMCACHED_ERROR, MONGODB_ERROR, Backend
from .stores import MemcachedError, MongoError, storable_json

Post = dict[str, Any]

INSERT = "INSERT INTO post (post_id, document) VALUES ($1, $2::jsonb)"
FIND = "SELECT document::text AS document FROM post WHERE post_id = ANY($1::bigint[])"


class PostStorageHandler(Backend):
    """Posts never change, so what memcached holds is never wrong; it is filled on reads only."""

    async def start(self) -> None:
        """Name the stores."""
        self._posts = self.documents("post-storage-mongodb", "post.post", "post_id_1")
        self._cache = self.memcached("post-storage-memcached")
        await super().start()

    @method("StorePost", span="store_post_server")
    async def store_post(self, ctx: Context, req_id: int, post: Post) -> None:
        """Insert a post; a failed insert is a declared failure."""
        ctx.log.info(f"Received StorePost request [req_id={req_id}, post_id={post['post_id']}]")
        document = storable_json(orjson.dumps(post).decode())
        try:
            await self._posts.insert(ctx, "post_storage_mongo_insert_client", INSERT, post["post_id"], document)
        except MongoError as error:
            ctx.log.error(f"Failed to insert post to MongoDB: {error}")
            raise ServiceException(MONGODB_ERROR, f"Failed to insert post to MongoDB: {error}") from error
        ctx.log.info(f"Post inserted into MongoDB successfully [req_id={req_id}, post_id={post['post_id']}]")

    @method("ReadPosts", span="post_storage_read_posts_server")
    async def read_posts(self, ctx: Context, req_id: int, post_ids: list[int]) -> list[Post]:
        """The posts in the order of their ids; an id twice or one that is nowhere is a declared failure."""
        ctx.log.info(f"Received ReadPosts request [req_id={req_id}, post_ids_count={len(post_ids)}]")
        if not post_ids:
            return []
        if len(set(post_ids)) != len(post_ids):
            ctx.log.error(f"Post_ids are duplicated [req_id={req_id}]")
            raise ServiceException(HANDLER_ERROR, "Post_ids are duplicated")
        found = await self._cached(ctx, post_ids)
        missing = [post_id for post_id in post_ids if post_id not in found]
        if missing:
            stored = await self._stored(ctx, missing)
            if stored:
                self.spawn(self._refill(ctx, stored))
            found |= stored
        if len(found) != len(post_ids):
            ctx.log.error(f"Return set incomplete [req_id={req_id}, return_count={len(found)}]")
            raise ServiceException(HANDLER_ERROR, "Return set incomplete")
        posts = [found[post_id] for post_id in post_ids]
        ctx.log.info(f"ReadPosts completed [req_id={req_id}, total_return_count={len(posts)}]")
        return posts

    async def _cached(self, ctx: Context, post_ids: list[int]) -> dict[int, Post]:
        keys = [str(post_id) for post_id in post_ids]
        try:
            values = await self._cache.get_many(ctx, "post_storage_mmc_mget_client", keys)
        except MemcachedError as error:
            ctx.log.error(f"Cannot get post_ids from Memcached: {error}")
            raise ServiceException(MEMCACHED_ERROR, str(error)) from error
        found = {}
        for post_id, value in zip(post_ids, values, strict=True):
            if value is not None:
                found[post_id] = orjson.loads(value)
        return found

    async def _stored(self, ctx: Context, post_ids: list[int]) -> dict[int, Post]:
        try:
            rows = await self._posts.find(ctx, "mongo_find_client", FIND, post_ids)
        except MongoError as error:
            ctx.log.error(f"MongoDB error: {error}")
            raise ServiceException(MONGODB_ERROR, str(error)) from error
        stored = {}
        for row in rows:
            post = orjson.loads(row["document"])
            stored[post["post_id"]] = post
        return stored

    async def _refill(self, ctx: Context, posts: dict[int, Post]) -> None:
        values = {str(post_id): orjson.dumps(post).decode() for post_id, post in posts.items()}
        try:
            await self._cache.set_many(ctx, "mmc_set_client", values)
        except MemcachedError as error:
            ctx.log.warning(f"Failed to set posts to Memcached: {error}")

    @method("ReadPost", span="read_post_server")
    async def read_post(self, ctx: Context, req_id: int, post_id: int) -> Post:
        """One post; an unknown id is a declared failure. No deployed flow calls this."""
        ctx.log.info(f"Received ReadPost request [req_id={req_id}, post_id={post_id}]")
        try:
            value = await self._cache.get(ctx, "post_storage_mmc_get_client", str(post_id))
        except MemcachedError as error:
            ctx.log.error(f"Failed to get post from Memcached: {error}")
            raise ServiceException(MEMCACHED_ERROR, str(error)) from error
        if value is not None:
            return orjson.loads(value)
        try:
            row = await self._posts.find_one(ctx, "post_storage_mongo_find_client", FIND, [post_id])
        except MongoError as error:
            ctx.log.error(f"MongoDB error: {error}")
            raise ServiceException(MONGODB_ERROR, str(error)) from error
        if row is None:
            ctx.log.error(f"Post_id: {post_id} doesn't exist in MongoDB")
            raise ServiceException(HANDLER_ERROR, f"Post_id: {post_id} doesn't exist in MongoDB")
        try:
            await self._cache.set(ctx, "post_storage_mmc_set_client", str(post_id), row["document"])
        except MemcachedError as error:
            ctx.log.warning(f"Failed to set post to Memcached: {error}")
        return orjson.loads(row["document"])


SERVICE = PostStorageHandler
