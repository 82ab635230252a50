"""ts-notification-service: mails, and the consumer of the queue email."""

from uuid import uuid4

import orjson

from pytest_anomod.replicas.kit.errors import TransportError

from . import mail
from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import WrongTypeError
from .calls import Call
from .entities import NOTIFY_INFO, NOTIFY_INFOS
from .messaging import EMAIL, consume, publish
from .rail import Row


class NotificationService(Backend):
    """A table of the notices that came from the queue; those that came by HTTP are only mailed."""

    base = "/api/v1/notifyservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Notification Service ] !")

    async def start(self) -> None:
        """Name the table and listen to the queue."""
        self.notices = self.repository(NOTIFY_INFOS)
        self.spawn(consume(self, EMAIL, self.process))
        await super().start()

    @endpoint("GET", "/test_send_mq")
    async def test_send(self, call: Call) -> bool:
        """Send what is no notice to the queue."""
        await publish(call, EMAIL, "test")
        return True

    @endpoint("GET", "/test_send_mail")
    async def test_send_mail(self, call: Call) -> bool:
        """Send a mail; whether it went is not told."""
        try:
            await mail.send(call, self.names, mail.plain("Test", mail.SENDER, "Test"))
        except (TransportError, OSError) as error:
            call.log.error(f"[testSendMail][{error}]")
        return True

    @endpoint("POST", "/notification/preserve_success", body=NOTIFY_INFO)
    async def preserve_success(self, call: Call, info: Row) -> bool:
        """Tell of a booking."""
        return await self.tell(call, "Preserve Success", info)

    @endpoint("POST", "/notification/order_create_success", body=NOTIFY_INFO)
    async def order_create_success(self, call: Call, info: Row) -> bool:
        """Tell of an order."""
        return await self.tell(call, "Order Create Success", info)

    @endpoint("POST", "/notification/order_changed_success", body=NOTIFY_INFO)
    async def order_changed_success(self, call: Call, info: Row) -> bool:
        """Tell of a changed order."""
        return await self.tell(call, "Order Changed Success", info)

    @endpoint("POST", "/notification/order_cancel_success", body=NOTIFY_INFO)
    async def order_cancel_success(self, call: Call, info: Row) -> bool:
        """Tell of a cancelled order."""
        return await self.tell(call, "Order Cancel Success", info)

    async def process(self, call: Call, payload: str) -> None:
        """Mail one notice of the queue and store whether that worked; what is no notice is dropped."""
        try:
            info = NOTIFY_INFO.read(orjson.loads(payload))
        except (ValueError, WrongTypeError) as error:
            call.log.error(f"[process][json2Object][{payload:.200}][{error}]")
            return
        if info is None:
            call.log.error("[process][Receive null notice]")
            return
        info["sendStatus"] = await self.tell(call, "Preserve Success", info)
        info["id"] = str(uuid4())
        await self.notices.insert(call, info)

    async def tell(self, call: Call, subject: str, info: Row) -> bool:
        """Mail a notice; false when a value is missing or the mail server is."""
        try:
            await mail.send(call, self.names, mail.letter(subject, info))
        except (ValueError, TransportError, OSError) as error:
            call.log.error(f"[sendEmail][{subject}][{error}]")
            return False
        return True


SERVICE = NotificationService
