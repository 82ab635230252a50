"""social-graph-service: who follows whom; documents in MongoDB, sorted sets in Redis in front of them."""

from typing import Any

import orjson

from pytest_anomod.replicas.kit.errors import ServiceException, StoreError
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from .backend import HANDLER_ERROR, MONGODB_ERROR, PEER_ERRORS, Backend, now_ms, result_of, settled
from .stores import MongoError

INSERT = "INSERT INTO social_graph (user_id, followers, followees) VALUES ($1, '[]', '[]')"
FIND = "SELECT {side}::text AS edges FROM social_graph WHERE user_id = $1"
PUSH = "UPDATE social_graph SET {side} = {side} || $2::jsonb WHERE user_id = $1 AND NOT {side} @> $3::jsonb"
PULL = """
UPDATE social_graph SET {side} = (
    SELECT coalesce(jsonb_agg(edge ORDER BY place), '[]')
    FROM jsonb_array_elements({side}) WITH ORDINALITY AS edges (edge, place)
    WHERE NOT edge @> $2::jsonb
) WHERE user_id = $1 AND {side} @> $3::jsonb
"""


class SocialGraphHandler(Backend):
    """User A follows user B: A's followees hold B, B's followers hold A, in both stores."""

    async def start(self) -> None:
        """Name the stores."""
        self._graph = self.documents("social-graph-mongodb", "social-graph.social-graph", "user_id_1")
        self._sets = self.sorted_sets("social-graph-redis")
        await super().start()

    @method("InsertUser", span="insert_user_server")
    async def insert_user(self, ctx: Context, req_id: int, user_id: int) -> None:
        """Make the document of a new user; a failed insert is a declared failure."""
        ctx.log.info(f"Received InsertUser request [req_id={req_id}, user_id={user_id}]")
        try:
            await self._graph.insert(ctx, "social_graph_mongo_insert_client", INSERT, user_id)
        except MongoError as error:
            ctx.log.error(f"Failed to insert social graph for user {user_id} to MongoDB: {error}")
            raise ServiceException(
                MONGODB_ERROR, f"Failed to insert social graph for user {user_id} to MongoDB: {error}"
            ) from error
        ctx.log.info(f"InsertUser operation completed [req_id={req_id}, user_id={user_id}]")

    @method("GetFollowers", span="get_followers_server")
    async def get_followers(self, ctx: Context, req_id: int, user_id: int) -> list[int]:
        """The ids of who follows the user; a user unknown to MongoDB has none."""
        ctx.log.info(f"Received GetFollowers request [req_id={req_id}, user_id={user_id}]")
        key = f"{user_id}:followers"
        followers = await self._cached(ctx, key)
        if not followers:
            edges = await self._stored(ctx, "followers", user_id)
            if edges is None:
                ctx.log.warning(f"user_id: {user_id} not found")
            else:
                followers = [edge["user_id"] for edge in edges]
                await self._refill(ctx, key, edges)
        ctx.log.info(f"GetFollowers completed [req_id={req_id}, followers_count={len(followers)}]")
        return followers

    @method("GetFollowees", span="get_followees_server")
    async def get_followees(self, ctx: Context, req_id: int, user_id: int) -> list[int]:
        """The ids of whom the user follows; a user unknown to MongoDB is a declared failure."""
        ctx.log.info(f"Received GetFollowees request [req_id={req_id}, user_id={user_id}]")
        key = f"{user_id}:followees"
        followees = await self._cached(ctx, key)
        if not followees:
            edges = await self._stored(ctx, "followees", user_id)
            if edges is None:
                ctx.log.error(f"Cannot find user_id {user_id} in MongoDB")
                raise ServiceException(HANDLER_ERROR, "Cannot find user_id in MongoDB.")
            followees = [edge["user_id"] for edge in edges]
            await self._refill(ctx, key, edges)
        ctx.log.info(f"GetFollowees completed [req_id={req_id}, followees_count={len(followees)}]")
        return followees

    async def _cached(self, ctx: Context, key: str) -> list[int]:
        try:
            members = await self._sets.range(ctx, "social_graph_redis_get_client", key, 0, -1)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise
        return [int(member) for member in members]

    async def _stored(self, ctx: Context, side: str, user_id: int) -> list[dict[str, int]] | None:
        try:
            row = await self._graph.find_one(ctx, "social_graph_mongo_find_client", FIND.format(side=side), user_id)
        except MongoError:
            # the original does not look whether its cursor failed: the user seems unknown
            return None
        if row is None:
            return None
        return orjson.loads(row["edges"])

    async def _refill(self, ctx: Context, key: str, edges: list[dict[str, int]]) -> None:
        scores = {str(edge["user_id"]): edge["timestamp"] for edge in edges}
        try:
            await self._sets.add_all(ctx, "social_graph_redis_insert_client", key, scores)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise

    @method("Follow", span="follow_server")
    async def follow(self, ctx: Context, req_id: int, user_id: int, followee_id: int) -> None:
        """Add an edge to both documents and both sets at once; unknown ids reach Redis only."""
        ctx.log.info(f"Received Follow request [req_id={req_id}, user_id={user_id}, followee_id={followee_id}]")
        timestamp = now_ms()
        in_redis, of_user, of_followee = await settled(
            self._add_to_sets(ctx, user_id, followee_id, timestamp),
            self._push(ctx, "mongo_update_client", "followees", user_id, followee_id, timestamp),
            self._push(ctx, "social_graph_mongo_update_client", "followers", followee_id, user_id, timestamp),
        )
        result_of(in_redis)
        result_of(of_user)
        result_of(of_followee)
        ctx.log.info(f"Follow operation completed [req_id={req_id}, user_id={user_id}, followee_id={followee_id}]")

    @method("Unfollow", span="unfollow_server")
    async def unfollow(self, ctx: Context, req_id: int, user_id: int, followee_id: int) -> None:
        """Take an edge out of both documents and both sets at once; what is not there is no error."""
        ctx.log.info(f"Received Unfollow request [req_id={req_id}, user_id={user_id}, followee_id={followee_id}]")
        in_redis, of_user, of_followee = await settled(
            self._remove_from_sets(ctx, user_id, followee_id),
            self._pull(ctx, "followees", user_id, followee_id),
            self._pull(ctx, "followers", followee_id, user_id),
        )
        result_of(in_redis)
        result_of(of_user)
        result_of(of_followee)
        ctx.log.info(f"Unfollow operation completed [req_id={req_id}, user_id={user_id}, followee_id={followee_id}]")

    async def _add_to_sets(self, ctx: Context, user_id: int, followee_id: int, timestamp: int) -> None:
        entries = [
            (f"{user_id}:followees", str(followee_id), timestamp),
            (f"{followee_id}:followers", str(user_id), timestamp),
        ]
        try:
            await self._sets.add_new(ctx, "social_graph_redis_update_client", entries)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise

    async def _remove_from_sets(self, ctx: Context, user_id: int, followee_id: int) -> None:
        entries = [(f"{user_id}:followees", str(followee_id)), (f"{followee_id}:followers", str(user_id))]
        try:
            await self._sets.remove(ctx, "social_graph_redis_update_client", entries)
        except StoreError as error:
            ctx.log.error(f"Redis error: {error}")
            raise

    async def _push(self, ctx: Context, span: str, side: str, user_id: int, other_id: int, timestamp: int) -> None:
        edge = orjson.dumps([{"user_id": other_id, "timestamp": timestamp}]).decode()
        match = orjson.dumps([{"user_id": other_id}]).decode()
        try:
            await self._graph.update(ctx, span, PUSH.format(side=side), user_id, edge, match)
        except MongoError as error:
            raise self._update_failed(ctx, user_id, error) from error

    async def _pull(self, ctx: Context, side: str, user_id: int, other_id: int) -> None:
        edge = orjson.dumps({"user_id": other_id}).decode()
        match = orjson.dumps([{"user_id": other_id}]).decode()
        try:
            await self._graph.update(
                ctx, "social_graph_mongo_delete_client", PULL.format(side=side), user_id, edge, match
            )
        except MongoError as error:
            raise self._update_failed(ctx, user_id, error) from error

    def _update_failed(self, ctx: Context, user_id: int, error: MongoError) -> ServiceException:
        ctx.log.error(f"Failed to update social graph for user {user_id} to MongoDB: {error}")
        return ServiceException(MONGODB_ERROR, f"Failed to update social graph for user {user_id} to MongoDB: {error}")

    @method("FollowWithUsername", span="follow_with_username_server")
    async def follow_with_username(self, ctx: Context, req_id: int, user_name: str, followee_name: str) -> None:
        """Follow by names; an unknown name is a declared failure."""
        ctx.log.info(
            f"Received FollowWithUsername request [req_id={req_id}, user={user_name}, followee={followee_name}]"
        )
        user_id, followee_id = await self._user_ids(ctx, req_id, user_name, followee_name)
        with ctx.span("follow_server") as inner:
            await self.follow(inner, req_id, user_id, followee_id)
        ctx.log.info(f"FollowWithUsername operation completed [req_id={req_id}]")

    @method("UnfollowWithUsername", span="unfollow_with_username_server")
    async def unfollow_with_username(self, ctx: Context, req_id: int, user_name: str, followee_name: str) -> None:
        """Unfollow by names; an unknown name is a declared failure."""
        ctx.log.info(
            f"Received UnfollowWithUsername request [req_id={req_id}, user={user_name}, followee={followee_name}]"
        )
        user_id, followee_id = await self._user_ids(ctx, req_id, user_name, followee_name)
        with ctx.span("unfollow_server") as inner:
            await self.unfollow(inner, req_id, user_id, followee_id)
        ctx.log.info(f"UnfollowWithUsername operation completed [req_id={req_id}]")

    async def _user_ids(self, ctx: Context, req_id: int, user_name: str, followee_name: str) -> tuple[int, int]:
        user, followee = await settled(self._user_id(ctx, req_id, user_name), self._user_id(ctx, req_id, followee_name))
        return result_of(user), result_of(followee)

    async def _user_id(self, ctx: Context, req_id: int, username: str) -> Any:
        try:
            return await self.ask(ctx, "user-service", "GetUserId", req_id=req_id, username=username)
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to get user_id of {username} from user-service: {error}")
            raise


SERVICE = SocialGraphHandler
