"""ts-route-plan-service: cheapest, quickest and shortest routes."""

from .access import OPEN
from .backend import Backend, welcome


class RoutePlanService(Backend):
    """Cheapest, quickest and shortest routes."""

    base = "/api/v1/routeplanservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ RoutePlan Service ] !")


SERVICE = RoutePlanService
