"""ts-admin-basic-info-service: contacts, stations, trains, configuration and prices for administrators.

Lists are open, everything else is for administrators; each answer is that of the service that was asked.
"""

from typing import Any

from .access import ADMINS, everyone
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import ADMIN_CONTACT, CONFIG, PRICE_INFO, STATION, TRAIN_TYPE
from .envelope import Envelope

Row = dict[str, Any]

CONTACTS = ("ts-contacts-service", "/api/v1/contactservice/contacts")
STATIONS = ("ts-station-service", "/api/v1/stationservice/stations")
TRAINS = ("ts-train-service", "/api/v1/trainservice/trains")
CONFIGS = ("ts-config-service", "/api/v1/configservice/configs")
PRICES = ("ts-price-service", "/api/v1/priceservice/prices")


class AdminBasicInfoService(Backend):
    """Four operations for each of five services."""

    base = "/api/v1/adminbasicservice"
    rules = (
        *(everyone(f"/adminbasic/{name}", "GET") for name in ("contacts", "stations", "trains", "configs", "prices")),
        *ADMINS,
    )
    welcome = welcome("/welcome", "Welcome to [ AdminBasicInfo Service ] !")

    @endpoint("GET", "/adminbasic/contacts")
    async def get_all_contacts(self, call: Call) -> Envelope:
        """Every contact."""
        return await call.get(*CONTACTS)

    @endpoint("POST", "/adminbasic/contacts", body=ADMIN_CONTACT)
    async def add_contact(self, call: Call, contact: Row) -> Envelope:
        """A new contact."""
        peer, path = CONTACTS
        return await call.post(peer, f"{path}/admin", body=contact)

    @endpoint("PUT", "/adminbasic/contacts", body=ADMIN_CONTACT)
    async def modify_contact(self, call: Call, contact: Row) -> Envelope:
        """Write over a contact."""
        return await call.put(*CONTACTS, body=contact)

    @endpoint("DELETE", "/adminbasic/contacts/{contacts_id}")
    async def delete_contact(self, call: Call, contacts_id: str) -> Envelope:
        """Delete a contact."""
        peer, path = CONTACTS
        return await call.delete(peer, f"{path}/{{id}}", contacts_id)

    @endpoint("GET", "/adminbasic/stations")
    async def get_all_stations(self, call: Call) -> Envelope:
        """Every station."""
        return await call.get(*STATIONS)

    @endpoint("POST", "/adminbasic/stations", body=STATION)
    async def add_station(self, call: Call, station: Row) -> Envelope:
        """A new station."""
        peer, path = STATIONS
        return await call.post(peer, path, body=station)

    @endpoint("PUT", "/adminbasic/stations", body=STATION)
    async def modify_station(self, call: Call, station: Row) -> Envelope:
        """Write over a station."""
        return await call.put(*STATIONS, body=station)

    @endpoint("DELETE", "/adminbasic/stations/{station_id}")
    async def delete_station(self, call: Call, station_id: str) -> Envelope:
        """Delete a station."""
        peer, path = STATIONS
        return await call.delete(peer, f"{path}/{{id}}", station_id)

    @endpoint("GET", "/adminbasic/trains")
    async def get_all_trains(self, call: Call) -> Envelope:
        """Every train."""
        return await call.get(*TRAINS)

    @endpoint("POST", "/adminbasic/trains", body=TRAIN_TYPE)
    async def add_train(self, call: Call, train: Row) -> Envelope:
        """A new train."""
        peer, path = TRAINS
        return await call.post(peer, path, body=train)

    @endpoint("PUT", "/adminbasic/trains", body=TRAIN_TYPE)
    async def modify_train(self, call: Call, train: Row) -> Envelope:
        """Write over a train."""
        return await call.put(*TRAINS, body=train)

    @endpoint("DELETE", "/adminbasic/trains/{train_id}")
    async def delete_train(self, call: Call, train_id: str) -> Envelope:
        """Delete a train."""
        peer, path = TRAINS
        return await call.delete(peer, f"{path}/{{id}}", train_id)

    @endpoint("GET", "/adminbasic/configs")
    async def get_all_configs(self, call: Call) -> Envelope:
        """Every config."""
        return await call.get(*CONFIGS)

    @endpoint("POST", "/adminbasic/configs", body=CONFIG)
    async def add_config(self, call: Call, config: Row) -> Envelope:
        """A new config."""
        peer, path = CONFIGS
        return await call.post(peer, path, body=config)

    @endpoint("PUT", "/adminbasic/configs", body=CONFIG)
    async def modify_config(self, call: Call, config: Row) -> Envelope:
        """Write over a config."""
        return await call.put(*CONFIGS, body=config)

    @endpoint("DELETE", "/adminbasic/configs/{name}")
    async def delete_config(self, call: Call, name: str) -> Envelope:
        """Delete a config."""
        peer, path = CONFIGS
        return await call.delete(peer, f"{path}/{{id}}", name)

    @endpoint("GET", "/adminbasic/prices")
    async def get_all_prices(self, call: Call) -> Envelope:
        """Every price."""
        return await call.get(*PRICES)

    @endpoint("POST", "/adminbasic/prices", body=PRICE_INFO)
    async def add_price(self, call: Call, price: Row) -> Envelope:
        """A new price."""
        peer, path = PRICES
        return await call.post(peer, path, body=price)

    @endpoint("PUT", "/adminbasic/prices", body=PRICE_INFO)
    async def modify_price(self, call: Call, price: Row) -> Envelope:
        """Write over a price."""
        return await call.put(*PRICES, body=price)

    @endpoint("DELETE", "/adminbasic/prices/{price_id}")
    async def delete_price(self, call: Call, price_id: str) -> Envelope:
        """Delete a price."""
        peer, path = PRICES
        return await call.delete(peer, f"{path}/{{id}}", price_id)


SERVICE = AdminBasicInfoService
