"""TrainTicket of FudanSELab: its services and stores, who calls whom, and the mixed workload of its users.

Names, calls and request shapes are those of the original as AnoMod deployed it. What a journey does is told at its
function; the mix, in shares of all arrivals:

| journey | share | what it is |
|---|---|---|
| search | 15 % | which trains go |
| plan | 2 % | the cheapest, quickest or shortest way |
| look-at-orders | 15 % | the orders of both lines |
| book | 24 % | a booking, with insurance, food and luggage by chance |
| travel | 12 % | search, book, pay, collect, enter |
| cancel | 9 % | book, pay or not, cancel |
| rebook | 5 % | book, pay, change the train, pay the difference |
| consign | 4 % | book, send luggage |
| order-food | 4 % | book, order food |
| sign-up | 4 % | a new passenger, who then takes part |
| open-page | 3 % | the web page |
| administrate | 3 % | one of the administrator's pages |

Four in five trips are of G and D trains, so that 50 % of the journeys go through the booking of those, which is where
most scenarios put their faults: at the default rate that is four bookings a second.

Left out of the services is the registry (Nacos with its database): the runtime itself tells services where others are.
"""

from __future__ import annotations

from pytest_anomod.model.system import Journey, Original, Replica, Service, ServiceKind, System
from pytest_anomod.systems import _train_ticket_journeys as journeys
from pytest_anomod.systems._logins import train_ticket_login
from pytest_anomod.systems._train_ticket_token import administrator_headers
from pytest_anomod.systems._train_ticket_users import sign_up

GATEWAY, DASHBOARD = "ts-gateway-service", "ts-ui-dashboard"
DATABASE, QUEUE = "tsdb-mysql", "rabbitmq"

_NOT_ROUTED = {"delivery", "food-delivery", "news", "ticket-office", "voucher", "wait-order"}
"""Services that the gateway does not lead to."""

_CALLS = {
    "admin-basic-info": "config contacts price station train",
    "admin-order": "order order-other",
    "admin-route": "route station",
    "admin-travel": "route station train travel travel2",
    "admin-user": "user",
    "assurance": "tsdb-mysql",
    "auth": "verification-code tsdb-mysql",
    "avatar": "",
    "basic": "price route station train",
    "cancel": "inside-payment order order-other user",
    "config": "tsdb-mysql",
    "consign": "consign-price tsdb-mysql",
    "consign-price": "tsdb-mysql",
    "contacts": "tsdb-mysql",
    "delivery": "rabbitmq tsdb-mysql",
    "execute": "order order-other",
    "food": "station-food train-food travel rabbitmq tsdb-mysql",
    "food-delivery": "station-food tsdb-mysql",
    "inside-payment": "order order-other payment tsdb-mysql",
    "news": "",
    "notification": "rabbitmq tsdb-mysql",
    "order": "tsdb-mysql",
    "order-other": "tsdb-mysql",
    "payment": "tsdb-mysql",
    "preserve": "assurance basic consign contacts food order seat security travel user",
    "preserve-other": "assurance basic consign contacts food order-other seat security travel2 user",
    "price": "tsdb-mysql",
    "rebook": "inside-payment order order-other route seat train travel travel2",
    "route": "tsdb-mysql",
    "route-plan": "route travel travel2",
    "seat": "config order order-other",
    "security": "order order-other tsdb-mysql",
    "station": "tsdb-mysql",
    "station-food": "tsdb-mysql",
    "ticket-office": "tsdb-mysql",
    "train": "tsdb-mysql",
    "train-food": "tsdb-mysql",
    "travel": "basic route seat train tsdb-mysql",
    "travel-plan": "route-plan seat train travel travel2",
    "travel2": "basic route seat train tsdb-mysql",
    "user": "auth tsdb-mysql",
    "verification-code": "",
    "voucher": "order order-other tsdb-mysql",
    "wait-order": "preserve tsdb-mysql",
}
"""What each service calls, both without "ts-" and "-service"; a queue is called by those who read it, too."""


_MANIFESTS = "deployment/docker-compose-manifests"
_OTHER_NAMES = {
    "ts-preserve-service": ("ts-ticket-purchase-service",),
    "ts-price-service": ("ts-ticket-service",),
    "ts-travel-plan-service": ("ts-ticket-plan-service",),
    "ts-food-service": ("ts-food-booking-service",),
    "ts-station-food-service": ("ts-food-merchant-service", "ts-food-map-service"),
    "ts-train-food-service": ("ts-food-list-service",),
}
"""Names that services had in compose files of some versions of the original."""


def _name(short: str) -> str:
    return short if short in (DATABASE, QUEUE) else f"ts-{short}-service"


def _app(short: str, calls: str) -> Service:
    return Service(name=_name(short), kind=ServiceKind.APP, calls=tuple(map(_name, calls.split())))


_SERVICES = (
    Service(
        name=GATEWAY,
        kind=ServiceKind.GATEWAY,
        calls=tuple(_name(short) for short in _CALLS if short not in _NOT_ROUTED),
    ),
    Service(name=DASHBOARD, kind=ServiceKind.GATEWAY, calls=(GATEWAY,)),
    *(_app(short, calls) for short, calls in _CALLS.items()),
    Service(name=DATABASE, kind=ServiceKind.DOCSTORE, engine="postgresql"),
    Service(name=QUEUE, kind=ServiceKind.QUEUE, engine="redis"),
)

TRAIN_TICKET = System(
    name="train_ticket",
    services=_SERVICES,
    entry=GATEWAY,
    journeys=(
        Journey(name="search", weight=0.15, play=journeys.search),
        Journey(name="plan", weight=0.02, play=journeys.plan),
        Journey(name="look-at-orders", weight=0.15, play=journeys.look_at_orders),
        Journey(name="book", weight=0.24, play=journeys.book),
        Journey(name="travel", weight=0.12, play=journeys.travel),
        Journey(name="cancel", weight=0.09, play=journeys.cancel),
        Journey(name="rebook", weight=0.05, play=journeys.rebook),
        Journey(name="consign", weight=0.04, play=journeys.consign),
        Journey(name="order-food", weight=0.04, play=journeys.order_food),
        Journey(name="sign-up", weight=0.04, play=sign_up),
        Journey(name="open-page", weight=0.03, play=journeys.open_page),
        Journey(name="administrate", weight=0.03, play=journeys.administrate),
    ),
    rate_rps=8.0,
    deploys=(Replica(package="train_ticket"),),
    original=Original(
        files=(f"{_MANIFESTS}/docker-compose-with-jaeger.yml", f"{_MANIFESTS}/quickstart-docker-compose.yml"),
        names=_OTHER_NAMES,
        entries=(GATEWAY, DASHBOARD),
        own_stores=("-mysql", "-mongo"),
    ),
    probe_headers=administrator_headers,
    login=train_ticket_login,
    login_variables=("TT_AUTH_TOKEN",),
)

OFFERS = (TRAIN_TICKET,)
