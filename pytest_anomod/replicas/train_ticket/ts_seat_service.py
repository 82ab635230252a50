"""ts-seat-service: seat numbers and left tickets."""

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import SEAT
from .envelope import Envelope, ok
from .rail import Row, index_of, line_of

PROPORTION = "DirectTicketAllocationProportion"


class SeatService(Backend):
    """Has no table of its own; the orders say which seats are sold."""

    base = "/api/v1/seatservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Seat Service ] !")

    @endpoint("POST", "/seats", body=SEAT)
    async def create(self, call: Call, wanted: Row) -> Envelope:
        """A seat: one that is free again when the client boards, else any that is not sold."""
        sold = await self._sold_tickets(call, wanted)
        seat = self.random.randint(1, wanted["totalNum"])
        ticket = {"seatNo": seat, "startStation": wanted["startStation"], "destStation": wanted["destStation"]}
        if sold is None:
            return ok("Use a new seat number!", ticket)
        for each in sold:
            if _free_again(each, wanted):
                return ok("Use the previous distributed seat number!", ticket | {"seatNo": each["seatNo"]})
        return ok("Use a new seat number!", ticket | {"seatNo": self._unsold(seat, sold, wanted["totalNum"])})

    @endpoint("POST", "/seats/left_tickets", body=SEAT)
    async def get_left_ticket_of_interval(self, call: Call, wanted: Row) -> Envelope:
        """How many seats are left: those never sold of the share this kind of trip has, and those free again."""
        sold = await self._sold_tickets(call, wanted)
        tickets = sold or []
        free_again = sum(_free_again(each, wanted) for each in tickets)
        share = await self._direct_proportion(call)
        stations = wanted["stations"]
        if stations[0] != wanted["startStation"] or stations[-1] != wanted["destStation"]:
            share = 1.0 - share
        unused = int(wanted["totalNum"] * share) - len(tickets)
        return ok("Get Left Ticket of Internal Success", free_again + unused)

    async def _sold_tickets(self, call: Call, wanted: Row) -> list[Row] | None:
        """The sold tickets of a train on a day, None when there are none."""
        line = line_of(wanted["trainNumber"])
        answer = await call.post(line.orders, f"{line.order}/tickets", body=wanted)
        return None if answer["data"] is None else answer["data"]["soldTickets"]

    async def _direct_proportion(self, call: Call) -> float:
        """The share of seats kept for clients who go all the way."""
        answer = await call.get("ts-config-service", "/api/v1/configservice/configs/{name}", PROPORTION)
        return float(answer["data"]["value"])

    def _unsold(self, seat: int, sold: list[Row], total: int) -> int:
        taken = {each["seatNo"] for each in sold}
        if len(taken) >= total:
            raise ValueError(f"all {total} seats are sold")  # the original would look for ever
        while seat in taken:
            seat = self.random.randint(1, total)
        return seat


def _free_again(ticket: Row, wanted: Row) -> bool:
    """Whether the owner of a sold ticket leaves before the client boards."""
    stations = wanted["stations"]
    return index_of(stations, ticket["destStation"]) < index_of(stations, wanted["startStation"])


SERVICE = SeatService
