"""The rows every service of the original creates at its first start."""

from collections.abc import Callable
from typing import Any

from . import passwords
from .dates import now_text
from .entities import CONFIG, CONTACT, STATION_FOOD_STORE, TRIP

Rows = list[dict[str, Any]]

USER_ID = "4d2a46c7-71cb-4cf1-b5bb-b68406d9da6f"
MANY = 2147483647

_STATIONS = (
    ("Shang Hai", 10), ("Shang Hai Hong Qiao", 10), ("Tai Yuan", 5), ("Bei Jing", 10), ("Nan Jing", 8),
    ("Shi Jia Zhuang", 8), ("Xu Zhou", 7), ("Ji Nan", 5), ("Hang Zhou", 9), ("Jia Xing Nan", 2), ("Zhen Jiang", 2),
    ("Wu Xi", 3), ("Su Zhou", 3),
)  # fmt: skip
_SPEEDS = {"GaoTieOne": 250, "GaoTieTwo": 200, "DongCheOne": 180, "ZhiDa": 120, "TeKuai": 120, "KuaiSu": 90}
_ROUTES = (
    ("0b23bd3e-876a-4af3-b920-c50a90c90b04", "shanghai nanjing shijiazhuang taiyuan", (0, 350, 1000, 1300)),
    ("9fc9c261-3263-4bfa-82f8-bb44e06b2f52", "nanjing xuzhou jinan beijing", (0, 500, 700, 1200)),
    ("d693a2c5-ef87-4a3c-bef8-600b43f62c68", "taiyuan shijiazhuang nanjing shanghai", (0, 300, 950, 1300)),
    ("20eb7122-3a11-423f-b10a-be0dc5bce7db", "shanghai taiyuan", (0, 1300)),
    ("1367db1f-461e-4ab7-87ad-2bcc05fd9cb7", "shanghaihongqiao jiaxingnan hangzhou", (0, 150, 300)),
    ("92708982-77af-4318-be25-57ccb0ff69ad", "nanjing zhenjiang wuxi suzhou shanghai", (0, 100, 150, 200, 250)),
    ("aefcef3f-3f42-46e8-afd7-6cb2a928bd3d", "nanjing shanghai", (0, 250)),
    ("a3f256c1-0e43-4f7d-9c21-121bf258101f", "nanjing suzhou shanghai", (0, 200, 250)),
    ("084837bb-53c8-4438-87c8-0321a4d09917", "suzhou shanghai", (0, 50)),
    ("f3d4d4ef-693b-4456-8eed-59c0d717dd08", "shanghai suzhou", (0, 50)),
)
_TRIPS = (  # number, train type, index of the route, start and end
    ("G1234", "GaoTieOne", 5, "09:00:00", "15:51:52"),
    ("G1235", "GaoTieOne", 6, "12:00:00", "17:51:52"),
    ("G1236", "GaoTieOne", 7, "14:00:00", "20:51:52"),
    ("G1237", "GaoTieTwo", 8, "08:00:00", "17:21:52"),
    ("D1345", "DongCheOne", 9, "07:00:00", "19:59:52"),
)
_TRIPS2 = (
    ("Z1234", "ZhiDa", 0, "09:51:52", "15:51:52"),
    ("Z1235", "ZhiDa", 1, "11:31:52", "17:51:52"),
    ("Z1236", "ZhiDa", 2, "7:05:52", "12:51:52"),
    ("T1235", "TeKuai", 3, "08:31:52", "17:21:52"),
    ("K1345", "KuaiSu", 4, "07:51:52", "19:59:52"),
)
_PRICES = (  # id, index of the route, train type, rate of the second class
    ("6d20b8cb-039c-474c-ae25-b6177ea41152", 5, "GaoTieOne", 0.38),
    ("c5679b7e-4a54-4f52-9939-1ae86ba16fa7", 6, "GaoTieOne", 0.5),
    ("719287d6-d3e7-4b54-9a92-71d039748b22", 7, "GaoTieOne", 0.7),
    ("7de18cf8-bb17-4bb2-aeb4-85d8176d3a93", 8, "GaoTieTwo", 0.6),
    ("d5c4523a-827c-468c-95be-e9024a40572e", 9, "DongCheOne", 0.45),
    ("b90a6ad7-ffad-4624-9655-48e9e185fa6c", 0, "ZhiDa", 0.35),
    ("8fb01829-393f-4af4-9e96-f72866f94d14", 1, "ZhiDa", 0.35),
    ("8b059dc5-01a2-4f8f-8f94-6c886b38bb34", 2, "ZhiDa", 0.32),
    ("dd0e572e-7443-420c-8280-7d8215636069", 3, "TeKuai", 0.30),
    ("0eb474c9-f8be-4119-8681-eb538a404a6a", 4, "KuaiSu", 0.2),
)
_SHOPS = (
    ("shanghai", "KFC", "01-234567", "10:00-20:00", 20.0, (("Hamburger", 5), ("Cola", 2), ("Chicken", 10.5))),
    ("shanghai", "Good Taste", "6228480012", "08:00-21:00", 10.0, (("Rice", 1.2), ("Chicken Soup", 2.5))),
    ("nanjing", "Burger King", "88348215681", "08:00-23:00", 15.0, (("Big Burger", 1.2), ("Bone Soup", 2.5))),
    ("nanjing", "Pizza Hut", "2382614", "08:00-23:00", 15.0, (("Big Burger", 1.2), ("Bone Soup", 2.5))),
    ("nanjing", "McDonald's", "2836485", "08:00-23:00", 15.0, (("Big Mac", 2.2), ("McChicken", 1.5))),
    ("suzhou", "Roman Holiday", "3769464", "09:00-23:00", 15.0, (("Big Burger", 1.2), ("Bone Soup", 2.5))),
    ("beijing", "Perfect", "975335664", "08:00-23:00", 15.0, (("French Fries", 1.2), ("Vegetable Seafood Soup", 2.5))),
    ("beijing", "Delicious", "237452946", "08:00-21:00", 15.0, (("Hot Chocolate", 1.2), ("Pineapple Pie", 2.5))),
    ("taiyuan", "GOODWILL", "23753855", "08:00-21:00", 15.0,
     (("Karubi Beef", 1.2), (" Low Fat Yogurt Blackberry", 2.5))),
)  # fmt: skip
_TRAIN_FOOD = (  # in the order in which clients get them
    ("G1234", (("Egg Soup", 3.2), ("Pork Chop with rice", 9.5))),
    ("G1235", (("Pork pickled mustard green noodles", 10), ("Soup", 3.7), ("Beef with rice", 9.5))),
    ("G1236", (("Glutinous rice", 0.9), ("Seafood noodles", 9.5), ("Dumplings", 5.5))),
    ("G1237", (("Spring rolls", 1.5), ("Vegetable soup", 0.8), ("Rice and vegetable roll", 1))),
    ("D1345", (("Spicy hot noodles", 5), ("Soup", 3.7), ("Oily bean curd", 2))),
)


def rows(new_id: Callable[[], str]) -> dict[str, Rows]:
    """The rows by table; ids the original makes at random come from `new_id`."""
    return {
        **_lines(new_id),
        **_people(new_id),
        **_food(new_id),
        **_orders(new_id),
        "config": [
            CONFIG.new(
                name="DirectTicketAllocationProportion",
                value="0.5",
                description="Allocation Proportion Of The Direct Ticket - From Start To End",
            )
        ],
        "security_config": [
            {"id": new_id(), "name": "max_order_1_hour", "value": str(MANY), "description": "Max in 1 hour"},
            {"id": new_id(), "name": "max_order_not_use", "value": str(MANY), "description": "Max not used"},
        ],
        "consign_price": [
            {"id": new_id(), "index": 0, "initialWeight": 1.0, "initialPrice": 8.0, "withinPrice": 2.0,
             "beyondPrice": 4.0}
        ],
        "office": [
            {"id": new_id(), "name": "Jinqiao Road ticket sales outlets", "city": "Shanghai", "province": "Shanghai",
             "region": "Pudong New Area", "address": "Jinqiao Road 1320, Shanghai, Pudong New Area",
             "workTime": "08:00-18:00", "windowNum": 1}
        ],
    }  # fmt: skip


def _lines(new_id: Callable[[], str]) -> dict[str, Rows]:
    stations = [name.split() for _, name, _ in _ROUTES]
    return {
        "station": [
            {"id": new_id(), "name": name.replace(" ", "").lower(), "stayTime": minutes} for name, minutes in _STATIONS
        ],
        "train_type": [
            {"id": new_id(), "name": name, "economyClass": MANY, "confortClass": MANY, "averageSpeed": speed}
            for name, speed in _SPEEDS.items()
        ],
        "route": [
            {"id": key, "stations": names, "distances": distances, "startStation": names[0], "endStation": names[-1]}
            for (key, _, distances), names in zip(_ROUTES, stations, strict=True)
        ],
        "price_config": [
            {"id": key, "trainType": train, "routeId": _ROUTES[route][0], "basicPriceRate": rate,
             "firstClassPriceRate": 1.0}
            for key, route, train, rate in _PRICES
        ],
        "trip": [_trip(new_id(), trip, ("shanghai", "suzhou", "taiyuan")) for trip in _TRIPS],
        "trip2": [_trip(new_id(), trip, ("shanghai", "nanjing", "beijing")) for trip in _TRIPS2],
    }  # fmt: skip


def _trip(key: str, trip: tuple[str, str, int, str, str], places: tuple[str, str, str]) -> dict[str, Any]:
    number, train, route, start, end = trip
    return TRIP.new(
        id=key,
        tripId={"type": number[0], "number": number[1:]},
        trainTypeName=train,
        routeId=_ROUTES[route][0],
        startStationName=places[0],
        stationsName=places[1],
        terminalStationName=places[2],
        startTime=f"2013-05-04 {start}",
        endTime=f"2013-05-04 {end}",
    )


def _people(new_id: Callable[[], str]) -> dict[str, Rows]:
    accounts = (
        (USER_ID, "fdse_microservice", "111111", "ROLE_USER"),
        (new_id(), "admin", "222222", "ROLE_ADMIN"),
    )
    return {
        "auth_user": [
            {"userId": key, "username": name, "password": passwords.encode(password), "roles": [role]}
            for key, name, password, role in accounts
        ],
        '"user"': [
            {"userId": USER_ID, "userName": "fdse_microservice", "password": "111111", "gender": 1, "documentType": 1,
             "documentNum": "2135488099312X", "email": "trainticket_notify@163.com"}
        ],
        "contacts": [
            CONTACT.new(
                id=new_id(),
                accountId=USER_ID,
                name=f"Contacts_{number}",
                documentType=1,
                documentNumber=f"DocumentNumber_{number}",
                phoneNumber=f"ContactsPhoneNum_{number}",
            )
            for number in ("One", "Two")
        ],
    }  # fmt: skip


def _food(new_id: Callable[[], str]) -> dict[str, Rows]:
    return {
        "station_food_store": [
            STATION_FOOD_STORE.new(
                id=new_id(), stationName=station, storeName=name, telephone=telephone, businessTime=hours,
                deliveryFee=fee, foodList=_menu(menu),
            )
            for station, name, telephone, hours, fee, menu in _SHOPS
        ],
        "train_food": [{"id": new_id(), "tripId": trip, "foodList": _menu(menu)} for trip, menu in _TRAIN_FOOD],
    }  # fmt: skip


def _menu(menu: tuple[tuple[str, float], ...]) -> Rows:
    return [{"foodName": name, "price": float(price)} for name, price in menu]


def _orders(new_id: Callable[[], str]) -> dict[str, Rows]:
    bought = now_text()
    common = {
        "boughtDate": bought, "travelDate": "2022-10-01 00:00:00", "travelTime": "2022-10-01 00:00:00",
        "accountId": USER_ID, "documentType": 1, "coachNumber": 5, "seatClass": 2,
    }  # fmt: skip
    one = {"contactsName": "Contacts_One", "contactsDocumentNumber": "DocumentNumber_One"}
    other = {"contactsName": "Test", "contactsDocumentNumber": "Test"}
    fast = common | one | {"seatNumber": "FirstClass-30", "status": 0, "price": "100.0"}
    return {
        "orders": [
            {**fast, "id": new_id(), "trainNumber": train, "from": start, "to": end}
            for train, start, end in (
                ("G1237", "nanjing", "shanghaihongqiao"),
                ("G1234", "shanghai", "beijing"),
                ("G1235", "shanghai", "beijing"),
            )
        ],
        "orders_other": [
            {**common, **other, "id": new_id(), "trainNumber": "K1235", "from": "shanghai", "to": "taiyuan",
             "seatNumber": "6A", "status": 1, "price": "100"}
        ],
        "inside_money": [{"id": new_id(), "userId": USER_ID, "money": "10000", "type": "A"}],
        "payment": [
            {"id": new_id(), "orderId": "5ad7750b-a68b-49c0-a8c0-32776b067701", "userId": USER_ID, "price": "10000.0"}
        ],
    }  # fmt: skip
