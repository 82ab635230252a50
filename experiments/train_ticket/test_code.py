"""TrainTicket, code level: in the running code a check that refuses, a call that throws, a look-up without a result."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import CodeException, CodeReturn

NOBODY = "00000000-0000-4000-8000-000000000000"
"""An account that nobody has: what probes ask about and store is nobody's."""

REFUSAL = {"status": 0, "msg": "Too much order in last one hour or too much valid order", "data": None}


@anomaly(
    system="train_ticket",
    fault=CodeReturn(
        function="ts_security_service:SecurityService.check",
        value=REFUSAL,
        probe=f"GET /api/v1/securityservice/securityConfigs/{NOBODY}",
    ),
    target="ts-security-service",
)
def test_lv_c_security_check(case):
    """The security check refuses everyone: a polite answer, HTTP 200, and nobody can book."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="train_ticket",
    fault=CodeException(
        function="ts_order_service:OrderService.create",
        exception="RuntimeError",
        message="order record is not writable",
        probe="POST /api/v1/orderservice/order",
        # after the fault each is stored, on a day and a train that no journey asks for; no two are the same, because
        # none of the users' orders "already exists"
        arguments={
            "accountId": NOBODY,
            "contactsName": "{unique}",
            "boughtDate": "2000-01-01 00:00:00",
            "travelDate": "2000-01-01 00:00:00",
            "travelTime": "2000-01-01 00:00:00",
            "trainNumber": "G0000",
            "seatNumber": "0",
            "from": "nowhere",
            "to": "nowhere",
            "price": "0.0",
        },
    ),
    target="ts-order-service",
)
def test_lv_c_exception_injection(case):
    """Creating an order throws: bookings fail when all is found and nothing stored; orders can still be looked at."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="train_ticket",
    fault=CodeReturn(
        function="ts_travel_service:TravelService.get_trip_all_detail_info",
        value=None,
        probe="POST /api/v1/travelservice/trip_detail",
        arguments={"tripId": "D1345", "travelDate": "2035-01-01 00:00:00", "from": "shanghai", "to": "suzhou"},
    ),
    target="ts-travel-service",
)
def test_lv_c_travel_detail_failure(case):
    """Looking up a trip is done, without an error, and returns nothing; booking stumbles over it."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()
