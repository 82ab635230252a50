"""user-service: registration, login with a token, creators of posts, and user ids by name."""

import hashlib
import hmac
import time
from typing import Any

import orjson

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.service import method
from pytest_anomod.replicas.kit.spans import Context

from . import ids, tokens
from .backend import HANDLER_ERROR, MEMCACHED_ERROR, MONGODB_ERROR, PEER_ERRORS, UNAUTHORIZED, Backend, now_ms
from .stores import MemcachedError, MongoError

SALT_LENGTH = 32
SALT_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

FIND = "SELECT user_id, username, salt, password FROM users WHERE username = $1"
INSERT = "INSERT INTO users (user_id, first_name, last_name, username, salt, password) VALUES ($1, $2, $3, $4, $5, $6)"


class UserHandler(Backend):
    """Users are never changed once they are stored; user names are unique only by looking before the insert."""

    async def start(self) -> None:
        """Name the stores and find out which machine this is."""
        self._users = self.documents("user-mongodb", "user.user", "user_id_1")
        self._cache = self.memcached("user-memcached")
        mac = ids.mac_address(self.name)
        self._machine = ids.machine_id(mac)
        self._counter = ids.Counter()
        self.log.info(f"MAC address = {mac}")
        self.log.info(f"machine_id = {self._machine}")
        await super().start()

    @method("RegisterUserWithId", span="register_user_withid_server")
    async def register_user_with_id(
        self, ctx: Context, req_id: int, first_name: str, last_name: str, username: str, password: str, user_id: int
    ) -> None:
        """Register under a given id; a taken name or id is a declared failure."""
        ctx.log.info(f"Received RegisterUserWithId request [req_id={req_id}, username={username}, user_id={user_id}]")
        await self._check_free(ctx, username)
        # the span's name is misspelt in the original, too
        await self._insert(ctx, "user_mongo_insert_cilent", user_id, first_name, last_name, username, password)
        await self._insert_into_graph(ctx, req_id, user_id)
        ctx.log.info(f"RegisterUserWithId completed [req_id={req_id}, user_id={user_id}]")

    @method("RegisterUser", span="register_user_server")
    async def register_user(
        self, ctx: Context, req_id: int, first_name: str, last_name: str, username: str, password: str
    ) -> None:
        """Register under a new id; a taken name is a declared failure."""
        timestamp = now_ms() - ids.EPOCH_MS
        user_id = ids.compose_id(self._machine, timestamp, self._counter.next(timestamp))
        await self._check_free(ctx, username)
        await self._insert(ctx, "user_mongo_insert_client", user_id, first_name, last_name, username, password)
        await self._insert_into_graph(ctx, req_id, user_id)

    async def _check_free(self, ctx: Context, username: str) -> None:
        try:
            row = await self._users.find_one(ctx, "", FIND, username)
        except MongoError as error:
            ctx.log.error(f"MongoDB error: {error}")
            raise ServiceException(MONGODB_ERROR, str(error)) from error
        if row is not None:
            ctx.log.error(f"User {username} already existed")
            raise ServiceException(HANDLER_ERROR, f"User {username} already existed")

    async def _insert(
        self, ctx: Context, span: str, user_id: int, first_name: str, last_name: str, username: str, password: str
    ) -> None:
        salt = "".join(self.random.choices(SALT_LETTERS, k=SALT_LENGTH))
        hashed = password_hash(password, salt)
        try:
            await self._users.insert(ctx, span, INSERT, user_id, first_name, last_name, username, salt, hashed)
        except MongoError as error:
            ctx.log.error(f"Failed to insert user {username} into MongoDB: {error}")
            raise ServiceException(MONGODB_ERROR, f"Failed to insert user {username} into MongoDB: {error}") from error

    async def _insert_into_graph(self, ctx: Context, req_id: int, user_id: int) -> None:
        try:
            await self.ask(ctx, "social-graph-service", "InsertUser", req_id=req_id, user_id=user_id)
        except PEER_ERRORS as error:
            ctx.log.error(f"Failed to insert user into social-graph-service: {error}")
            raise

    @method("ComposeCreatorWithUserId", span="compose_creator_server")
    async def compose_creator_with_user_id(
        self, ctx: Context, req_id: int, user_id: int, username: str
    ) -> dict[str, Any]:
        """The creator of a post: what was asked with, nothing is looked up."""
        ctx.log.info(f"Received ComposeCreatorWithUserId request [req_id={req_id}, user_id={user_id}]")
        creator = {"user_id": user_id, "username": username}
        ctx.log.info(f"ComposeCreatorWithUserId completed [req_id={req_id}, user_id={user_id}]")
        return creator

    @method("ComposeCreatorWithUsername", span="compose_creator_server")
    async def compose_creator_with_username(self, ctx: Context, req_id: int, username: str) -> dict[str, Any]:
        """The creator of a post by name; no deployed flow calls this."""
        ctx.log.info(f"Received ComposeCreatorWithUsername request [req_id={req_id}, username={username}]")
        user_id = await self._user_id(ctx, username, "user_mmc_get_client", "user_mmc_set_cilent")
        ctx.log.info(f"ComposeCreatorWithUsername completed [req_id={req_id}, user_id={user_id}]")
        return {"user_id": user_id, "username": username}

    @method("GetUserId", span="get_user_id_server")
    async def get_user_id(self, ctx: Context, req_id: int, username: str) -> int:
        """The id of a user name; an unknown name is a declared failure."""
        ctx.log.info(f"Received GetUserId request [req_id={req_id}, username={username}]")
        user_id = await self._user_id(ctx, username, "user_mmc_get_user_id_client", "user_mmc_set_client")
        ctx.log.info(f"GetUserId completed [req_id={req_id}, user_id={user_id}]")
        return user_id

    async def _user_id(self, ctx: Context, username: str, get_span: str, set_span: str) -> int:
        key = f"{username}:user_id"
        try:
            cached = await self._cache.get(ctx, get_span, key)
        except MemcachedError as error:
            ctx.log.error(f"Memcached error: {error}")
            raise ServiceException(MEMCACHED_ERROR, str(error)) from error
        if cached is not None:
            return int(cached)
        row = await self._stored_user(ctx, username)
        try:
            await self._cache.set(ctx, set_span, key, str(row["user_id"]))
        except MemcachedError as error:
            ctx.log.warning(f"Failed to set user_id of {username} to Memcached: {error}")
        return row["user_id"]

    async def _stored_user(self, ctx: Context, username: str) -> Any:
        try:
            row = await self._users.find_one(ctx, "user_mongo_find_client", FIND, username)
        except MongoError as error:
            ctx.log.error(f"MongoDB error: {error}")
            raise ServiceException(MONGODB_ERROR, str(error)) from error
        if row is None:
            ctx.log.error(f"User: {username} is not registered")
            raise ServiceException(UNAUTHORIZED, f"User: {username} is not registered")
        return row

    @method("Login", span="login_server")
    async def login(self, ctx: Context, req_id: int, username: str, password: str) -> str:
        """A login token; a wrong password and an unknown user are declared failures."""
        ctx.log.info(f"Received Login request [req_id={req_id}, username={username}]")
        cached = await self._cached_login(ctx, username)
        if cached is None:
            row = await self._stored_user(ctx, username)
            known = {"password": row["password"], "salt": row["salt"], "user_id": row["user_id"]}
        else:
            known = cached
        if not hmac.compare_digest(password_hash(password, known["salt"]), known["password"]):
            ctx.log.error(f"Incorrect username or password [req_id={req_id}]")
            raise ServiceException(UNAUTHORIZED, "Incorrect username or password")
        if cached is None:
            await self._cache_login(ctx, username, known)
        token = tokens.issue(known["user_id"], username, int(time.time()))
        ctx.log.info(f"Login completed [req_id={req_id}, username={username}]")
        return token

    async def _cached_login(self, ctx: Context, username: str) -> dict[str, Any] | None:
        try:
            value = await self._cache.get(ctx, "user_mmc_get_client", f"{username}:login")
        except MemcachedError as error:
            ctx.log.warning(f"Memcached error: {error}")
            return None
        if value is None:
            return None
        return orjson.loads(value)

    async def _cache_login(self, ctx: Context, username: str, known: dict[str, Any]) -> None:
        try:
            await self._cache.set(ctx, "user_mmc_set_client", f"{username}:login", orjson.dumps(known).decode())
        except MemcachedError as error:
            ctx.log.warning(f"Failed to set login of {username} to Memcached: {error}")


def password_hash(password: str, salt: str) -> str:
    """Hex sha256 of password and salt, one after the other."""
    return hashlib.sha256((password + salt).encode()).hexdigest()


SERVICE = UserHandler
