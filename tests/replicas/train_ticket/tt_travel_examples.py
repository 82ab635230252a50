"""Examples for looking for a way: travel, travel2, basic, seats, route plans and travel plans."""

from typing import Any

from tt_basic_examples import at_least
from tt_examples import Example, one, zero
from tt_system import System

T, T2 = "/api/v1/travelservice", "/api/v1/travel2service"
B, S = "/api/v1/basicservice", "/api/v1/seatservice"
R, P = "/api/v1/routeplanservice", "/api/v1/travelplanservice"
DAY, PAST = "2035-03-01", "2020-03-01"
LEFT = 1073741823
SUZHOU_ROUTE = "f3d4d4ef-693b-4456-8eed-59c0d717dd08"
NANJING_ROUTE = "0b23bd3e-876a-4af3-b920-c50a90c90b04"
UNKNOWN_ROUTE = "11111111-1111-4111-8111-111111111111"

_ASKED = {"startPlace": "Shang Hai", "endPlace": "Su Zhou", "departureTime": DAY}
_TO_SHANGHAI = {"startPlace": "nanjing", "endPlace": "shanghai", "departureTime": DAY}
_NEW = {
    "loginId": "x",
    "trainTypeName": "GaoTieOne",
    "routeId": SUZHOU_ROUTE,
    "startStationName": "shanghai",
    "stationsName": "suzhou",
    "terminalStationName": "suzhou",
    "startTime": "2013-05-04 07:00:00",
    "endTime": "2013-05-04 08:00:00",
}
D1345 = {
    "tripId": {"type": "D", "number": "1345"},
    "trainTypeName": "DongCheOne",
    "startStation": "shanghai",
    "terminalStation": "suzhou",
    "startTime": "2013-05-04 07:00:00",
    "endTime": "2013-05-04 07:16:00",
    "economyClass": LEFT,
    "confortClass": LEFT,
    "priceForEconomyClass": "22.5",
    "priceForConfortClass": "50.0",
}
_NO_DETAIL = {"tripResponse": None, "trip": None}
Z1234 = {
    "tripId": {"type": "Z", "number": "1234"},
    "startStation": "shanghai",
    "terminalStation": "nanjing",
    "startTime": "2013-05-04 09:51:52",
    "endTime": "2013-05-04 12:46:52",
    "priceForEconomyClass": "122.49999999999999",  # 350 * 0.35 in doubles
    "priceForConfortClass": "350.0",
}


def _example(verb: str, root: str, path: str, /, **more: Any) -> Example:
    return Example(endpoint=f"{verb} {root}{path}", **more)


def _numbers(*numbers: str) -> Any:
    """Rows with trips of these numbers, in this order."""

    def same(rows: list[dict[str, Any]]) -> bool:
        return [row["tripId"]["type"] + row["tripId"]["number"] for row in rows] == list(numbers)

    return same


def _lists_of(*numbers: tuple[str, ...]) -> Any:
    def same(lists: list[list[dict[str, Any]]]) -> bool:
        return all(_numbers(*wanted)(rows) for wanted, rows in zip(numbers, lists, strict=True))

    return same


def _detail(number: str, start: str, end: str, date: str | None = DAY) -> dict[str, Any]:
    return {"tripId": number, "travelDate": date, "from": start, "to": end}


_TRAVEL = (
    _example("GET", T, "/welcome", wanted="Welcome to [ Travel Service ] !"),
    _example("GET", T, "/train_types/{tripId}", path=f"{T}/train_types/G1237",
             wanted=one("Success", {"name": "GaoTieTwo", "averageSpeed": 200})),
    _example("GET", T, "/train_types/{tripId}", path=f"{T}/train_types/G9", wanted=zero("No Content")),
    _example("GET", T, "/routes/{tripId}", path=f"{T}/routes/D1345",
             wanted=one("Success", {"id": SUZHOU_ROUTE, "stations": ["shanghai", "suzhou"], "distances": [0, 50]})),
    _example("GET", T, "/routes/{tripId}", path=f"{T}/routes/D", wanted=zero("No Content")),
    _example("POST", T, "/trips/routes", body=[SUZHOU_ROUTE, NANJING_ROUTE],
             wanted=one("Success", _lists_of(("D1345",), ()))),
    _example("POST", T, "/trips/routes", name="none", body=[], wanted=zero("No Content")),
    _example("POST", T, "/trips", body=_NEW | {"tripId": "G7001"}, status=201, wanted=one("Create trip:G7001.")),
    _example("POST", T, "/trips", name="again", body=_NEW | {"tripId": "G7001"}, status=201,
             wanted=one("Trip G7001 already exists")),
    _example("POST", T, "/trips", name="other letter", body=_NEW | {"tripId": "X7001"}, status=500),
    _example("GET", T, "/trips/{tripId}", path=f"{T}/trips/G7001",
             wanted=one("Search Trip Success by Trip Id G7001",
                        {"tripId": {"type": "G", "number": "7001"}, "routeId": SUZHOU_ROUTE})),
    _example("GET", T, "/trips/{tripId}", path=f"{T}/trips/G0", wanted=zero("No Content according to tripIdG0")),
    _example("PUT", T, "/trips", token="admin", name="all but the type of train",
             body=_NEW | {"tripId": "G7001", "trainTypeName": "ZhiDa", "endTime": "later"},
             wanted=one("Update trip:G7001", {"trainTypeName": "GaoTieOne", "endTime": "later"})),
    _example("PUT", T, "/trips", token="admin", name="unknown", body=_NEW | {"tripId": "G7009"},
             wanted=one("TripG7009doesn 't exists")),
    _example("PUT", T, "/trips", token="user", name="of a user", body=_NEW | {"tripId": "G7001"}, status=403),
    _example("DELETE", T, "/trips/{tripId}", path=f"{T}/trips/G7001", token="admin",
             wanted=one("Delete trip:G7001.", "G7001")),
    _example("DELETE", T, "/trips/{tripId}", path=f"{T}/trips/G7001", name="gone", token="admin",
             wanted=zero("Trip G7001 doesn't exist.")),
    _example("POST", T, "/trips/left", body=_ASKED, wanted=one("Success", [D1345])),
    _example("POST", T, "/trips/left", name="several", body=_TO_SHANGHAI,
             wanted=one("Success", _numbers("G1234", "G1235", "G1236"))),
    _example("POST", T, "/trips/left", name="on the way", body=_TO_SHANGHAI | {"startPlace": "Wu Xi"},
             wanted=one("Success", [{
                 "startTime": "2013-05-04 09:36:00", "endTime": "2013-05-04 10:00:00",
                 "priceForEconomyClass": "38.0", "priceForConfortClass": "100.0", "economyClass": LEFT,
             }])),
    _example("POST", T, "/trips/left", name="past", body=_ASKED | {"departureTime": PAST}, wanted=one("Success", [])),
    _example("POST", T, "/trips/left", name="no date", body=_ASKED | {"departureTime": "x"},
             wanted=one("Success", [])),
    _example("POST", T, "/trips/left", name="unknown places", body=_ASKED | {"startPlace": "x", "endPlace": "y"},
             wanted=one("Success", [])),
    _example("POST", T, "/trips/left", name="the field's old name",
             body={"startingPlace": "Shang Hai", "endPlace": "Su Zhou", "departureTime": DAY}, wanted=[]),
    _example("POST", T, "/trips/left_parallel", body=_ASKED, wanted=one("Success", [D1345])),
    _example("POST", T, "/trips/left_parallel", name="half a question", body=_ASKED | {"endPlace": None}, wanted=[]),
    _example("POST", T, "/trips/left_parallel", name="nothing found", body=_ASKED | {"startPlace": "Su Zhou"},
             wanted=zero("No Trip info content")),
    _example("POST", T, "/trip_detail", body=_detail("D1345", "shanghai", "suzhou"),
             wanted=one("Success", {"tripResponse": D1345, "trip": {"routeId": SUZHOU_ROUTE}})),
    _example("POST", T, "/trip_detail", name="unknown trip", body=_detail("D9", "shanghai", "suzhou"),
             wanted=zero("Trip not found", _NO_DETAIL)),
    _example("POST", T, "/trip_detail", name="past", body=_detail("D1345", "shanghai", "suzhou", PAST),
             wanted=zero("getTickets failed", _NO_DETAIL)),
    _example("POST", T, "/trip_detail", name="wrong way", body=_detail("D1345", "suzhou", "shanghai"),
             wanted=zero("getTickets failed", _NO_DETAIL)),
    _example("POST", T, "/trip_detail", name="names are not made alike", body=_detail("D1345", "Shang Hai", "Su Zhou"),
             wanted=zero("getTickets failed", _NO_DETAIL)),
    _example("POST", T, "/trip_detail", name="no date", body=_detail("D1345", "shanghai", "suzhou", None), status=500),
    _example("POST", T, "/trip_detail", name="no trip", body={}, status=500),
    _example("GET", T, "/trips", wanted=one("Success", at_least(5))),
    _example("GET", T, "/admin_trip",
             wanted=one("Success", lambda rows: rows[0]["trip"]["tripId"]["number"] == "1234"
                        and rows[0]["route"]["startStation"] == "nanjing"
                        and rows[0]["trainType"]["name"] == "GaoTieOne")),
)  # fmt: skip

_TRAVEL2 = (
    _example("GET", T2, "/welcome", wanted="Welcome to [ Travle2 Service ] !"),
    _example("GET", T2, "/train_types/{tripId}", path=f"{T2}/train_types/K1345",
             wanted=one("Success query Train by trip id", {"name": "KuaiSu"})),
    _example("GET", T2, "/train_types/{tripId}", path=f"{T2}/train_types/K9", wanted=zero("No Content")),
    _example("GET", T2, "/routes/{tripId}", path=f"{T2}/routes/T1235",
             wanted=one("[Get Route By Trip ID] Success", {"stations": ["shanghai", "taiyuan"]})),
    _example("GET", T2, "/routes/{tripId}", path=f"{T2}/routes/T9",
             wanted=zero('"[Get Route By Trip ID] Trip Not Found:" + tripId')),
    _example("POST", T2, "/trips/routes", body=[NANJING_ROUTE, SUZHOU_ROUTE],
             wanted=one("Success", _lists_of(("Z1234",), ()))),
    _example("POST", T2, "/trips/routes", name="none", body=[], wanted=zero("No Content")),
    _example("POST", T2, "/trips", body=_NEW | {"tripId": "Z7001", "routeId": UNKNOWN_ROUTE}, status=201,
             wanted=one("Create trip info:Z7001.")),
    _example("POST", T2, "/trips", name="again", body=_NEW | {"tripId": "Z7001"}, status=201,
             wanted=one("Trip Z7001 already exists")),
    _example("GET", T2, "/routes/{tripId}", path=f"{T2}/routes/Z7001",
             wanted=zero('"[Get Route By Trip ID] Route Not Found:" + trip.getRouteId()')),
    _example("GET", T2, "/trips/{tripId}", path=f"{T2}/trips/Z1236",
             wanted=one("Search Trip Success by Trip Id Z1236", {"startTime": "2013-05-04 7:05:52"})),
    _example("GET", T2, "/trips/{tripId}", path=f"{T2}/trips/Z0", wanted=zero("No Content according to tripIdZ0")),
    _example("PUT", T2, "/trips", body=_NEW | {"tripId": "Z7001", "trainTypeName": "x"},
             wanted=one("Update trip info:Z7001", {"trainTypeName": "GaoTieOne", "routeId": SUZHOU_ROUTE})),
    _example("PUT", T2, "/trips", name="unknown", body=_NEW | {"tripId": "Z7009"},
             wanted=one("TripZ7009doesn 't exists")),
    _example("DELETE", T2, "/trips/{tripId}", path=f"{T2}/trips/Z7001", wanted=one("Delete trip:Z7001.", "Z7001")),
    _example("DELETE", T2, "/trips/{tripId}", path=f"{T2}/trips/Z7001", name="gone",
             wanted=zero("Trip Z7001 doesn't exist.")),
    _example("POST", T2, "/trips/left", body=_ASKED | {"endPlace": "Nan Jing"}, wanted=one("Success", [Z1234])),
    _example("POST", T2, "/trips/left", name="half a question", body={}, wanted=[]),
    _example("POST", T2, "/trip_detail", body=_detail("Z1234", "shanghai", "nanjing"),
             wanted=one("Success", {"status": False, "message": None, "tripResponse": Z1234, "trip": dict})),
    _example("POST", T2, "/trip_detail", name="unknown trip", body=_detail("Z9", "shanghai", "nanjing"),
             wanted=zero("Trip not found", {"status": False, "message": None, "tripResponse": None, "trip": None})),
    _example("POST", T2, "/trip_detail", name="past", body=_detail("Z1234", "shanghai", "nanjing", PAST),
             wanted=zero("getTickets failed", _NO_DETAIL)),
    _example("GET", T2, "/trips", wanted=one("Success", lambda rows: _numbers("Z1234", "Z1235", "Z1236")(rows[:3]))),
    _example("GET", T2, "/admin_trip",
             wanted=one("Travel Service Admin Query All Travel Success", at_least(5))),
)  # fmt: skip


def _trip(system: System) -> dict[str, Any]:
    return {"trip": system.data(f"{T}/trips/D1345")}


_JOIN = {"trip": "{trip}", "startPlace": "shanghai", "endPlace": "suzhou", "departureTime": DAY}
_JOINED = {
    "status": True,
    "percent": 1.0,
    "trainType": {"name": "DongCheOne", "averageSpeed": 180},
    "route": {"id": SUZHOU_ROUTE},
    "prices": {"economyClass": "22.5", "confortClass": "50.0"},
}


def _join(**changes: str) -> Any:
    """A question about trip D1345 where the trip has other values."""
    return lambda system: {"trip": _trip(system)["trip"] | changes}


_BASIC = (
    _example("GET", B, "/welcome", wanted="Welcome to [ Basic Service ] !"),
    _example("GET", B, "/basic/{stationName}", path=f"{B}/basic/shanghai", wanted=one("Success", str)),
    _example("GET", B, "/basic/{stationName}", path=f"{B}/basic/travel", wanted=zero("Not exists")),
    _example("POST", B, "/basic/travel", body=_JOIN, given=_trip, wanted=one("Success", _JOINED)),
    _example("POST", B, "/basic/travel", name="no such train type", body=_JOIN, given=_join(trainTypeName="x"),
             wanted=zero("Train type doesn't exist")),
    _example("POST", B, "/basic/travel", name="no such route", body=_JOIN, given=_join(routeId="x"),
             wanted=zero("Route doesn't exist")),
    _example("POST", B, "/basic/travel", name="an unknown place is not on the route", given=_trip,
             body=_JOIN | {"endPlace": "nowhere"}, wanted=zero("Station not correct in Route")),
    _example("POST", B, "/basic/travel", name="no price", body=_JOIN, given=_join(trainTypeName="KuaiSu"),
             wanted=one("Success", {"prices": {"economyClass": "95.0", "confortClass": "120.0"}})),
    _example("POST", B, "/basic/travel", name="no trip", body={}, status=500),
    _example("POST", B, "/basic/travels", body=[_JOIN], given=_trip, wanted=one("Success", {"D1345": _JOINED})),
    _example("POST", B, "/basic/travels", name="no price", body=[_JOIN], given=_join(trainTypeName="KuaiSu"),
             wanted=one("Success", {"D1345": {"prices": {"economyClass": "37.5", "confortClass": "50.0"}}})),
    _example("POST", B, "/basic/travels", name="nothing", body=[], wanted=zero("all stations don't exist")),
    _example("POST", B, "/basic/travels", name="unknown places", given=_trip,
             body=[_JOIN | {"startPlace": "x", "endPlace": "y"}], wanted=zero("no travel info available")),
    _example("POST", B, "/basic/travels", name="no train type", body=[_JOIN], given=_join(trainTypeName="x"),
             wanted=zero("all train_type don't exist")),
    _example("POST", B, "/basic/travels", name="no route", body=[_JOIN], given=_join(routeId="x"),
             wanted=zero("all routes don't exist")),
    _example("POST", B, "/basic/travels", name="wrong way", given=_trip,
             body=[_JOIN | {"startPlace": "suzhou", "endPlace": "shanghai"}],
             wanted=zero("no travel info available")),
)  # fmt: skip

_SEAT = {
    "travelDate": DAY,
    "trainNumber": "G7777",
    "startStation": "a",
    "destStation": "c",
    "seatType": 2,
    "totalNum": 1,
    "stations": ["a", "b", "c"],
}


def _sold(start: str, end: str, date: str) -> Any:
    """Sell seat 1 of a train on a day of its own."""

    def sell(system: System) -> dict[str, Any]:
        order = {"trainNumber": "G7777", "travelDate": date, "seatNumber": "1", "from": start, "to": end}
        assert system.post("/api/v1/orderservice/order", order, token="user").json()["status"] == 1
        return {}

    return sell


_SEATS = (
    _example("GET", S, "/welcome", wanted="Welcome to [ Seat Service ] !"),
    _example("POST", S, "/seats", body=_SEAT,
             wanted=one("Use a new seat number!", {"seatNo": 1, "startStation": "a", "destStation": "c"})),
    _example("POST", S, "/seats", name="other line", body=_SEAT | {"trainNumber": "Z7777"},
             wanted=one("Use a new seat number!", {"seatNo": 1})),
    _example("POST", S, "/seats", name="next to a sold one", given=_sold("a", "c", "2035-04-01"),
             body=_SEAT | {"travelDate": "2035-04-01", "totalNum": 2},
             wanted=one("Use a new seat number!", {"seatNo": 2})),
    _example("POST", S, "/seats", name="after a sold one", given=_sold("a", "b", "2035-04-02"),
             body=_SEAT | {"travelDate": "2035-04-02", "startStation": "c", "totalNum": 9},
             wanted=one("Use the previous distributed seat number!", {"seatNo": 1})),
    _example("POST", S, "/seats", name="no seats", body=_SEAT | {"totalNum": 0}, status=500),
    _example("POST", S, "/seats/left_tickets", body=_SEAT | {"totalNum": 11},
             wanted=one("Get Left Ticket of Internal Success", 5)),
    _example("POST", S, "/seats/left_tickets", name="one sold", given=_sold("a", "c", "2035-04-03"),
             body=_SEAT | {"travelDate": "2035-04-03", "totalNum": 11},
             wanted=one("Get Left Ticket of Internal Success", 4)),
    _example("POST", S, "/seats/left_tickets", name="one free again", given=_sold("a", "b", "2035-04-04"),
             body=_SEAT | {"travelDate": "2035-04-04", "startStation": "c", "totalNum": 11},
             wanted=one("Get Left Ticket of Internal Success", 5)),
    _example("POST", S, "/seats/left_tickets", name="no stations", body=_SEAT | {"stations": []}, status=500),
)  # fmt: skip

_PLAN = {"startStation": "nanjing", "endStation": "shanghai", "travelDate": DAY, "num": 5}


def _trips(*numbers: str) -> Any:
    return lambda units: [unit["tripId"] for unit in units] == list(numbers)


_ROUTE_PLANS = (
    _example("GET", R, "/welcome", wanted="Welcome to [ RoutePlan Service ] !"),
    _example("POST", R, "/routePlan/cheapestRoute", body=_PLAN,
             wanted=one("Success", _trips("G1234", "Z1236", "G1235", "G1236"))),
    _example("POST", R, "/routePlan/cheapestRoute", name="one", body=_PLAN | {"endStation": "wuxi"},
             wanted=one("Success", [{
                 "tripId": "G1234", "trainTypeName": "GaoTieOne", "startStation": "nanjing", "endStation": "wuxi",
                 "stopStations": ["nanjing", "zhenjiang", "wuxi", "suzhou", "shanghai"],
                 "priceForSecondClassSeat": "57.0", "priceForFirstClassSeat": "150.0",
                 "startTime": "2013-05-04 09:00:00", "endTime": "2013-05-04 09:36:00",
             }])),
    _example("POST", R, "/routePlan/cheapestRoute", name="half a question", body={}, status=500),
    _example("POST", R, "/routePlan/quickestRoute", body=_PLAN,
             wanted=one("Success", _trips("G1234", "G1235", "G1236", "Z1236"))),
    _example("POST", R, "/routePlan/quickestRoute", name="past", body=_PLAN | {"travelDate": PAST},
             wanted=one("Success", [])),
    _example("POST", R, "/routePlan/minStopStations", body=_PLAN,
             wanted=one("Success.", lambda units: {unit["tripId"] for unit in units[:2]} == {"Z1236", "G1235"}
                        and {unit["tripId"] for unit in units} == {"Z1236", "G1235", "G1236", "G1234"})),
    _example("POST", R, "/routePlan/minStopStations", name="no route", body=_PLAN | {"endStation": "x"}, status=500),
    _example("POST", R, "/routePlan/minStopStations", name="past", body=_PLAN | {"travelDate": PAST}, status=500),
)  # fmt: skip

_UNIT = {
    "tripId": "D1345",
    "trainTypeId": "DongCheOne",
    "startStation": "shanghai",
    "endStation": "suzhou",
    "stopStations": ["shanghai", "suzhou"],
    "priceForSecondClassSeat": "22.5",
    "priceForFirstClassSeat": "50.0",
    "numberOfRestTicketSecondClass": LEFT,
    "numberOfRestTicketFirstClass": LEFT,
}
_TRANSFER = {
    "startStation": "nanjing",
    "viaStation": "shanghai",
    "endStation": "suzhou",
    "travelDate": DAY,
    "trainType": "",
}

_TRAVEL_PLANS = (
    _example("GET", P, "/welcome", wanted="Welcome to [ TravelPlan Service ] !"),
    _example("POST", P, "/travelPlan/transferResult", body=_TRANSFER,
             wanted=one("Success.", {
                 "firstSectionResult": _numbers("G1234", "G1235", "G1236", "Z1236"), "secondSectionResult": [D1345],
             })),
    _example("POST", P, "/travelPlan/transferResult", name="no date", body=_TRANSFER | {"travelDate": "x"},
             wanted=one("Success.", {"firstSectionResult": [], "secondSectionResult": []})),
    _example("POST", P, "/travelPlan/transferResult", name="no station", body=_TRANSFER | {"viaStation": ""},
             status=500),
    *(
        example
        for way in ("cheapest", "quickest", "minStation")
        for example in (
            _example("POST", P, f"/travelPlan/{way}", body=_ASKED, wanted=one("Success", [_UNIT])),
            _example("POST", P, f"/travelPlan/{way}", name="no station", body=_ASKED | {"startPlace": ""}, status=500),
        )
    ),
    _example("POST", P, "/travelPlan/cheapest", name="nothing found", body=_ASKED | {"startPlace": "x"},
             wanted=zero("Cannot Find")),
    _example("POST", P, "/travelPlan/quickest", name="past", body=_ASKED | {"departureTime": PAST},
             wanted=zero("Cannot Find")),
)  # fmt: skip

EXAMPLES = (*_TRAVEL, *_TRAVEL2, *_BASIC, *_SEATS, *_ROUTE_PLANS, *_TRAVEL_PLANS)
