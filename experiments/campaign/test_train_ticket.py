"""TrainTicket, the campaign: every fault at several services and severities, so that neither tells the other."""

from experiments.campaign.cells import cells, compounds, controls, crossed, gray
from pytest_anomod import anomalies
from pytest_anomod.faults import (
    CpuContention,
    HttpAbort,
    HttpDelay,
    KillService,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    PauseService,
    PoolExhaustion,
    StopService,
)

SYSTEM = "train_ticket"
NOBODY = "00000000-0000-4000-8000-000000000000"
BETA = "X-Group: beta"
"""The header of every second passenger (systems/_train_ticket_users.py)."""

INNER = ("ts-basic-service", "ts-order-service", "ts-route-service", "ts-seat-service")
"""Services that most journeys pass through, far behind the gateway."""
OUTER = ("ts-contacts-service", "ts-preserve-service", "ts-travel-service", "ts-user-service")
"""Services that the gateway asks for users."""
STORED = ("ts-order-service", "ts-route-service", "ts-contacts-service", "ts-travel-service")
"""Services with connections to the database, two of each kind."""
CALLERS = {
    "ts-basic-service": "ts-price-service",
    "ts-preserve-service": "ts-order-service",
    "ts-seat-service": "ts-config-service",
    "ts-travel-service": "ts-basic-service",
}
"""Services, and one that each calls."""

ENDPOINTS = {
    "ts-contacts-service": (
        "ts_contacts_service:ContactsService.get_contacts_by_contacts_id",
        f"GET /api/v1/contactservice/contacts/{NOBODY}",
        {},
    ),
    "ts-order-service": (
        "ts_order_service:OrderService.get_tickets_list_by_date",
        "POST /api/v1/orderservice/order/tickets",
        {"travelDate": "2035-01-01 00:00:00", "trainNumber": "D1345"},
    ),
    "ts-route-service": (
        "ts_route_service:RouteService.query_by_id",
        "GET /api/v1/routeservice/routes/f3d4d4ef-693b-4456-8eed-59c0d717dd08",
        {},
    ),
    "ts-travel-service": (
        "ts_travel_service:TravelService.get_trip_all_detail_info",
        "POST /api/v1/travelservice/trip_detail",
        {"tripId": "D1345", "travelDate": "2035-01-01 00:00:00", "from": "shanghai", "to": "suzhou"},
    ),
}
"""Of services a function, and a request that takes a way through it that users take."""

FAULTS = [
    CpuContention(),
    NetworkDelay(),
    NetworkLoss(),
    NetworkBandwidth(),
    HttpAbort(method=""),
    HttpDelay(method=""),
    KillService(),
    PauseService(),
    StopService(),
]
MATRIX = [*crossed(FAULTS, (INNER, OUTER), 3), (PoolExhaustion(), STORED)]

NOW_AND_THEN = HttpAbort(method="", percent=100, on_s=1, off_s=4)
ONE_ROUTE = HttpAbort(percent=100, path="/api/v1/orderservice/order/refresh")
SOME_USERS = HttpAbort(method="", percent=100, header=BETA)
GRAY = [
    ("http_abort-ts-basic-service-now-and-then", NOW_AND_THEN, "ts-basic-service"),
    ("http_abort-ts-travel-service-now-and-then", NOW_AND_THEN, "ts-travel-service"),
    ("http_abort-ts-order-service-route", ONE_ROUTE, "ts-order-service"),
    ("http_abort-ts-seat-service-users", SOME_USERS, "ts-seat-service"),
]
"""One second in five, one of the target's routes, or one group of users."""

TOGETHER = [
    ((HttpAbort(method=""), "ts-contacts-service", 3), (NetworkDelay(), "ts-route-service", 4)),
    ((HttpDelay(method=""), "ts-basic-service", 3), (CpuContention(), "ts-basic-service", 4)),
    ((KillService(), "ts-user-service", 5), (HttpDelay(method=""), "ts-seat-service", 3)),
    ((PoolExhaustion(), "ts-station-service", 5), (HttpDelay(method=""), "ts-travel-service", 3)),
]
IN_TURN = [
    ((StopService(), "ts-contacts-service", 5), (HttpDelay(method=""), "ts-order-service", 3)),
    ((HttpAbort(method=""), "ts-preserve-service", 5), (NetworkDelay(), "ts-preserve-service", 4)),
    ((NetworkDelay(), "ts-seat-service", 4), (KillService(), "ts-contacts-service", 5)),
]


@anomalies(cells(SYSTEM, MATRIX, CALLERS, ENDPOINTS))
def test_cell(case):
    """The fault was in and over, whatever users felt of it."""
    case.run()


@anomalies(compounds(SYSTEM, TOGETHER, IN_TURN))
def test_compound(case):
    """Two faults: each was in and over by itself."""
    case.run()


@anomalies(gray(SYSTEM, GRAY))
def test_gray(case):
    """The fault is in at times only, for one route, or for some users."""
    case.run()


@anomalies(controls(SYSTEM))
def test_control(case):
    """Nothing is broken: what a detector says here is a false alarm."""
    case.run()
