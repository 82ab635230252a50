"""ts-delivery-service: consumer of the queue food_delivery; it has no operations."""

import orjson

from .access import OPEN
from .backend import Backend
from .binding import WrongTypeError
from .calls import Call
from .entities import DELIVERIES, DELIVERY, DELIVERY_ROW
from .messaging import FOOD_DELIVERY, consume


class DeliveryService(Backend):
    """A table of deliveries, filled from the queue."""

    rules = OPEN

    async def start(self) -> None:
        """Name the table and listen to the queue."""
        self.deliveries = self.repository(DELIVERIES)
        self.spawn(consume(self, FOOD_DELIVERY, self.process))
        await super().start()

    async def process(self, call: Call, payload: str) -> None:
        """Store one delivery; what is none is dropped."""
        try:
            delivery = DELIVERY.read(orjson.loads(payload))
        except (ValueError, WrongTypeError) as error:
            call.log.error(f"[json2Object][{payload:.200}][{error}]")
            return
        if delivery is None:
            call.log.error("[process][Receive null delivery object]")
            return
        stored = await self.deliveries.insert(call, DELIVERY_ROW.new(**delivery))
        call.log.info(f"[process][Save delivery object into database success][{stored['id']}]")


SERVICE = DeliveryService
