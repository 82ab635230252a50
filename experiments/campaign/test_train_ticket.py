"""TrainTicket, the campaign: every fault at several services and severities, so that neither tells the other."""

from experiments.campaign.cells import cells, compounds, controls
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

INNER = ("ts-basic-service", "ts-order-service", "ts-route-service", "ts-seat-service")
"""Services that most journeys pass through, far behind the gateway."""
OUTER = ("ts-contacts-service", "ts-preserve-service", "ts-travel-service", "ts-user-service")
"""Services that the gateway asks for users."""
STORED = ("ts-order-service", "ts-price-service", "ts-station-service", "ts-train-service")
"""Services with connections to the database."""
CALLERS = {
    "ts-basic-service": "ts-price-service",
    "ts-preserve-service": "ts-order-service",
    "ts-seat-service": "ts-config-service",
    "ts-travel-service": "ts-basic-service",
}
"""Services, and one that each calls."""

ENDPOINTS = {
    "ts-price-service": ("ts_price_service:PriceService.query", "GET /api/v1/priceservice/prices/none/none", {}),
    "ts-route-service": ("ts_route_service:RouteService.query_by_id", "GET /api/v1/routeservice/routes/none", {}),
    "ts-station-service": (
        "ts_station_service:StationService.query_for_station_id",
        "GET /api/v1/stationservice/stations/id/none",
        {},
    ),
    "ts-train-service": (
        "ts_train_service:TrainService.retrieve_by_name",
        "GET /api/v1/trainservice/trains/byName/none",
        {},
    ),
}

MATRIX = [
    (CpuContention(), (*INNER, *OUTER[1:2])),
    (NetworkDelay(), (*INNER, *OUTER)),
    (NetworkLoss(), INNER),
    (NetworkBandwidth(), INNER),
    (HttpAbort(method=""), (*INNER, *OUTER)),
    (HttpDelay(method=""), (*INNER, *OUTER)),
    (KillService(), OUTER),
    (PauseService(), OUTER),
    (StopService(), OUTER),
    (PoolExhaustion(), STORED),
]


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


@anomalies(controls(SYSTEM))
def test_control(case):
    """Nothing is broken: what a detector says here is a false alarm."""
    case.run()
