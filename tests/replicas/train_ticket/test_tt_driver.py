"""The scenario driver of the original's authors, request by request, with the answers it got from the original."""

from typing import Any

import pytest
from tt_system import USER_ID, System

CONTENTLESS = [
    ("GET", "/api/v1/seatservice/seats", 405),
    ("GET", "/api/v1/securityservice/security/configs", 404),
    ("POST", "/api/v1/notificationservice/notification/preserve_success", 404),
    ("GET", "/api/v1/admintravelservice/admintravel", 403),
    ("GET", "/api/v1/adminorderservice/adminorder", 403),
    ("GET", "/api/v1/adminrouteservice/adminroute", 403),
    ("GET", "/api/v1/adminuserservice/users", 403),
    ("POST", "/api/v1/auth/login", 404),
    ("GET", f"/api/v1/avatarservice/avatar/{USER_ID}", 404),
    ("GET", "/api/v1/deliveryservice/delivery", 404),
    ("GET", "/api/v1/fooddeliveryservice/fooddelivery", 404),
    ("GET", "/api/v1/newsservice/news", 404),
    ("GET", "/api/v1/ticketofficeservice/ticketoffice", 404),
    ("GET", "/api/v1/voucherservice/vouchers", 404),
    ("GET", "/api/v1/waitorderservice/waitorder", 404),
    ("GET", "/api/v1/routeplanservice/routePlan", 404),
    ("GET", "/api/v1/stationfoodservice/stationfood", 404),
    ("GET", "/api/v1/trainfoodservice/trainfood", 404),
    ("GET", "/api/v1/consignpriceservice/consignprice", 405),
]
ANSWERED = [
    ("/api/v1/assuranceservice/assurances/types", 1, "Find All Assurance"),
    ("/api/v1/foodservice/foods/2021-07-14/Shang Hai/Su Zhou/D1345", 0, "Get All Food Failed"),
    ("/api/v1/routeservice/routes/92708982-77af-4318-be25-57ccb0ff69ad", 1, "Success"),
    ("/api/v1/stationservice/stations/name/Shang Hai", 0, "No that stationId"),
    ("/api/v1/stationservice/stations/name/Su Zhou", 0, "No that stationId"),
    ("/api/v1/stationservice/stations/name/Nan Jing", 0, "No that stationId"),
    ("/api/v1/trainservice/trains", 1, "success"),
    ("/api/v1/priceservice/prices", 1, "Success"),
    ("/api/v1/basicservice/basic/travel", 0, "Not exists"),
    ("/api/v1/basicservice/basic/stations", 0, "Not exists"),
    ("/api/v1/configservice/configs", 1, "Find all  config success"),
    ("/api/v1/paymentservice/payment", 1, "Query Success"),
]


@pytest.mark.parametrize(("verb", "path", "status"), CONTENTLESS, ids=lambda value: str(value))
def test_what_the_driver_gets_no_answer_for(system: System, verb: str, path: str, status: int) -> None:
    """Paths of another version, of services that are not routed, and of administrators."""
    body: dict[str, Any] = {"body": {}} if verb == "POST" else {}
    assert system.ask(verb, path, token="user", **body).status_code == status


@pytest.mark.parametrize(("path", "status", "msg"), ANSWERED)
def test_what_the_driver_reads(system: System, path: str, status: int, msg: str) -> None:
    """Envelopes with data, which is all it looks for."""
    envelope = system.get(path, token="user").json()
    assert (envelope["status"], envelope["msg"]) == (status, msg)


def test_the_core_of_the_driver_stops_at_its_first_search(system: System) -> None:
    """The field it sends was renamed, so that the place is missing and the answer a bare list."""
    body = {"departureTime": "2035-01-01", "startingPlace": "Shang Hai", "endPlace": "Su Zhou"}
    for path in ("/api/v1/travelservice/trips/left", "/api/v1/travel2service/trips/left"):
        assert system.post(path, body, token="user").json() == []


def test_its_luggage_and_its_lists(system: System) -> None:
    """The price is that of a far region, since the flag it sends has another name; contacts and orders are there."""
    body = {
        "accountId": USER_ID, "handleDate": "2021-07-14", "from": "Shang Hai", "to": "Su Zhou",
        "orderId": "d6eb5b8a-1111-4111-8111-111111111111", "consignee": "driver", "phone": "123", "weight": "32",
        "id": "", "isWithin": False,
    }  # fmt: skip
    answer = system.ask("PUT", "/api/v1/consignservice/consigns", body, token="user").json()
    assert (answer["status"], answer["msg"]) == (1, "You have consigned successfully! The price is 132.0")
    contacts = system.data(f"/api/v1/contactservice/contacts/account/{USER_ID}", token="user")
    assert [contact["name"] for contact in contacts][:2] == ["Contacts_One", "Contacts_Two"]
    orders = system.post("/api/v1/orderservice/order/refresh", {"loginId": USER_ID}, token="user").json()["data"]
    assert [order["trainNumber"] for order in orders][:3] == ["G1237", "G1234", "G1235"]
