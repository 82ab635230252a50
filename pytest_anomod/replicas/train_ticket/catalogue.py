"""Every deployed service with what it calls, and the gateway's prefixes: the static side of the call graph."""

from pytest_anomod.replicas.kit.system import ServiceSpec

GATEWAY, DASHBOARD = "ts-gateway-service", "ts-ui-dashboard"

PREFIXES = {
    "/api/v1/adminbasicservice": "ts-admin-basic-info-service",
    "/api/v1/adminorderservice": "ts-admin-order-service",
    "/api/v1/adminrouteservice": "ts-admin-route-service",
    "/api/v1/admintravelservice": "ts-admin-travel-service",
    "/api/v1/adminuserservice/users": "ts-admin-user-service",
    "/api/v1/assuranceservice": "ts-assurance-service",
    "/api/v1/auth": "ts-auth-service",
    "/api/v1/users": "ts-auth-service",
    "/api/v1/avatar": "ts-avatar-service",
    "/api/v1/basicservice": "ts-basic-service",
    "/api/v1/cancelservice": "ts-cancel-service",
    "/api/v1/configservice": "ts-config-service",
    "/api/v1/consignpriceservice": "ts-consign-price-service",
    "/api/v1/consignservice": "ts-consign-service",
    "/api/v1/contactservice": "ts-contacts-service",
    "/api/v1/executeservice": "ts-execute-service",
    "/api/v1/foodservice": "ts-food-service",
    "/api/v1/inside_pay_service": "ts-inside-payment-service",
    "/api/v1/notifyservice": "ts-notification-service",
    "/api/v1/orderOtherService": "ts-order-other-service",
    "/api/v1/orderservice": "ts-order-service",
    "/api/v1/paymentservice": "ts-payment-service",
    "/api/v1/preserveotherservice": "ts-preserve-other-service",
    "/api/v1/preserveservice": "ts-preserve-service",
    "/api/v1/priceservice": "ts-price-service",
    "/api/v1/rebookservice": "ts-rebook-service",
    "/api/v1/routeplanservice": "ts-route-plan-service",
    "/api/v1/routeservice": "ts-route-service",
    "/api/v1/seatservice": "ts-seat-service",
    "/api/v1/securityservice": "ts-security-service",
    "/api/v1/stationfoodservice": "ts-station-food-service",
    "/api/v1/stationservice": "ts-station-service",
    "/api/v1/trainfoodservice": "ts-train-food-service",
    "/api/v1/trainservice": "ts-train-service",
    "/api/v1/travelplanservice": "ts-travel-plan-service",
    "/api/v1/travelservice": "ts-travel-service",
    "/api/v1/travel2service": "ts-travel2-service",
    "/api/v1/userservice/users": "ts-user-service",
    "/api/v1/verifycode": "ts-verification-code-service",
}
"""The service behind each path prefix of the gateway."""

CALLS = {
    "admin-basic-info": "contacts station train config price",
    "admin-order": "order order-other",
    "admin-route": "route station",
    "admin-travel": "travel travel2 station train route",
    "admin-user": "user",
    "assurance": "tsdb-mysql",
    "auth": "verification-code tsdb-mysql",
    "avatar": "",
    "basic": "station train route price",
    "cancel": "order order-other inside-payment user",
    "config": "tsdb-mysql",
    "consign-price": "tsdb-mysql",
    "consign": "consign-price tsdb-mysql",
    "contacts": "tsdb-mysql",
    "delivery": "tsdb-mysql rabbitmq",
    "execute": "order order-other",
    "food-delivery": "station-food tsdb-mysql",
    "food": "train-food travel station-food tsdb-mysql rabbitmq",
    "inside-payment": "order order-other payment tsdb-mysql",
    "news": "",
    "notification": "tsdb-mysql rabbitmq",
    "order-other": "tsdb-mysql",
    "order": "tsdb-mysql",
    "payment": "tsdb-mysql",
    "preserve-other": "security contacts travel2 basic seat order-other assurance food consign user",
    "preserve": "security contacts travel basic seat order assurance food consign user",
    "price": "tsdb-mysql",
    "rebook": "order order-other travel travel2 inside-payment route train seat",
    "route-plan": "travel travel2 route",
    "route": "tsdb-mysql",
    "seat": "order order-other config",
    "security": "order order-other tsdb-mysql",
    "station-food": "tsdb-mysql",
    "station": "tsdb-mysql",
    "ticket-office": "tsdb-mysql",
    "train-food": "tsdb-mysql",
    "train": "tsdb-mysql",
    "travel-plan": "travel travel2 route-plan train seat",
    "travel": "train route basic seat tsdb-mysql",
    "travel2": "train route basic seat tsdb-mysql",
    "user": "auth tsdb-mysql",
    "verification-code": "",
    "voucher": "order order-other tsdb-mysql",
    "wait-order": "preserve tsdb-mysql",
}
"""What each service calls, both without "ts-" and "-service"; stores by their own names."""


def _name(short: str) -> str:
    return short if short in ("tsdb-mysql", "rabbitmq") else f"ts-{short}-service"


def _app(short: str, calls: str) -> ServiceSpec:
    name = _name(short)
    return ServiceSpec(name=name, module=name.replace("-", "_"), calls=tuple(_name(each) for each in calls.split()))


SERVICES = (
    ServiceSpec(
        name=GATEWAY,
        module="ts_gateway_service",
        kind="gateway",
        calls=tuple(dict.fromkeys(PREFIXES.values())),
    ),
    ServiceSpec(name=DASHBOARD, module="ts_ui_dashboard", kind="gateway", calls=(GATEWAY,)),
    *(_app(short, calls) for short, calls in CALLS.items()),
)
