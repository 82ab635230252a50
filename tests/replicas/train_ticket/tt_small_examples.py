"""Examples for luggage prices, food data, verification codes, and the services that are not behind the gateway."""

from typing import Any

from tt_basic_examples import SF, TF, G, at_least, first
from tt_examples import Example, one, zero
from tt_system import System

V = "/api/v1/verifycode"

_RULE = {"index": 0, "initialWeight": 1.0, "initialPrice": 8.0, "withinPrice": 2.0, "beyondPrice": 4.0}
_SENTENCE = (
    "The price of weight within 1.0 is 8.0. The price of extra weight within the region is 2.0 and beyond the region "
    "is 4.0\n"
)


def _price(weight: str, within: str, wanted: float) -> Example:
    return Example(
        endpoint=f"GET {G}/consignprice/{{weight}}/{{isWithinRegion}}",
        path=f"{G}/consignprice/{weight}/{within}",
        token="user",
        wanted=one("Success", wanted),
    )


CONSIGN_PRICE = (
    Example(endpoint=f"GET {G}/welcome", token="user", wanted="Welcome to [ ConsignPrice Service ] !"),
    _price("1", "true", 8.0),
    _price("32", "true", 70.0),
    _price("32", "false", 132.0),
    Example(
        endpoint=f"GET {G}/consignprice/{{weight}}/{{isWithinRegion}}",
        path=f"{G}/consignprice/heavy/true",
        token="user",
        status=400,
    ),
    Example(endpoint=f"GET {G}/consignprice/price", token="user", wanted=one("Success", _SENTENCE)),
    Example(endpoint=f"GET {G}/consignprice/config", token="user", wanted=one("Success", _RULE)),
    Example(endpoint=f"POST {G}/consignprice", body=_RULE | {"index": 5}, token="user", wanted=one("Success", _RULE)),
)

_KFC = first(f"{SF}/stationfoodstores", storeName="KFC")
_EGGS = [{"foodName": "Egg Soup", "price": 3.2}, {"foodName": "Pork Chop with rice", "price": 9.5}]
FOOD = (
    Example(endpoint=f"GET {SF}/stationfoodstores/welcome", wanted="Welcome to [ Food store Service ] !"),
    Example(endpoint=f"GET {SF}/stationfoodstores", wanted=one("Success", at_least(9))),
    Example(endpoint=f"GET {SF}/stationfoodstores/{{stationId}}", path=f"{SF}/stationfoodstores/shanghai", status=500),
    Example(
        endpoint=f"POST {SF}/stationfoodstores",
        body=["suzhou", "nowhere"],
        wanted=one("Success", [{"storeName": "Roman Holiday", "deliveryFee": 15.0}]),
    ),
    Example(endpoint=f"POST {SF}/stationfoodstores", name="unknown", body=["x"], wanted=one("Success", [])),
    Example(
        endpoint=f"GET {SF}/stationfoodstores/bystoreid/{{stationFoodStoreId}}",
        path=f"{SF}/stationfoodstores/bystoreid/{{id}}",
        given=_KFC,
        wanted=one("Success", {"storeName": "KFC", "foodList": at_least(3)}),
    ),
    Example(
        endpoint=f"GET {SF}/stationfoodstores/bystoreid/{{stationFoodStoreId}}",
        path=f"{SF}/stationfoodstores/bystoreid/x",
        wanted=zero("No content"),
    ),
    Example(endpoint=f"GET {TF}/trainfoods/welcome", wanted="Welcome to [ Train Food Service ] !"),
    Example(endpoint=f"GET {TF}/trainfoods", wanted=one("Success", at_least(5))),
    Example(endpoint=f"GET {TF}/trainfoods/{{tripId}}", path=f"{TF}/trainfoods/G1234", wanted=one("Success", _EGGS)),
    Example(endpoint=f"GET {TF}/trainfoods/{{tripId}}", path=f"{TF}/trainfoods/x", wanted=zero("No content")),
)


def _is_picture(system: System, known: Any, answer: Any) -> None:
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    assert answer.content.endswith(b"\xff\xd9")
    assert len(answer.cookies["YsbCaptcha"]) == 32
    assert answer.cookies["JSESSIONID"]


def _has_cookie(system: System, known: Any, answer: Any) -> None:
    assert answer.cookies["YsbCaptcha"]


CODES = (
    Example(endpoint=f"GET {V}/generate", then=_is_picture),
    Example(endpoint=f"GET {V}/verify/{{verifyCode}}", path=f"{V}/verify/x", wanted=True, then=_has_cookie),
    Example(endpoint="POST /api/v1/avatar", body={"img": ""}, status=503, wanted={"error": "Service Unavailable"}),
    Example(
        endpoint="POST /api/v1/avatar",
        name="asked directly",
        service="ts-avatar-service",
        body={"img": ""},
        status=400,
        wanted={"msg": "need img in request body"},
    ),
)


def _text(wanted: str) -> Any:
    def then(system: System, known: Any, answer: Any) -> None:
        assert answer.text == wanted

    return then


def _is_news(system: System, known: Any, answer: Any) -> None:
    assert [item["Title"] for item in answer.json()] == ["News Service Complete", "Total Ticket System Complete"]


OFFICE = "ts-ticket-office-service"
_PLACE = {"province": "P", "city": "C", "region": "R"}
_OFFICE = {"name": "Desk", "address": "A", "workTime": "9-17", "windowNum": 2}
OFFICES = (
    Example(endpoint="GET /office/", service=OFFICE, then=_text("welcome to ts-ticket-office-service")),
    Example(endpoint="GET /office/getRegionList", service=OFFICE, wanted=at_least(1)),
    Example(
        endpoint="GET /office/getAll",
        service=OFFICE,
        wanted=lambda rows: rows[0]["name"] == "Jinqiao Road ticket sales outlets" and "id" not in rows[0],
    ),
    Example(
        endpoint="POST /office/addOffice",
        service=OFFICE,
        body=_PLACE | {"office": _OFFICE},
        then=_text("insert succeed."),
    ),
    Example(endpoint="POST /office/getSpecificOffices", service=OFFICE, body=_PLACE, wanted=[_PLACE | _OFFICE]),
    Example(
        endpoint="POST /office/updateOffice",
        service=OFFICE,
        body=_PLACE | {"oldOfficeName": "Desk", "newOffice": _OFFICE | {"windowNum": 3}},
        wanted={"affectedRows": 1},
    ),
    Example(
        endpoint="POST /office/deleteOffice",
        service=OFFICE,
        body=_PLACE | {"officeName": "Desk"},
        wanted={"affectedRows": 1},
    ),
    Example(
        endpoint="GET /{anything}",
        path="/any/thing",
        service="ts-news-service",
        then=_is_news,
    ),
)

EXAMPLES = (*CONSIGN_PRICE, *FOOD, *CODES, *OFFICES)
