"""A suite in the layout of AnoMod's published ones: unittest, single calls, base URL and token from the environment.

pytest experiments/train_ticket -k httpabort_preserve --anomod-suite experiments/suites/train_ticket_unittest.py
"""

import datetime
import os
import random
import unittest
import uuid

import requests

BASE_URL = os.environ.get("BASE_URL", "http://localhost:18888")
HEADERS = {"Authorization": f"Bearer {os.environ.get('TT_AUTH_TOKEN', '')}"}
TIMEOUT = 10
NOBODY = str(uuid.UUID(int=0))


def get(path, **options):
    return requests.get(BASE_URL + path, headers=HEADERS, timeout=TIMEOUT, **options)


def post(path, body):
    return requests.post(BASE_URL + path, json=body, headers=HEADERS, timeout=TIMEOUT)


def some_day():
    """Far ahead, so that no train is ever sold out."""
    return f"{datetime.date(2035, 1, 1) + datetime.timedelta(days=random.randrange(2000))} 00:00:00"


class ReadingTest(unittest.TestCase):
    """Lists and single things, each of another service."""

    def ok(self, path, status=200):
        answer = get(path)
        assert answer.status_code == status, answer.text

    def test_stations(self):
        self.ok("/api/v1/stationservice/stations")

    def test_trains(self):
        self.ok("/api/v1/trainservice/trains")

    def test_routes(self):
        self.ok("/api/v1/routeservice/routes")

    def test_prices(self):
        self.ok("/api/v1/priceservice/prices")

    def test_configs(self):
        self.ok("/api/v1/configservice/configs")

    def test_trips(self):
        self.ok("/api/v1/travelservice/trips")

    def test_other_trips(self):
        self.ok("/api/v1/travel2service/trips")

    def test_contacts(self):
        self.ok("/api/v1/contactservice/contacts")

    def test_foods(self):
        self.ok("/api/v1/trainfoodservice/trainfoods")

    def test_assurance_types(self):
        self.ok("/api/v1/assuranceservice/assurances/types")

    def test_security_of_nobody(self):
        self.ok(f"/api/v1/securityservice/securityConfigs/{NOBODY}")

    def test_user_by_a_bad_id(self):
        self.ok("/api/v1/userservice/users/id/none", 500)

    def test_admin_orders_of_a_user(self):
        self.ok("/api/v1/adminorderservice/adminorder", 403)

    def test_no_such_path(self):
        self.ok("/api/v1/stationservice/none", 404)


class BookingTest(unittest.TestCase):
    """Searches, and bookings by somebody new."""

    def test_search(self):
        question = {"startPlace": "nanjing", "endPlace": "shanghai", "departureTime": some_day()}
        answer = post("/api/v1/travelservice/trips/left", question)
        assert answer.status_code == 200
        assert answer.json()["data"]

    def test_book(self):
        account = str(uuid.uuid4())
        contact = {
            "accountId": account, "name": "Contacts_One", "documentType": 1, "documentNumber": f"d{account}",
            "phoneNumber": "19921940977",
        }  # fmt: skip
        contact_id = post("/api/v1/contactservice/contacts", contact).json()["data"]["id"]
        wish = {
            "accountId": account, "contactsId": contact_id, "tripId": "G1237", "seatType": random.choice([2, 3]),
            "date": some_day(), "from": "suzhou", "to": "shanghai", "assurance": 0, "foodType": 0,
        }  # fmt: skip
        answer = post("/api/v1/preserveservice/preserve", wish)
        assert answer.status_code == 200, answer.text

    def test_book_for_nobody(self):
        wish = {
            "accountId": NOBODY, "contactsId": NOBODY, "tripId": "G1237", "seatType": 2, "date": some_day(),
            "from": "suzhou", "to": "shanghai", "assurance": 0, "foodType": 0,
        }  # fmt: skip
        answer = post("/api/v1/preserveservice/preserve", wish)
        assert answer.json()["status"] == 0

    def test_orders_of_nobody(self):
        answer = post("/api/v1/orderservice/order/refresh", {"loginId": NOBODY})
        assert answer.status_code == 200


if __name__ == "__main__":
    unittest.main()
