"""The users of TrainTicket's journeys: passengers who sign up and leave, an administrator, their logins and requests.

Passengers are kept in the state of the workload: few, who go after some journeys each while new ones sign up, so
that nobody's list of orders grows without end and the traffic looks the same at any time, from the first seconds on.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import string
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client

PASSENGERS = 3
"""How many passengers take turns; whoever comes while there are fewer is a new one."""

JOURNEYS = 12
"""How many journeys a passenger makes, half of which are bookings; the first ones make fewer, and so leave in turns."""

LOGIN_SHARE = 0.1
"""Which share of journeys begins with a new login although the last one is still good."""

T = TypeVar("T")


@dataclasses.dataclass(slots=True, kw_only=True)
class User:
    """A user with an account; `token` is empty before the login."""

    name: str
    password: str
    user_id: str = ""
    token: str = ""
    journeys_left: int = JOURNEYS

    @property
    def group(self) -> str:
        """Which of two groups the user is in, so that a fault can be for one of them: "alpha" or "beta"."""
        return ("alpha", "beta")[self.name[-1] in "13579bdf"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """All users of a workload: the administrator of the seed data, and the passengers; `came` counts these."""

    admin: User
    passengers: collections.deque[User]
    came: itertools.count[int]


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
        headers = {"Authorization": f"Bearer {self.token}", "X-Group": self.user.group}
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
    """A logged-in passenger, a new one if there are too few; None when he could not sign up or log in."""
    users = _users(client)
    if len(users.passengers) < PASSENGERS:
        return await _signed_up(client, random)
    chosen = pick(random, users.passengers)
    chosen.journeys_left -= 1
    if chosen.journeys_left <= 0:
        users.passengers.remove(chosen)
    return await _logged_in(client, random, chosen)


async def administrator(client: Client, random: Random) -> Session | None:
    """The administrator, logged in; None when that failed."""
    return await _logged_in(client, random, _users(client).admin)


async def sign_up(client: Client, random: Random) -> None:
    """A new passenger; the one who came first of the others leaves."""
    await _signed_up(client, random)


async def _signed_up(client: Client, random: Random) -> Session | None:
    """A new passenger with two persons to travel; None when he could not sign up.

    Every second one has money in his account; two are in one group, the next two in the other. The few passengers of a
    window are then never all alike. Drawn by lot they often were, and those of the next window were different.
    """
    users = _users(client)
    number = next(users.came)
    has_money, group = number % 2 == 0, number // 2 % 2
    name = f"passenger_{random.getrandbits(31) * 2 + group:08x}"
    user = User(name=name, password=f"{random.randrange(10**6):06d}")
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
        return None
    session = Session(client, user, user.token)
    added = [await add_contact(session, random) for _ in range(2)]
    if None in added and not await contacts(session):
        return None
    if has_money:
        account = {"userId": user.user_id, "money": "1000000"}
        await session.ask("POST", "/api/v1/inside_pay_service/inside_payment/account", account)
    user.journeys_left = min(JOURNEYS, (number + 1) * JOURNEYS // PASSENGERS)
    users.passengers.append(user)
    return session


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
            admin=User(name="admin", password="222222"),
            passengers=collections.deque(maxlen=PASSENGERS),
            came=itertools.count(),
        ),
    )


def _digits(random: Random, count: int) -> str:
    return "".join(random.choices(string.digits, k=count))
