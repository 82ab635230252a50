"""ts-admin-user-service: users for administrators."""

from typing import Any

from .access import ADMINS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import USER_DTO
from .envelope import Envelope, refused

Row = dict[str, Any]

USERS = ("ts-user-service", "/api/v1/userservice/users")


class AdminUserService(Backend):
    """Passes on to the user service and has its own words for what that refuses."""

    base = "/api/v1/adminuserservice/users"
    rules = ADMINS
    welcome = welcome("/welcome", "Welcome to [ AdminUser Service ] !")

    @endpoint("GET", "")
    async def get_all_users(self, call: Call) -> Envelope:
        """Every user."""
        return _or_refused(await call.get(*USERS), "get all users error")

    @endpoint("PUT", "", body=USER_DTO)
    async def update_user(self, call: Call, user: Row) -> Envelope:
        """Write over a user."""
        return _or_refused(await call.put(*USERS, body=user), "Update user error")

    @endpoint("POST", "", body=USER_DTO)
    async def add_user(self, call: Call, user: Row) -> Envelope:
        """A new user with an account."""
        peer, path = USERS
        return _or_refused(await call.post(peer, f"{path}/register", body=user), "Add user error")

    @endpoint("DELETE", "/{user_id}")
    async def delete_user(self, call: Call, user_id: str) -> Envelope:
        """Delete a user with the account."""
        peer, path = USERS
        return _or_refused(await call.delete(peer, f"{path}/{{userId}}", user_id), "delete user error")


def _or_refused(answer: Envelope, msg: str) -> Envelope:
    return answer if answer["status"] == 1 else refused(msg)


SERVICE = AdminUserService
