"""Examples for the services of basic data: configuration, stations, trains, routes, prices, limits, food, luggage."""

from typing import Any

from tt_examples import Example, one, zero
from tt_system import UNKNOWN_ID, System

C = "/api/v1/configservice"
S = "/api/v1/stationservice"
T = "/api/v1/trainservice"
R = "/api/v1/routeservice"
P = "/api/v1/priceservice"
Q = "/api/v1/securityservice"
G = "/api/v1/consignpriceservice"
SF = "/api/v1/stationfoodservice"
TF = "/api/v1/trainfoodservice"


def first(path: str, **wanted: Any) -> Any:
    """Values of the first row of a list: `{row}` is the row itself, `{id}` its id."""

    def given(system: System) -> dict[str, Any]:
        rows = system.data(path, token="user")
        row = next(row for row in rows if all(row[key] == value for key, value in wanted.items()))
        return {"row": row, "id": row.get("id")}

    return given


def at_least(count: int) -> Any:
    """A list of so many rows or more."""
    return lambda rows: isinstance(rows, list) and len(rows) >= count


_CONFIG = {"name": "example", "value": "1", "description": "d"}
CONFIG = (
    Example(endpoint=f"GET {C}/welcome", wanted="Welcome to [ Config Service ] !"),
    Example(
        endpoint=f"GET {C}/configs",
        wanted=one(
            "Find all  config success",
            lambda rows: rows[0]["name"] == "DirectTicketAllocationProportion" and rows[0]["value"] == "0.5",
        ),
    ),
    Example(endpoint=f"POST {C}/configs", body=_CONFIG, status=201, wanted=one("Create success", _CONFIG)),
    Example(
        endpoint=f"POST {C}/configs",
        name="twice",
        body=_CONFIG,
        status=201,
        wanted=zero("Config example already exists."),
    ),
    Example(endpoint=f"GET {C}/configs/{{configName}}", path=f"{C}/configs/example", wanted=one("Success", _CONFIG)),
    Example(endpoint=f"GET {C}/configs/{{configName}}", path=f"{C}/configs/none", wanted=zero("No content")),
    Example(
        endpoint=f"PUT {C}/configs",
        body=_CONFIG | {"value": 2},
        wanted=one("Update success", _CONFIG | {"value": "2"}),
    ),
    Example(
        endpoint=f"PUT {C}/configs", name="unknown", body={"name": "none"}, wanted=zero("Config none doesn't exist.")
    ),
    Example(
        endpoint=f"DELETE {C}/configs/{{configName}}",
        path=f"{C}/configs/example",
        wanted=one("Delete success", _CONFIG | {"value": "2"}),
    ),
    Example(
        endpoint=f"DELETE {C}/configs/{{configName}}",
        path=f"{C}/configs/example",
        name="gone",
        wanted=zero("Config example doesn't exist."),
    ),
)

_WUHAN = first(f"{S}/stations", name="wuhan")
_NEW_STATION = {"id": lambda key: key != "x", "name": "wuhan", "stayTime": 7}
STATION = (
    Example(endpoint=f"GET {S}/welcome", wanted="Welcome to [ Station Service ] !"),
    Example(
        endpoint=f"GET {S}/stations",
        wanted=one(
            "Find all content",
            lambda rows: len(rows) >= 13 and [row["id"] for row in rows] == sorted(row["id"] for row in rows),
        ),
    ),
    Example(
        endpoint=f"POST {S}/stations",
        body={"id": "x", "name": "Wu Han", "stayTime": "7"},
        token="admin",
        status=201,
        wanted=one("Create success", _NEW_STATION),
    ),
    Example(
        endpoint=f"POST {S}/stations",
        name="twice",
        body={"name": "WuHan"},
        token="admin",
        status=201,
        wanted=zero("Already exists", {"name": "wuhan", "stayTime": 0}),
    ),
    Example(
        endpoint=f"POST {S}/stations",
        name="without a name",
        body={},
        token="admin",
        status=201,
        wanted=zero("Name not specify", {"id": None, "name": "", "stayTime": 0}),
    ),
    Example(
        endpoint=f"PUT {S}/stations",
        body={"id": "{id}", "name": "Wu Han", "stayTime": 9},
        token="admin",
        given=_WUHAN,
        wanted=one("Update success", {"id": "{id}", "name": "wuhan", "stayTime": 9}),
    ),
    Example(
        endpoint=f"PUT {S}/stations",
        name="unknown",
        body={"id": "x"},
        token="admin",
        wanted=zero("Station not exist"),
    ),
    Example(
        endpoint=f"GET {S}/stations/id/{{stationNameForId}}",
        path=f"{S}/stations/id/wuhan",
        given=_WUHAN,
        wanted=one("Success", "{id}"),
    ),
    Example(
        endpoint=f"GET {S}/stations/id/{{stationNameForId}}",
        path=f"{S}/stations/id/Wu%20Han",
        wanted=zero("Not exists", "Wu Han"),
    ),
    Example(
        endpoint=f"POST {S}/stations/idlist",
        body=["wuhan", "nowhere"],
        given=_WUHAN,
        wanted=one("Success", {"wuhan": "{id}", "nowhere": None}),
    ),
    Example(
        endpoint=f"POST {S}/stations/idlist",
        name="of none",
        body=[],
        wanted=zero("No content according to name list"),
    ),
    Example(
        endpoint=f"GET {S}/stations/name/{{stationIdForName}}",
        path=f"{S}/stations/name/{{id}}",
        given=_WUHAN,
        wanted=one("Success", "wuhan"),
    ),
    Example(
        endpoint=f"GET {S}/stations/name/{{stationIdForName}}",
        path=f"{S}/stations/name/Shang%20Hai",
        wanted=zero("No that stationId", "Shang Hai"),
    ),
    Example(endpoint=f"POST {S}/stations/namelist", body=["x", "{id}"], given=_WUHAN, wanted=one("Success", ["wuhan"])),
    Example(
        endpoint=f"POST {S}/stations/namelist",
        name="unknown",
        body=["x"],
        wanted=zero("No stationNamelist according to stationIdList", []),
    ),
    Example(
        endpoint=f"DELETE {S}/stations/{{stationsId}}",
        path=f"{S}/stations/{{id}}",
        given=_WUHAN,
        wanted=one("Delete success", {"name": "wuhan", "stayTime": 9}),
    ),
    Example(endpoint=f"DELETE {S}/stations/{{stationsId}}", path=f"{S}/stations/x", wanted=zero("Station not exist")),
)

_MAGLEV = {"name": "Maglev", "economyClass": 5, "confortClass": 6, "averageSpeed": 400}
_KNOWN_MAGLEV = first(f"{T}/trains", name="Maglev")
TRAIN = (
    Example(endpoint=f"GET {T}/trains/welcome", wanted="Welcome to [ Train Service ] !"),
    Example(
        endpoint=f"GET {T}/trains",
        wanted=one(
            "success",
            lambda rows: (
                [row["name"] for row in rows[:6]]
                == ["GaoTieOne", "GaoTieTwo", "DongCheOne", "ZhiDa", "TeKuai", "KuaiSu"]
            ),
        ),
    ),
    Example(endpoint=f"POST {T}/trains", body=_MAGLEV, wanted=one("create success")),
    Example(endpoint=f"POST {T}/trains", name="twice", body=_MAGLEV, wanted=zero("train type already exist", _MAGLEV)),
    Example(
        endpoint=f"POST {T}/trains",
        name="without name",
        body={"name": ""},
        wanted=zero("train type already exist", {"id": None, "name": "", "economyClass": 0}),
    ),
    Example(endpoint=f"POST {T}/trains", name="name null", body={}, status=500),
    Example(
        endpoint=f"GET {T}/trains/{{id}}",
        path=f"{T}/trains/{{id}}",
        given=_KNOWN_MAGLEV,
        wanted=one("success", _MAGLEV),
    ),
    Example(
        endpoint=f"GET {T}/trains/{{id}}",
        path=f"{T}/trains/x",
        wanted=zero("here is no TrainType with the trainType id: x"),
    ),
    Example(
        endpoint=f"GET {T}/trains/byName/{{name}}", path=f"{T}/trains/byName/Maglev", wanted=one("success", _MAGLEV)
    ),
    Example(
        endpoint=f"GET {T}/trains/byName/{{name}}",
        path=f"{T}/trains/byName/x",
        wanted=zero("here is no TrainType with the trainType name: x"),
    ),
    Example(endpoint=f"POST {T}/trains/byNames", body=["Maglev", "x"], wanted=one("success", [_MAGLEV])),
    Example(
        endpoint=f"POST {T}/trains/byNames",
        name="unknown",
        body=["a", "b"],
        wanted=zero("here is no TrainTypes with the trainType names: [a, b]"),
    ),
    Example(
        endpoint=f"PUT {T}/trains",
        body=_MAGLEV | {"id": "{id}", "averageSpeed": 500},
        given=_KNOWN_MAGLEV,
        wanted=one("update success", True),
    ),
    Example(
        endpoint=f"PUT {T}/trains",
        name="unknown",
        body={"id": "x"},
        wanted=zero("there is no trainType with the trainType id", False),
    ),
    Example(endpoint=f"PUT {T}/trains", name="without id", body={}, status=500),
    Example(
        endpoint=f"DELETE {T}/trains/{{id}}",
        path=f"{T}/trains/{{id}}",
        given=_KNOWN_MAGLEV,
        wanted=one("delete success", True),
    ),
    Example(
        endpoint=f"DELETE {T}/trains/{{id}}",
        path=f"{T}/trains/x",
        wanted=zero("there is no train according to id"),
    ),
)

_ROUTE_ID = "92708982-77af-4318-be25-57ccb0ff69ad"
_ROUTE = {
    "id": _ROUTE_ID,
    "stations": ["nanjing", "zhenjiang", "wuxi", "suzhou", "shanghai"],
    "distances": [0, 100, 150, 200, 250],
    "startStation": "nanjing",
    "endStation": "shanghai",
}
_SENT = {"id": UNKNOWN_ID, "startStation": "a", "endStation": None, "stationList": "a,b", "distanceList": "0,5"}
_KEPT = {"id": UNKNOWN_ID, "stations": ["a", "b"], "distances": [0, 5], "startStation": "a", "endStation": None}
ROUTE = (
    Example(endpoint=f"GET {R}/welcome", wanted="Welcome to [ Route Service ] !"),
    Example(endpoint=f"GET {R}/routes", wanted=one("Success", at_least(10))),
    Example(endpoint=f"POST {R}/routes", body=_SENT, wanted=one("Save and Modify success", _KEPT)),
    Example(
        endpoint=f"POST {R}/routes",
        name="unequal lists",
        body=_SENT | {"distanceList": "0"},
        wanted=zero("Station Number Not Equal To Distance Number"),
    ),
    Example(endpoint=f"POST {R}/routes", name="distance no number", body=_SENT | {"distanceList": "0,x"}, status=500),
    Example(endpoint=f"POST {R}/routes", name="without lists", body={"id": UNKNOWN_ID}, status=500),
    Example(endpoint=f"GET {R}/routes/{{routeId}}", path=f"{R}/routes/{_ROUTE_ID}", wanted=one("Success", _ROUTE)),
    Example(endpoint=f"GET {R}/routes/{{routeId}}", path=f"{R}/routes/x", wanted=zero("No content with the routeId")),
    Example(endpoint=f"POST {R}/routes/byIds", body=[_ROUTE_ID, "x"], wanted=one("Success", [_ROUTE])),
    Example(endpoint=f"POST {R}/routes/byIds", name="unknown", body=["x"], wanted=zero("No content with the routeIds")),
    Example(
        endpoint=f"GET {R}/routes/{{start}}/{{end}}",
        path=f"{R}/routes/suzhou/shanghai",
        wanted=one("Success", [{"startStation": "nanjing"}, {"startStation": "nanjing"}, {"startStation": "suzhou"}]),
    ),
    Example(
        endpoint=f"GET {R}/routes/{{start}}/{{end}}",
        path=f"{R}/routes/shanghai/nowhere",
        wanted=zero("No routes with the startId and terminalId"),
    ),
    Example(
        endpoint=f"DELETE {R}/routes/{{routeId}}",
        path=f"{R}/routes/{UNKNOWN_ID}",
        wanted=one("Delete Success", UNKNOWN_ID),
    ),
    Example(
        endpoint=f"DELETE {R}/routes/{{routeId}}",
        name="absent",
        path=f"{R}/routes/{UNKNOWN_ID}",
        wanted=one("Delete Success", UNKNOWN_ID),
    ),
)

_PRICE = {"trainType": "Maglev", "routeId": "r", "basicPriceRate": 2.5, "firstClassPriceRate": 3}
_KNOWN_PRICE = first(f"{P}/prices", trainType="Maglev")
_SEEDED = {"trainType": "DongCheOne", "basicPriceRate": 0.45, "firstClassPriceRate": 1.0}
_SEEDED_ROUTE = "f3d4d4ef-693b-4456-8eed-59c0d717dd08"
PRICE = (
    Example(endpoint=f"GET {P}/prices/welcome", wanted="Welcome to [ Price Service ] !"),
    Example(endpoint=f"GET {P}/prices", wanted=one("Success", at_least(10))),
    Example(
        endpoint=f"GET {P}/prices/{{routeId}}/{{trainType}}",
        path=f"{P}/prices/{_SEEDED_ROUTE}/DongCheOne",
        wanted=one("Success", _SEEDED),
    ),
    Example(
        endpoint=f"GET {P}/prices/{{routeId}}/{{trainType}}",
        path=f"{P}/prices/x/DongCheOne",
        wanted=zero("No that config"),
    ),
    Example(
        endpoint=f"POST {P}/prices/byRouteIdsAndTrainTypes",
        body=[f"{_SEEDED_ROUTE}:DongCheOne", "x:y"],
        wanted=one("Success", {f"{_SEEDED_ROUTE}:DongCheOne": _SEEDED}),
    ),
    Example(endpoint=f"POST {P}/prices/byRouteIdsAndTrainTypes", name="of none", body=[], wanted=one("Success", {})),
    Example(endpoint=f"POST {P}/prices/byRouteIdsAndTrainTypes", name="no colon", body=["x"], status=500),
    Example(
        endpoint=f"POST {P}/prices",
        body=_PRICE | {"id": "short"},
        status=201,
        wanted=one("Create success", _PRICE | {"id": lambda key: len(key) == 36}),
    ),
    Example(endpoint=f"POST {P}/prices", name="twice", body=_PRICE, status=500),
    Example(
        endpoint=f"PUT {P}/prices",
        body=_PRICE | {"id": "{id}", "basicPriceRate": "4"},
        given=_KNOWN_PRICE,
        wanted=one("Update success", {"id": "{id}", "basicPriceRate": 4.0}),
    ),
    Example(endpoint=f"PUT {P}/prices", name="without id", body=_PRICE, wanted=zero("No that config")),
    Example(
        endpoint=f"DELETE {P}/prices/{{pricesId}}",
        path=f"{P}/prices/{{id}}",
        given=_KNOWN_PRICE,
        wanted=one("Delete success", {"id": "{id}"}),
    ),
    Example(endpoint=f"DELETE {P}/prices/{{pricesId}}", path=f"{P}/prices/x", wanted=zero("No that config")),
)

EXAMPLES = (*CONFIG, *STATION, *TRAIN, *ROUTE, *PRICE)
