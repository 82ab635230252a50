"""The objects of TrainTicket and the tables they are kept in, field by field as the original's API shows them.

A collection of an entity (stations of a route, food of a shop) is an array column of its owner's table.
"""

from typing import Any
from uuid import uuid4

from .binding import FLAG, INT, NUMBER, TEXT, TEXT36, UUID, Entity, Field, Kind, list_of, one_of
from .dates import DEFAULT_TRAVEL_DATE, now_text
from .tables import Table


def normalised(name: str | None) -> str | None:
    """A station's name as it is stored: lower case, without blanks."""
    return None if name is None else name.replace(" ", "").lower()


def _new_id() -> str:
    return str(uuid4())


def _texts(*names: str, default: Any = ...) -> tuple[Field, ...]:
    return tuple(Field(name, TEXT, default) for name in names)


TEXTS, UUIDS = list_of(TEXT), list_of(UUID)

# ---- base data

STATION = Entity(
    "Station",
    Field("id", TEXT36),
    Field("name", TEXT, ""),
    Field("stayTime", INT),
    adjust=lambda station: station.update(name=normalised(station["name"])),
)
STATIONS = Table(name="station", entity=STATION, unique=(("name",),), order="id")

TRAIN_TYPE = Entity(
    "TrainType",
    Field("id", TEXT36),
    Field("name", TEXT),
    Field("economyClass", INT),
    Field("confortClass", INT),
    Field("averageSpeed", INT),
)
TRAIN_TYPES = Table(name="train_type", entity=TRAIN_TYPE, unique=(("name",),))

ROUTE = Entity(
    "Route",
    Field("id", TEXT36),
    Field("stations", TEXTS),
    Field("distances", list_of(INT)),
    *_texts("startStation", "endStation"),
)
ROUTES = Table(name="route", entity=ROUTE, fresh_key=False)
ROUTE_INFO = Entity("RouteInfo", *_texts("loginId", "startStation", "endStation", "stationList", "distanceList", "id"))

PRICE = Entity(
    "PriceConfig",
    Field("id", TEXT36, _new_id),
    Field("trainType", TEXT),
    Field("routeId", TEXT36),
    Field("basicPriceRate", NUMBER),
    Field("firstClassPriceRate", NUMBER),
)
PRICES = Table(name="price_config", entity=PRICE, fresh_key=False, unique=(("trainType", "routeId"),))
PRICE_INFO = Entity("PriceInfo", *_texts("id", "trainType", "routeId"), *PRICE.fields[3:])

CONFIG = Entity("Config", *_texts("name", "value", default=""), Field("description", TEXT))
CONFIGS = Table(name="config", entity=CONFIG, key="name", fresh_key=False)

SECURITY_CONFIG = Entity("SecurityConfig", Field("id", TEXT36), *_texts("name", "value", "description"))
SECURITY_CONFIGS = Table(name="security_config", entity=SECURITY_CONFIG)

# ---- trips

TRIP_ID = Entity("TripId", Field("type", one_of("G", "D", "Z", "T", "K")), Field("number", TEXT))
TRIP = Entity(
    "Trip",
    Field("id", TEXT36),
    Field("tripId", TRIP_ID),
    Field("trainTypeName", TEXT, ""),
    Field("routeId", TEXT),
    Field("startStationName", TEXT, ""),
    Field("stationsName", TEXT),
    Field("terminalStationName", TEXT, ""),
    Field("startTime", TEXT, ""),
    Field("endTime", TEXT, ""),
)
TRIPS = Table(name="trip", entity=TRIP, indexes=(("tripId",),))
TRIPS2 = Table(name="trip2", entity=TRIP, indexes=(("tripId",),))
TRAVEL_INFO = Entity(
    "TravelInfo",
    *_texts("loginId", "tripId", "trainTypeName", "routeId", "startStationName", "stationsName"),
    *_texts("terminalStationName", "startTime", "endTime"),
)
TRAVEL = Entity("Travel", Field("trip", TRIP), *_texts("startPlace", "endPlace", "departureTime"))


def _normalised_places(info: dict[str, Any]) -> None:
    info |= {name: normalised(info[name]) for name in ("startPlace", "endPlace")}


TRIP_INFO = Entity(
    "TripInfo", *_texts("startPlace", "endPlace", "departureTime", default=""), adjust=_normalised_places
)
TRIP_DETAIL_INFO = Entity("TripAllDetailInfo", *_texts("tripId", "travelDate", "from", "to"))
TRIP_RESPONSE = Entity(
    "TripResponse",
    Field("tripId", TRIP_ID),
    *_texts("trainTypeName", "startStation", "terminalStation", "startTime", "endTime", default=""),
    Field("economyClass", INT),
    Field("confortClass", INT),
    *_texts("priceForEconomyClass", "priceForConfortClass", default=""),
)
SEAT = Entity(
    "Seat",
    *_texts("travelDate", "trainNumber", "startStation", "destStation", default=""),
    Field("seatType", INT),
    Field("totalNum", INT),
    Field("stations", TEXTS),
)
ROUTE_PLAN_INFO = Entity("RoutePlanInfo", *_texts("startStation", "endStation", "travelDate"), Field("num", INT))
TRANSFER_INFO = Entity(
    "TransferTravelInfo", *_texts("startStation", "viaStation", "endStation", "travelDate", "trainType")
)

# ---- people

CONTACT = Entity(
    "Contacts",
    Field("id", TEXT36),
    *_texts("accountId", "name"),
    Field("documentType", INT),
    *_texts("documentNumber", "phoneNumber"),
)
CONTACTS = Table(
    name="contacts",
    entity=CONTACT,
    unique=(("accountId", "documentNumber", "documentType"),),
    indexes=(("accountId",),),
)
ADMIN_CONTACT = Entity("Contacts", Field("id", UUID), Field("accountId", UUID), *CONTACT.fields[2:])

AUTH_USER = Entity(
    "AuthUser",
    Field("userId", TEXT36),
    Field("username", TEXT36, column="user_name"),
    Field("password", TEXT),
    Field("roles", TEXTS),
)
AUTH_USERS = Table(name="auth_user", entity=AUTH_USER, key="userId", fresh_key=False, indexes=(("username",),))
AUTH_DTO = Entity("AuthDto", *_texts("userId", "userName", "password"))
LOGIN = Entity("BasicAuthDto", *_texts("username", "password", "verificationCode"))

USER = Entity(
    "User",
    Field("userId", TEXT36, _new_id),
    *_texts("userName", "password"),
    Field("gender", INT),
    Field("documentType", INT),
    *_texts("documentNum", "email"),
)
USERS = Table(name='"user"', entity=USER, key="userId", fresh_key=False, indexes=(("userName",),))
USER_DTO = Entity("UserDto", Field("userId", TEXT), *USER.fields[1:])

# ---- orders


def _order(seat_number: str, *more: Field) -> Entity:
    return Entity(
        "Order",
        Field("id", TEXT36),
        Field("boughtDate", TEXT, now_text),
        Field("travelDate", TEXT, DEFAULT_TRAVEL_DATE),
        Field("travelTime", TEXT),
        Field("accountId", TEXT36),
        Field("contactsName", TEXT),
        Field("documentType", INT),
        Field("contactsDocumentNumber", TEXT),
        Field("trainNumber", TEXT, "G1235"),
        Field("coachNumber", INT, 5),
        Field("seatClass", INT, 2),
        Field("seatNumber", TEXT, seat_number),
        Field("from", TEXT, "shanghai", column="from_station"),
        Field("to", TEXT, "taiyuan", column="to_station"),
        Field("status", INT, 1),
        Field("price", TEXT, "0.0"),
        *more,
    )


ORDER = _order("1")
COMMON_ORDER = _order("5A", Field("differenceMoney", TEXT, "0.0"))  # as other services than the two of orders know it
ORDER_INDEXES = (("accountId",), ("travelDate", "trainNumber"))
ORDERS = Table(name="orders", entity=ORDER, indexes=ORDER_INDEXES)
ORDERS_OTHER = Table(name="orders_other", entity=ORDER, indexes=ORDER_INDEXES)
ORDER_QUERY = Entity(
    "OrderInfo",
    *_texts("loginId", "travelDateStart", "travelDateEnd", "boughtDateStart", "boughtDateEnd"),
    Field("state", INT),
    Field("enableTravelDateQuery", FLAG),
    Field("enableBoughtDateQuery", FLAG),
    Field("enableStateQuery", FLAG),
)
TICKETS_INFO = Entity(
    "OrderTicketsInfo",
    *_texts("accountId", "contactsId", "tripId"),
    Field("seatType", INT),
    *_texts("loginToken", "date", "from", "to"),
    Field("assurance", INT),
    Field("foodType", INT),
    *_texts("stationName", "storeName", "foodName"),
    Field("foodPrice", NUMBER),
    *_texts("handleDate", "consigneeName", "consigneePhone"),
    Field("consigneeWeight", NUMBER),
    Field("within", FLAG),
)
REBOOK_INFO = Entity(
    "RebookInfo",
    *_texts("loginId", "orderId", "oldTripId", "tripId", default=""),
    Field("seatType", INT),
    Field("date", TEXT, now_text),
)
ASSURANCE = Entity(
    "Assurance",
    Field("id", UUID, column="assurance_id"),
    Field("orderId", UUID, _new_id),
    Field("type", one_of("TRAFFIC_ACCIDENT"), column="assurance_type"),
)
ASSURANCES = Table(name="assurance", entity=ASSURANCE, fresh_key=False, indexes=(("orderId",),))
WAIT_ORDER = Entity(
    "WaitListOrder",
    Field("id", TEXT36),
    Field("travelTime", TEXT),
    Field("accountId", TEXT36),
    *_texts("contactsId", "contactsName"),
    Field("contactsDocumentType", INT),
    *_texts("contactsDocumentNumber", "trainNumber"),
    Field("seatType", INT),
    Field("from", TEXT, column="from_station"),
    Field("to", TEXT, column="to_station"),
    *_texts("price", "waitUtilTime", "createdTime"),
    Field("status", INT),
)
WAIT_ORDERS = Table(name="wait_list_order", entity=WAIT_ORDER, indexes=(("accountId",),))
WAIT_ORDER_VO = Entity(
    "WaitListOrderVO",
    *_texts("accountId", "contactsId", "tripId"),
    Field("seatType", INT),
    *_texts("date", "from", "to", "price"),
)

# ---- money

INSIDE_PAYMENT = Entity(
    "Payment",
    Field("id", TEXT36),
    Field("orderId", TEXT36, ""),
    Field("userId", TEXT36, ""),
    Field("price", TEXT, ""),
    Field("type", one_of("P", "D", "O", "E")),
)
INSIDE_PAYMENTS = Table(name="inside_payment", entity=INSIDE_PAYMENT, indexes=(("userId",),))
INSIDE_MONEY_ROW = Entity(
    "Money",
    Field("id", TEXT36),
    Field("userId", TEXT36, ""),
    Field("money", TEXT, ""),
    Field("type", one_of("A", "D")),
)
INSIDE_MONEY = Table(name="inside_money", entity=INSIDE_MONEY_ROW, indexes=(("userId",),))
PAYMENT_INFO = Entity("PaymentInfo", *_texts("userId", "orderId", "tripId", "price"))
ACCOUNT_INFO = Entity("AccountInfo", *_texts("userId", "money"))
PAYMENT = Entity(
    "Payment",
    Field("id", TEXT36, _new_id),
    Field("orderId", TEXT36, ""),
    Field("userId", TEXT36, ""),
    Field("price", TEXT, "", column="payment_price"),
)
PAYMENTS = Table(name="payment", entity=PAYMENT, indexes=(("orderId",),))
OUTSIDE_MONEY = Entity("Money", Field("id", TEXT36), Field("userId", TEXT36), Field("money", TEXT))
MONEY = Table(name="money", entity=OUTSIDE_MONEY)

# ---- luggage

CONSIGN_PRICE = Entity(
    "ConsignPrice",
    Field("id", TEXT36),
    Field("index", INT, column="idx"),
    Field("initialWeight", NUMBER),
    Field("initialPrice", NUMBER),
    Field("withinPrice", NUMBER),
    Field("beyondPrice", NUMBER),
)
CONSIGN_PRICES = Table(name="consign_price", entity=CONSIGN_PRICE, unique=(("index",),))
CONSIGN = Entity(
    "Consign",
    *_texts("id", "orderId", "accountId", "handleDate", "targetDate", "from", "to", "consignee", "phone"),
    Field("weight", NUMBER),
    Field("within", FLAG),
)
CONSIGN_RECORD = Entity(
    "ConsignRecord",
    Field("id", TEXT36, column="consign_record_id"),
    Field("orderId", TEXT),
    Field("accountId", TEXT, column="user_id"),
    *_texts("handleDate", "targetDate"),
    Field("from", TEXT, column="from_place"),
    Field("to", TEXT, column="to_place"),
    Field("consignee", TEXT),
    Field("phone", TEXT, column="consign_record_phone"),
    Field("weight", NUMBER),
    Field("price", NUMBER, column="consign_record_price"),
)
CONSIGN_RECORDS = Table(
    name="consign_record",
    entity=CONSIGN_RECORD,
    fresh_key=False,
    indexes=(("orderId",), ("accountId",), ("consignee",)),
)

# ---- food

FOOD = Entity("Food", Field("foodName", TEXT), Field("price", NUMBER))
FOODS: Kind = list_of(FOOD)
STATION_FOOD_STORE = Entity(
    "StationFoodStore",
    Field("id", TEXT36, column="store_id"),
    Field("stationName", TEXT, ""),
    *_texts("storeName", "telephone", "businessTime"),
    Field("deliveryFee", NUMBER),
    Field("foodList", FOODS),
)
STATION_FOOD_STORES = Table(
    name="station_food_store", entity=STATION_FOOD_STORE, unique=(("stationName", "storeName"),)
)
TRAIN_FOOD = Entity("TrainFood", Field("id", TEXT36), Field("tripId", TEXT, ""), Field("foodList", FOODS))
TRAIN_FOODS = Table(name="train_food", entity=TRAIN_FOOD, unique=(("tripId",),))
FOOD_ORDER = Entity(
    "FoodOrder",
    Field("id", TEXT36),
    Field("orderId", TEXT),
    Field("foodType", INT),
    *_texts("stationName", "storeName", "foodName"),
    Field("price", NUMBER),
)
FOOD_ORDERS = Table(name="food_order", entity=FOOD_ORDER, indexes=(("orderId",),))
FOOD_DELIVERY_ORDER = Entity(
    "FoodDeliveryOrder",
    Field("id", TEXT36),
    Field("stationFoodStoreId", TEXT),
    Field("foodList", FOODS),
    Field("tripId", TEXT),
    Field("seatNo", INT),
    *_texts("createdTime", "deliveryTime"),
    Field("deliveryFee", NUMBER),
)
FOOD_DELIVERY_ORDERS = Table(name="food_delivery_order", entity=FOOD_DELIVERY_ORDER, indexes=(("stationFoodStoreId",),))
TRIP_ORDER_INFO = Entity("TripOrderInfo", *_texts("orderId", "tripId"))
SEAT_INFO = Entity("SeatInfo", Field("orderId", TEXT), Field("seatNo", INT))
DELIVERY_INFO = Entity("DeliveryInfo", *_texts("orderId", "deliveryTime"))
DELIVERY = Entity("Delivery", Field("orderId", UUID), *_texts("foodName", "storeName", "stationName"))
DELIVERY_ROW = Entity("Delivery", Field("id", TEXT36), *DELIVERY.fields)
DELIVERIES = Table(name="delivery", entity=DELIVERY_ROW)

# ---- mail and what has no envelope

NOTIFY_INFO = Entity(
    "NotifyInfo",
    Field("id", TEXT36, _new_id),
    Field("sendStatus", FLAG),
    *_texts("email", "orderNumber", "username", "startPlace", "endPlace", "startTime", "date", "seatClass"),
    *_texts("seatNumber", "price"),
)
NOTIFY_INFOS = Table(name="notify_info", entity=NOTIFY_INFO, fresh_key=False)
VOUCHER = Entity(
    "Voucher",
    Field("voucher_id", INT),
    *_texts("order_id", "travelDate", "travelTime", "contactName", "train_number"),
    Field("seatClass", INT),
    *_texts("seat_number", "start_station", "dest_station"),
    Field("price", NUMBER),
)
VOUCHERS = Table(name="voucher", entity=VOUCHER, key="voucher_id", fresh_key=False, unique=(("order_id",),))
OFFICE = Entity("Office", *_texts("name", "city", "province", "region", "address", "workTime"), Field("windowNum", INT))
OFFICES = Table(name="office", entity=Entity("Office", Field("id", TEXT36), *OFFICE.fields))

TABLES = (
    STATIONS, TRAIN_TYPES, ROUTES, PRICES, CONFIGS, SECURITY_CONFIGS, TRIPS, TRIPS2, CONTACTS, AUTH_USERS, USERS,
    ORDERS, ORDERS_OTHER, ASSURANCES, WAIT_ORDERS, INSIDE_PAYMENTS, INSIDE_MONEY, PAYMENTS, MONEY, CONSIGN_PRICES,
    CONSIGN_RECORDS, STATION_FOOD_STORES, TRAIN_FOODS, FOOD_ORDERS, FOOD_DELIVERY_ORDERS, DELIVERIES, NOTIFY_INFOS,
    VOUCHERS, OFFICES,
)  # fmt: skip
