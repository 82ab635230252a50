"""Who plays the journeys of TrainTicket: passengers who come and go, an administrator, their logins and requests.

Passengers are kept in the state of the workload. A new one signs up now and then and the one who came first leaves, so
that nobody's list of orders grows without end and the traffic looks the same at any time.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import string
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client

PASSENGERS = 8
"""How many passengers take turns once so many have signed up."""

LOGIN_SHARE = 0.1
"""Which share of journeys begins with a new login although the last one is still good."""

T = TypeVar("T")


@dataclasses.dataclass(slots=True, kw_only=True)
class User:
    """One who can log in; `token` is empty when he has to before he does anything else."""

    name: str
    password: str
    user_id: str = ""
    token: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """All users of a workload: those of the seed data, and the passengers that signed up last."""

    first: User
    admin: User
    passengers: collections.deque[User]


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """A logged-in user in a journey; the token is that of its begin, whatever the user's other journeys do."""

    client: Client
    user: User
    token: str

    async def get(self, route: str, **values: str) -> dict[str, Any] | None:
        """GET of a path made from its template; see `ask`."""
        return await self.ask("GET", route, **values)

    async def ask(self, method: str, route: str, body: Any = None, **values: str) -> dict[str, Any] | None:
        """The answer's envelope, asked for with the user's token; None when nothing came, or an error or refusal.

        A token that is no longer accepted (403) is dropped: the user's next journey begins with a login.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        path = route.format(**values)
        response = await self.client.request(method, path, route=route, json=body, headers=headers)
        if response.status == 403 and self.user.token == self.token:
            self.user.token = ""
        return granted(response.body) if response.ok else None


def granted(body: bytes) -> dict[str, Any] | None:
    """The envelope of an answer: status, msg and data; None when there is none or it refuses (status 0)."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("status") in (1, 2) else None


def pick(random: Random, choices: Sequence[T]) -> T:
    """One of some; it always takes one number from `random`, so that later draws don't depend on how many there are."""
    return choices[int(random.random() * len(choices))]


async def passenger(client: Client, random: Random) -> Session | None:
    """A logged-in passenger; None when he could not log in."""
    users = _users(client)
    chosen = pick(random, users.passengers or (users.first,))
    return await _logged_in(client, random, chosen)


async def administrator(client: Client, random: Random) -> Session | None:
    """The administrator, logged in; None when that failed."""
    return await _logged_in(client, random, _users(client).admin)


async def sign_up(client: Client, random: Random) -> None:
    """A new passenger with a person to travel, every second one with money in his account; he stays for a while."""
    user = User(name=f"passenger_{random.getrandbits(32):08x}", password=f"{random.randrange(10**6):06d}")
    has_money = random.random() < 0.5
    profile = {
        "userId": "",
        "userName": user.name,
        "password": user.password,
        "gender": random.randint(1, 2),
        "documentType": 1,
        "documentNum": _digits(random, 14),
        "email": f"{user.name}@example.com",
    }
    # a taken name is his own, from a workload with the same seed before this one: then the login will do
    await client.request("POST", "/api/v1/userservice/users/register", json=profile)
    if not await log_in(client, random, user):
        return
    session = Session(client, user, user.token)
    if await add_contact(session, random) is None and not await contacts(session):
        return
    if has_money:
        account = {"userId": user.user_id, "money": "1000000"}
        await session.ask("POST", "/api/v1/inside_pay_service/inside_payment/account", account)
    _users(client).passengers.append(user)


async def contacts(session: Session) -> list[dict[str, Any]]:
    """Those the user books for."""
    route = "/api/v1/contactservice/contacts/account/{user_id}"
    return (await session.get(route, user_id=session.user.user_id) or {}).get("data") or []


async def add_contact(session: Session, random: Random) -> dict[str, Any] | None:
    """One more person to travel; None when that failed."""
    contact = {
        "accountId": session.user.user_id,
        "name": f"Contacts_{_digits(random, 4)}",
        "documentType": 1,
        "documentNumber": f"DocumentNumber_{_digits(random, 10)}",
        "phoneNumber": _digits(random, 11),
    }
    return await session.ask("POST", "/api/v1/contactservice/contacts", contact)


async def log_in(client: Client, random: Random, user: User) -> bool:
    """Log in as the page does, with the letters of a picture; False when it failed, then an old token stays."""
    code = "".join(random.choices(string.ascii_uppercase, k=4))
    await client.request("GET", "/api/v1/verifycode/generate")
    login = {"username": user.name, "password": user.password, "verificationCode": code}
    response = await client.request("POST", "/api/v1/users/login", json=login)
    answer = granted(response.body) if response.ok else None
    account = (answer or {}).get("data") or {}
    if not account.get("token"):
        return False
    user.user_id, user.token = account["userId"], account["token"]
    return True


async def _logged_in(client: Client, random: Random, user: User) -> Session | None:
    again = random.random() < LOGIN_SHARE
    if (again or not user.token) and not await log_in(client, random, user):
        return None
    return Session(client, user, user.token)


def _users(client: Client) -> Users:
    return client.state.setdefault(
        "train_ticket",
        Users(
            first=User(name="fdse_microservice", password="111111"),
            admin=User(name="admin", password="222222"),
            passengers=collections.deque(maxlen=PASSENGERS),
        ),
    )


def _digits(random: Random, count: int) -> str:
    return "".join(random.choices(string.digits, k=count))
