"""ts-voucher-service: reimbursement vouchers."""

import asyncio

from .access import OPEN
from .backend import Backend, endpoint
from .binding import INT, TEXT, Entity, Field
from .calls import Call
from .entities import VOUCHER, VOUCHERS
from .rail import FAST, OTHER, Row

VOUCHER_REQUEST = Entity("VoucherRequest", Field("orderId", TEXT), Field("type", INT))
HIDDEN = ("travelTime", "seatClass")
OTHER_LINE = 0


class VoucherService(Backend):
    """A table of vouchers, one an order, made when it is asked for first."""

    rules = OPEN

    async def start(self) -> None:
        """Name the table; vouchers are numbered one after the other."""
        self.vouchers = self.repository(VOUCHERS)
        self.numbering = asyncio.Lock()
        await super().start()

    @endpoint("POST", "/getVoucher", body=VOUCHER_REQUEST)
    async def get_voucher(self, call: Call, wanted: Row) -> Row:
        """The voucher of an order; an unknown order is a 500."""
        voucher = await self.vouchers.one(call, order_id=wanted["orderId"])
        if voucher is None:
            line = OTHER if wanted["type"] == OTHER_LINE else FAST
            answer = await call.get(line.orders, f"{line.order}/{{orderId}}", wanted["orderId"])
            voucher = await self.create(call, wanted["orderId"], answer["data"])
        return {name: value for name, value in voucher.items() if name not in HIDDEN}

    async def create(self, call: Call, order_id: str, order: Row) -> Row:
        """Store a new voucher under the next number."""
        voucher = VOUCHER.new(
            order_id=order_id,
            travelDate=order["travelDate"],
            travelTime=order["travelTime"],
            contactName=order["contactsName"],
            train_number=order["trainNumber"],
            seatClass=order["seatClass"],
            seat_number=order["seatNumber"],
            start_station=order["from"],
            dest_station=order["to"],
            price=float(order["price"]),
        )
        async with self.numbering:
            known = await self.vouchers.find(call)
            voucher["voucher_id"] = max((each["voucher_id"] for each in known), default=0) + 1
            return await self.vouchers.insert(call, voucher)


SERVICE = VoucherService
