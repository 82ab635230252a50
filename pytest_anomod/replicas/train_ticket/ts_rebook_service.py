"""ts-rebook-service: change a paid ticket."""

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import now, now_text, parse
from .entities import COMMON_ORDER, REBOOK_INFO, SEAT
from .envelope import Envelope, ok, refused
from .money import amount, less
from .rail import CHANGED, FIRST_CLASS, PAID, SECOND_CLASS, Row, is_fast, line_of

TOO_LATE = "You can only change the ticket before the train start or within 2 hours after the train start."
GRACE_HOURS = 2


class RebookService(Backend):
    """Has no table of its own; changes orders, and moves money when the price is another one."""

    base = "/api/v1/rebookservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Rebook Service ] !")

    @endpoint("POST", "/rebook", body=REBOOK_INFO)
    async def rebook(self, call: Call, info: Row) -> Envelope:
        """Change the train of a paid order; a dearer one has to be paid for first (status 2)."""
        found_order = await self.order(call, info)
        if found_order["status"] != 1:
            return refused("order not found")
        order = COMMON_ORDER.read(found_order["data"]) or {}
        if order["status"] != PAID:
            return refused("you order not suitable to rebook!")
        if not in_time(order["travelDate"], order["travelTime"]):
            return refused(TOO_LATE)
        detail = await self.trip_detail(call, order, info)
        if detail["status"] == 0:
            return refused(detail["msg"])
        if sold_out(info, detail["data"]["tripResponse"]):
            return refused("Seat Not Enough")
        return await self.settle(call, order, info, detail["data"])

    @endpoint("POST", "/rebook/difference", body=REBOOK_INFO)
    async def pay_difference(self, call: Call, info: Row) -> Envelope:
        """Pay the difference and change the train."""
        found_order = await self.order(call, info)
        if found_order["status"] == 0:
            return refused(found_order["msg"])
        order = COMMON_ORDER.read(found_order["data"]) or {}
        detail = (await self.trip_detail(call, order, info))["data"]
        price = new_price(info, detail["tripResponse"])
        difference = less(amount(price), amount(order["price"]))
        if not await self.pay(call, info, str(difference)):
            return refused("Can't pay the difference,please try again")
        return await self.update_order(call, order, info, detail, price)

    async def settle(self, call: Call, order: Row, info: Row, detail: Row) -> Envelope:
        """Compare the prices: give back what is too much, or say what is missing."""
        price = new_price(info, detail["tripResponse"])
        old, new = amount(order["price"]), amount(price)
        if old > new:
            if not await self.draw_back(call, info["loginId"], str(less(old, new))):
                return refused("Can't draw back the difference money, please try again!")
            return await self.update_order(call, order, info, detail, price)
        if old == new:
            return await self.update_order(call, order, info, detail, price)
        missing = COMMON_ORDER.new(differenceMoney=str(less(new, old)))
        return {"status": 2, "msg": "Please pay the different money!", "data": missing}

    async def update_order(self, call: Call, order: Row, info: Row, detail: Row, price: str) -> Envelope:
        """Make it an order of the new train."""
        old_number, new_number = order["trainNumber"], info["tripId"]
        first = info["seatType"] == FIRST_CLASS
        order |= {
            "trainNumber": new_number,
            "boughtDate": now_text(),
            "status": CHANGED,
            "price": price,
            "travelDate": info["date"],
            "travelTime": detail["tripResponse"]["startTime"],
            "seatClass": FIRST_CLASS if first else SECOND_CLASS,
        }
        order["seatNumber"] = str(await self.seat(call, order, detail["trip"]))
        if is_fast(old_number) != is_fast(new_number):
            return await self.move(call, order, old_number)
        line = line_of(new_number)
        changed = await call.put(line.orders, line.order, body=order)
        return ok("Success!", order) if changed["status"] == 1 else refused("Can't update Order!")

    async def move(self, call: Call, order: Row, old_number: str) -> Envelope:
        """Take an order to the other line; the original deletes with the wrong verb, so that it ends there (405)."""
        old, new = line_of(old_number), line_of(order["trainNumber"])
        await call.exchange("POST", old.orders, f"{old.order}/{{orderId}}", order["id"])
        await call.post(new.orders, new.order, body=order)
        return ok("Success", order)

    async def order(self, call: Call, info: Row) -> Envelope:
        """The order to be changed."""
        line = line_of(info["oldTripId"])
        return await call.get(line.orders, f"{line.order}/{{orderId}}", info["orderId"])

    async def trip_detail(self, call: Call, order: Row, info: Row) -> Envelope:
        """The new trip between the places of the order, which stay."""
        line = line_of(info["tripId"])
        question = {
            "tripId": info["tripId"],
            "travelDate": info["date"],
            "from": order["from"],
            "to": order["to"],
        }
        return await call.post(line.travel, f"{line.trips}/trip_detail", body=question)

    async def seat(self, call: Call, order: Row, trip: Row) -> int:
        """A seat on the new train."""
        route = await call.get("ts-route-service", "/api/v1/routeservice/routes/{routeId}", trip["routeId"])
        path = "/api/v1/trainservice/trains/byName/{name}"
        train_type = (await call.get("ts-train-service", path, trip["trainTypeName"]))["data"]
        first = order["seatClass"] == FIRST_CLASS
        question = SEAT.new(
            travelDate=order["travelDate"],
            trainNumber=order["trainNumber"],
            startStation=order["from"],
            destStation=order["to"],
            seatType=order["seatClass"],
            totalNum=train_type["confortClass"] if first else train_type["economyClass"],
            stations=route["data"]["stations"],
        )
        return (await call.post("ts-seat-service", "/api/v1/seatservice/seats", body=question))["data"]["seatNo"]

    async def draw_back(self, call: Call, user_id: str | None, money: str) -> bool:
        """Give money to an account."""
        path = "/api/v1/inside_pay_service/inside_payment/drawback/{userId}/{money}"
        answer = await call.get("ts-inside-payment-service", path, user_id, money)
        return answer["status"] == 1

    async def pay(self, call: Call, info: Row, money: str) -> bool:
        """Take money from an account."""
        payment = {
            "orderId": info["orderId"],
            "tripId": info["tripId"],
            "userId": info["loginId"],
            "price": money,
        }
        path = "/api/v1/inside_pay_service/inside_payment/difference"
        answer = await call.post("ts-inside-payment-service", path, body=payment)
        return answer["status"] == 1


def in_time(travel_date: str, travel_time: str) -> bool:
    """Whether a train leaves on a later day, or on this one and left no longer than two hours ago."""
    present, date, time = now(), parse(travel_date), parse(travel_time)
    if present.date() != date.date():
        return present.date() < date.date()
    return (present.hour, present.minute) <= (time.hour + GRACE_HOURS, time.minute)


def sold_out(info: Row, offer: Row) -> bool:
    """Whether the new train has no seat; the test for second class never holds in practice."""
    if info["seatType"] == FIRST_CLASS:
        return offer["confortClass"] <= 0
    return offer["economyClass"] == SECOND_CLASS and offer["confortClass"] <= 0


def new_price(info: Row, offer: Row) -> str:
    """What the new ticket costs; classes other than the two cost nothing."""
    if info["seatType"] == FIRST_CLASS:
        return offer["priceForConfortClass"]
    if info["seatType"] == SECOND_CLASS:
        return offer["priceForEconomyClass"]
    return "0"


SERVICE = RebookService
