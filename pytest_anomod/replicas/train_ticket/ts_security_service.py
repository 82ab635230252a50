"""ts-security-service: how many orders an account may have, against ticket touts."""

from typing import Any
from uuid import uuid4

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import now
from .entities import SECURITY_CONFIG, SECURITY_CONFIGS
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]

ORDERS = ("ts-order-service", "/api/v1/orderservice/order/security/{checkDate}/{accountId}")
ORDERS_OTHER = ("ts-order-other-service", "/api/v1/orderOtherService/orderOther/security/{checkDate}/{accountId}")


class SecurityService(Backend):
    """Limits by name, and the check of an account against two of them."""

    base = "/api/v1/securityservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "welcome to [Security Service]")

    async def start(self) -> None:
        """Name the table."""
        self.configs = self.repository(SECURITY_CONFIGS)
        await super().start()

    @endpoint("GET", "/securityConfigs")
    async def find_all_security_config(self, call: Call) -> Envelope:
        """Every limit."""
        return found(await self.configs.find(call), "Success", "No Content")

    @endpoint("POST", "/securityConfigs", body=SECURITY_CONFIG)
    async def create(self, call: Call, config: Row) -> Envelope:
        """A new limit; a known name is refused. The id in the answer is not the one that is stored."""
        if await self.configs.one(call, name=config["name"]) is not None:
            return refused("Security Config Already Exist")
        await self.configs.insert(call, config)
        return ok("Success", {**config, "id": str(uuid4())})

    @endpoint("PUT", "/securityConfigs", body=SECURITY_CONFIG)
    async def update(self, call: Call, config: Row) -> Envelope:
        """Another name, value and description for a known id."""
        if await self.configs.get(call, config["id"]) is None:
            return refused("Security Config Not Exist")
        await self.configs.update(call, config)
        return ok("Success", config)

    @endpoint("DELETE", "/securityConfigs/{config_id}")
    async def delete(self, call: Call, config_id: str) -> Envelope:
        """Delete one; an unknown id is an exception of the repository."""
        if not await self.configs.delete(call, id=config_id):
            raise LookupError(f"No class security.entity.SecurityConfig entity with id {config_id} exists!")
        return ok("Success", config_id)

    @endpoint("GET", "/securityConfigs/{account_id}")
    async def check(self, call: Call, account_id: str) -> Envelope:
        """Whether an account may order more: its orders of the last hour and its valid ones, of both order services."""
        # a date in the text of Java's Date, which the order services cannot read: they then count every order
        date = f"{now():%a %b %d %H:%M:%S} CST {now():%Y}"
        orders = (await call.get(*ORDERS, date, account_id))["data"]
        others = (await call.get(*ORDERS_OTHER, date, account_id))["data"]
        recent = orders["orderNumInLastOneHour"] + others["orderNumInLastOneHour"]
        valid = orders["orderNumOfValidOrder"] + others["orderNumOfValidOrder"]
        recent_limit = await self._limit(call, "max_order_1_hour")
        valid_limit = await self._limit(call, "max_order_not_use")
        if recent > recent_limit or valid > valid_limit:
            return refused("Too much order in last one hour or too much valid order", account_id)
        return ok("Success.r", account_id)

    async def _limit(self, call: Call, name: str) -> int:
        config = await self.configs.one(call, name=name)
        if config is None:
            raise LookupError(f"the limit {name} is not configured")
        return int(config["value"])


SERVICE = SecurityService
