"""ts-preserve-service: book a ticket of a G or D train."""

from . import booking
from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import TICKETS_INFO
from .envelope import Envelope, ok, refused
from .rail import FAST, SECOND_CLASS, Row


class PreserveService(Backend):
    """Has no table of its own; leads ten other services through a booking."""

    base = "/api/v1/preserveservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Preserve Service ] !")

    @endpoint("POST", "/preserve", body=TICKETS_INFO)
    async def preserve(self, call: Call, wanted: Row) -> Envelope:
        """Book a ticket and, where wanted, insurance, food and luggage with it; the first refusal ends the work."""
        security = await self.check_security(call, wanted["accountId"])
        if security["status"] == 0:
            return refused(security["msg"])
        contact = await self.contact(call, wanted["contactsId"])
        if contact["status"] == 0:
            return refused(contact["msg"])
        detail = await self.trip_detail(call, wanted)
        trip_detail = detail["data"]
        if detail["status"] == 0:
            return refused(detail["msg"])
        shortage = self.shortage(wanted, trip_detail["tripResponse"])
        if shortage is not None:
            return refused(shortage)
        travel = await self.travel(call, wanted, trip_detail["trip"])
        if travel["status"] == 0:
            return refused(travel["msg"])
        ticket = await self.dispatch_seat(call, wanted, travel["data"])
        order = booking.new_order(wanted, contact["data"], trip_detail["tripResponse"], travel["data"], ticket)
        created = await self.create_order(call, order)
        if created["status"] == 0:
            return refused(created["msg"])
        msg = await self.extras(call, wanted, created["data"])
        await self.notify(call, created["data"])
        return ok(msg, created["msg"])

    async def check_security(self, call: Call, account_id: str | None) -> Envelope:
        """Whether the account has not ordered too much."""
        path = "/api/v1/securityservice/securityConfigs/{accountId}"
        return await call.get("ts-security-service", path, account_id)

    async def contact(self, call: Call, contact_id: str | None) -> Envelope:
        """Who travels."""
        return await call.get("ts-contacts-service", "/api/v1/contactservice/contacts/{contactsId}", contact_id)

    async def trip_detail(self, call: Call, wanted: Row) -> Envelope:
        """The trip and what is left of it."""
        question = booking.detail_question(wanted)
        return await call.post(FAST.travel, f"{FAST.trips}/trip_detail", body=question)

    def shortage(self, wanted: Row, offer: Row) -> str | None:
        """Why there is no seat, None when there is one; the test for second class never holds in practice."""
        if booking.first_class(wanted):
            return "Seat Not Enough" if offer["confortClass"] == 0 else None
        if offer["economyClass"] == SECOND_CLASS and offer["confortClass"] == 0:
            return "Seat Not Enough"
        return None

    async def travel(self, call: Call, wanted: Row, trip: Row) -> Envelope:
        """Route, train type and prices."""
        question = booking.travel_question(wanted, trip)
        return await call.post("ts-basic-service", "/api/v1/basicservice/basic/travel", body=question)

    async def dispatch_seat(self, call: Call, wanted: Row, travel: Row) -> Row:
        """A seat of the wanted class."""
        question = booking.seat_question(wanted, travel)
        answer = await call.post("ts-seat-service", "/api/v1/seatservice/seats", body=question)
        return answer["data"]

    async def create_order(self, call: Call, order: Row) -> Envelope:
        """Store the order."""
        return await call.post(FAST.orders, FAST.order, body=order)

    async def extras(self, call: Call, wanted: Row, order: Row) -> str:
        """Buy what goes with the ticket; says what of it failed last, which does not undo the booking."""
        msg = "Success."
        if wanted["assurance"] != 0 and not await self.add_assurance(call, wanted["assurance"], order["id"]):
            msg = "Success.But Buy Assurance Fail."
        if wanted["foodType"] != 0 and not await self.create_food_order(call, wanted, order):
            msg = "Success.But Buy Food Fail."
        if wanted["consigneeName"] and not await self.create_consign(call, wanted, order):
            msg = "Consign Fail."
        return msg

    async def add_assurance(self, call: Call, kind: int, order_id: str) -> bool:
        """Insure an order."""
        path = "/api/v1/assuranceservice/assurances/{typeIndex}/{orderId}"
        answer = await call.get("ts-assurance-service", path, kind, order_id)
        return answer["status"] == 1

    async def create_food_order(self, call: Call, wanted: Row, order: Row) -> bool:
        """Order food for the way."""
        food = booking.food_order(wanted, order)
        answer = await call.post("ts-food-service", "/api/v1/foodservice/orders", body=food)
        return answer["status"] == 1

    async def create_consign(self, call: Call, wanted: Row, order: Row) -> bool:
        """Send luggage."""
        luggage = booking.consignment(wanted, order)
        answer = await call.post("ts-consign-service", "/api/v1/consignservice/consigns", body=luggage)
        return answer["status"] == 1

    async def notify(self, call: Call, order: Row) -> None:
        """Make the mail for the account's owner, who must exist; sending it is switched off."""
        answer = await call.get("ts-user-service", "/api/v1/userservice/users/id/{userId}", order["accountId"])
        notice = booking.notice(order, answer["data"])
        call.log.info(f"[preserve][order {notice['orderNumber']} of {notice['username']}][mail is switched off]")


SERVICE = PreserveService
