"""ts-travel-plan-service: plans with transfers and rest tickets."""

from .access import OPEN
from .backend import Backend, welcome


class TravelPlanService(Backend):
    """Plans with transfers and rest tickets."""

    base = "/api/v1/travelplanservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ TravelPlan Service ] !")


SERVICE = TravelPlanService
