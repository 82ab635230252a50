"""ts-auth-service: accounts with roles, login, and the tokens that every service checks."""

from typing import Any

from . import passwords
from .access import ADMIN, USER, everyone, issue, only
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import AUTH_DTO, AUTH_USERS, LOGIN
from .envelope import Envelope, ok, refused

Row = dict[str, Any]

VERIFICATION = "ts-verification-code-service"


class AuthService(Backend):
    """Accounts by user id; names are unique only by what the user service does."""

    base = "/api/v1"
    rules = (
        everyone("/auth"),
        everyone("/auth/hello"),
        everyone("/user/hello"),
        everyone("/users/login", "POST"),
        only(ADMIN, "/users", "GET"),
        only(ADMIN, "/users/**", "DELETE"),
    )
    hello = welcome("/auth/hello", "hello")
    users_hello = welcome("/users/hello", "Hello")

    async def start(self) -> None:
        """Name the table."""
        self.accounts = self.repository(AUTH_USERS)
        await super().start()

    @endpoint("POST", "/auth", body=AUTH_DTO, status=201)
    async def create_default_user(self, call: Call, account: Row) -> Envelope:
        """A user's account, over the one with the same id; the answer is what was sent."""
        await self.accounts.save(
            call,
            {
                "userId": account["userId"],
                "username": account["userName"],
                "password": passwords.encode(account["password"] or ""),
                "roles": [USER],
            },
        )
        return ok("SUCCESS", account)

    @endpoint("POST", "/users/login", body=LOGIN)
    async def get_token(self, call: Call, login: Row) -> Envelope:
        """A token for a name and password; a verification code is checked when there is one."""
        if login["verificationCode"] and not await self._verified(call, login["verificationCode"]):
            return refused("Verification failed.")
        accounts = await self.accounts.find(call, username=login["username"])
        if len(accounts) != 1 or not passwords.matches(login["password"] or "", accounts[0]["password"]):
            return refused("Incorrect username or password.")
        account = accounts[0]
        token = issue(account["userId"], account["username"], account["roles"])
        call.log.info(f"[get_token][success][username: {account['username']}]")
        return ok("login success", {"userId": account["userId"], "username": account["username"], "token": token})

    async def _verified(self, call: Call, code: str) -> bool:
        return await call.get(VERIFICATION, "/api/v1/verifycode/verify/{verifyCode}", code)

    @endpoint("GET", "/users")
    async def get_all_user(self, call: Call) -> list[Row]:
        """Every account, as a bare list."""
        return [_shown(account) for account in await self.accounts.find(call)]

    @endpoint("DELETE", "/users/{user_id}")
    async def delete_user_by_id(self, call: Call, user_id: str) -> Envelope:
        """Delete an account; one that is not there is as good as deleted."""
        await self.accounts.delete(call, userId=user_id)
        return ok("DELETE USER SUCCESS")


def _shown(account: Row) -> Row:
    return {
        **account,
        "authorities": [{"authority": role} for role in account["roles"] or ()],
        "enabled": True,
        "accountNonExpired": True,
        "accountNonLocked": True,
        "credentialsNonExpired": True,
    }


SERVICE = AuthService
