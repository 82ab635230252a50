"""A small suite in pytest style for TrainTicket: a workload for `--anomod-suite`, with a new passenger each round.

pytest experiments/train_ticket -k killpod_preserve --anomod-suite experiments/suites/train_ticket_suite.py
"""

import datetime
import os
import random
import uuid

import pytest
import requests

BASE_URL = os.environ.get("ANOMOD_BASE_URL", "http://localhost:18888")


@pytest.fixture(scope="module")
def passenger():
    """A session that is logged in as somebody new, with one contact."""
    name = f"passenger_{uuid.uuid4().hex[:8]}"
    profile = {
        "userId": "", "userName": name, "password": "111111", "gender": 1, "documentType": 1,
        "documentNum": "12345678901234", "email": f"{name}@example.com",
    }  # fmt: skip
    requests.post(BASE_URL + "/api/v1/userservice/users/register", json=profile)
    answer = requests.post(BASE_URL + "/api/v1/users/login", json={"username": name, "password": "111111"})
    account = answer.json()["data"]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {account['token']}"
    session.account_id = account["userId"]
    contact = {
        "accountId": session.account_id, "name": "Contacts_One", "documentType": 1,
        "documentNumber": f"Document_{name}", "phoneNumber": "19921940977",
    }  # fmt: skip
    session.contact_id = session.post(BASE_URL + "/api/v1/contactservice/contacts", json=contact).json()["data"]["id"]
    with session:
        yield session


@pytest.fixture
def day():
    """Some day far ahead, so that no train is ever sold out."""
    date = datetime.date(2035, 1, 1) + datetime.timedelta(days=random.randrange(2000))
    return f"{date} 00:00:00"


def booking(passenger, day: str, **changes) -> dict:
    """What a booking asks for."""
    wish = {
        "accountId": passenger.account_id, "contactsId": passenger.contact_id, "tripId": "G1237", "seatType": 2,
        "date": day, "from": "suzhou", "to": "shanghai", "assurance": 0, "foodType": 0,
    }  # fmt: skip
    return wish | changes


def test_search(passenger, day):
    question = {"startPlace": "nanjing", "endPlace": "shanghai", "departureTime": day}
    answer = passenger.post(BASE_URL + "/api/v1/travelservice/trips/left", json=question)
    assert answer.status_code == 200
    assert len(answer.json()["data"]) > 0


@pytest.mark.parametrize("seat_type", [2, 3])
def test_book(passenger, day, seat_type):
    wish = booking(passenger, day, seatType=seat_type)
    answer = passenger.post(BASE_URL + "/api/v1/preserveservice/preserve", json=wish)
    assert answer.status_code == 200
    assert answer.json()["msg"] == "Success."


def test_book_and_cancel(passenger, day):
    wish = booking(passenger, day)
    assert passenger.post(BASE_URL + "/api/v1/preserveservice/preserve", json=wish).json()["status"] == 1
    asked = {"loginId": passenger.account_id}
    orders = passenger.post(BASE_URL + "/api/v1/orderservice/order/refresh", json=asked).json()["data"]
    order_id = next(order["id"] for order in orders if order["status"] == 0)
    path = f"/api/v1/cancelservice/cancel/{order_id}/{passenger.account_id}"
    assert passenger.get(BASE_URL + path).json()["status"] == 1


def test_book_for_nobody(passenger, day):
    wish = booking(passenger, day, contactsId=str(uuid.uuid4()))
    answer = passenger.post(BASE_URL + "/api/v1/preserveservice/preserve", json=wish)
    assert answer.json()["status"] == 0


def test_book_without_a_token(passenger, day):
    answer = requests.post(BASE_URL + "/api/v1/preserveservice/preserve", json=booking(passenger, day))
    assert answer.status_code == 403


def test_an_order_that_is_no_uuid(passenger):
    assert passenger.get(BASE_URL + "/api/v1/orderservice/order/security/2035-01-01/nobody").status_code in (200, 500)


def test_stations():
    answer = requests.get(BASE_URL + "/api/v1/stationservice/stations")
    assert answer.status_code == 200
    assert len(answer.json()["data"]) >= 13
