"""ts-user-service: profiles of users; accounts are kept beside them by the auth service."""

from typing import Any
from uuid import uuid4

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import USER_DTO, USERS
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]

AUTH = "ts-auth-service"


class UserService(Backend):
    """Profiles by user id; a name can be registered once."""

    base = "/api/v1/userservice/users"
    rules = OPEN
    hello = welcome("/hello", "Hello")

    async def start(self) -> None:
        """Name the table."""
        self.users = self.repository(USERS)
        await super().start()

    @endpoint("GET", "")
    async def get_all_user(self, call: Call) -> Envelope:
        """Every profile."""
        return found(await self.users.find(call), "Success", "NO User")

    @endpoint("GET", "/{user_name}")
    async def get_user_by_user_name(self, call: Call, user_name: str) -> Envelope:
        """One by name."""
        return found(await self.users.one(call, userName=user_name), "Find User Success", "No User")

    @endpoint("GET", "/id/{user_id}")
    async def get_user_by_user_id(self, call: Call, user_id: str) -> Envelope:
        """One by id."""
        return found(await self.users.one(call, userId=user_id), "Find User Success", "No User")

    @endpoint("POST", "/register", body=USER_DTO, status=201)
    async def register_user(self, call: Call, user: Row) -> Envelope:
        """A new profile with its account; a taken name is refused."""
        if await self.users.one(call, userName=user["userName"]) is not None:
            return refused("USER HAS ALREADY EXISTS")
        user["userId"] = user["userId"] or str(uuid4())
        account = {name: user[name] for name in ("userId", "userName", "password")}
        await call.post(AUTH, "/api/v1/auth", body=account)
        return ok("REGISTER USER SUCCESS", await self.users.save(call, user))

    @endpoint("PUT", "", body=USER_DTO)
    async def update_user(self, call: Call, user: Row) -> Envelope:
        """Another profile for a known id: the old row goes, a new one comes."""
        if await self.users.one(call, userId=user["userId"]) is None:
            return refused("USER NOT EXISTS")
        await self.users.delete(call, userId=user["userId"])
        return ok("SAVE USER SUCCESS", await self.users.insert(call, user))

    @endpoint("DELETE", "/{user_id}")
    async def delete_user_by_id(self, call: Call, user_id: str) -> Envelope:
        """Delete the account, for which the auth service wants an administrator's token, and then the profile."""
        if await self.users.one(call, userId=user_id) is None:
            return refused("USER NOT EXISTS")
        await call.delete(AUTH, "/api/v1/users/{userId}", user_id)
        await self.users.delete(call, userId=user_id)
        return ok("DELETE SUCCESS")


SERVICE = UserService
