"""ts-consign-price-service: what luggage costs, by the one price rule there is."""

from typing import Any

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import java_double
from .entities import CONSIGN_PRICE, CONSIGN_PRICES
from .envelope import Envelope, ok

Row = dict[str, Any]


class ConsignPriceService(Backend):
    """The rule is the row of index 0."""

    base = "/api/v1/consignpriceservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ ConsignPrice Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.prices = self.repository(CONSIGN_PRICES)
        await super().start()

    @endpoint("GET", "/consignprice/{weight:number}/{within:flag}")
    async def get_price_by_weight_and_region(self, call: Call, weight: float, within: bool) -> Envelope:
        """The price of a weight, within the region or beyond it."""
        rule = await self._rule(call)
        if weight <= rule["initialWeight"]:
            return ok("Success", rule["initialPrice"])
        rate = rule["withinPrice"] if within else rule["beyondPrice"]
        return ok("Success", rule["initialPrice"] + (weight - rule["initialWeight"]) * rate)

    @endpoint("GET", "/consignprice/price")
    async def get_price_info(self, call: Call) -> Envelope:
        """The rule as a sentence."""
        rule = await self._rule(call)
        weight, price, within, beyond = (
            java_double(rule[name]) for name in ("initialWeight", "initialPrice", "withinPrice", "beyondPrice")
        )
        return ok(
            "Success",
            f"The price of weight within {weight} is {price}. The price of extra weight within the region is {within} "
            f"and beyond the region is {beyond}\n",
        )

    @endpoint("GET", "/consignprice/config")
    async def get_price_config(self, call: Call) -> Envelope:
        """The rule."""
        return ok("Success", await self.prices.one(call, index=0))

    @endpoint("POST", "/consignprice", body=CONSIGN_PRICE)
    async def create_and_modify_price(self, call: Call, rule: Row) -> Envelope:
        """Another rule in place of the one there is."""
        known = await self.prices.one(call, index=0)
        rule |= {"id": known["id"] if known else None, "index": 0}
        return ok("Success", await self.prices.save(call, rule))

    async def _rule(self, call: Call) -> Row:
        rule = await self.prices.one(call, index=0)
        if rule is None:
            raise LookupError("there is no price rule")
        return rule


SERVICE = ConsignPriceService
