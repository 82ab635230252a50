"""ts-notification-service: mails, and the consumer of the queue email."""

from .access import OPEN
from .backend import Backend, welcome


class NotificationService(Backend):
    """Mails, and the consumer of the queue email."""

    base = "/api/v1/notifyservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Notification Service ] !")


SERVICE = NotificationService
