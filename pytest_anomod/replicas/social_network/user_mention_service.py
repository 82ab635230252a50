"""user-mention-service: resolves mentioned user names to user ids, from memcached first, the rest from MongoDB."""

from typing import Any

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import MEMCACHED_ERROR, Backend
from .stores import MemcachedError, MongoError

FIND = "SELECT user_id, username FROM users WHERE username = ANY($1::text[])"


class UserMentionHandler(Backend):
    """Shares both stores with user-service, but never writes to them."""

    async def start(self) -> None:
        """Name the stores."""
        self._cache = self.memcached("user-memcached")
        self._users = self.documents("user-mongodb", "user.user", "user_id_1")
        await super().start()

    @method("ComposeUserMentions", span="compose_user_mentions_server")
    async def compose_user_mentions(self, ctx: Context, req_id: int, usernames: list[str]) -> list[dict[str, Any]]:
        """Records {user_id, username} of the names that exist; unknown names vanish without a word."""
        ctx.log.info(f"Received ComposeUserMentions request [req_id={req_id}, usernames_count={len(usernames)}]")
        mentions: list[dict[str, Any]] = []
        missing: list[str] = []
        if usernames:
            for username, user_id in zip(usernames, await self._cached(ctx, req_id, usernames), strict=True):
                if user_id is not None:
                    mentions.append({"user_id": int(user_id), "username": username})
                elif username not in missing:
                    missing.append(username)
            ctx.log.info(f"ComposeUserMentions Memcached hit [req_id={req_id}, hit_count={len(mentions)}]")
        stored: list[dict[str, Any]] = []
        if missing:
            stored = await self._stored(ctx, missing)
        ctx.log.info(f"ComposeUserMentions MongoDB hit [req_id={req_id}, hit_count={len(stored)}]")
        mentions += stored
        ctx.log.info(f"ComposeUserMentions completed [req_id={req_id}, return_count={len(mentions)}]")
        return mentions

    async def _cached(self, ctx: Context, req_id: int, usernames: list[str]) -> list[str | None]:
        keys = [f"{username}:user_id" for username in usernames]
        try:
            return await self._cache.get_many(ctx, "compose_user_mentions_memcached_get_client", keys)
        except MemcachedError as error:
            ctx.log.error(f"Cannot get usernames of request {req_id}: {error}")
            raise ServiceException(MEMCACHED_ERROR, str(error)) from error

    async def _stored(self, ctx: Context, usernames: list[str]) -> list[dict[str, Any]]:
        try:
            rows = await self._users.find(ctx, "compose_user_mentions_mongo_find_client", FIND, usernames)
        except MongoError:
            # the original does not look whether its cursor failed: the names vanish
            return []
        return [{"user_id": row["user_id"], "username": row["username"]} for row in rows]


SERVICE = UserMentionHandler
