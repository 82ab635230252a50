"""Mail as the notification service sends it: a text made from the content, and a mail server that nobody runs here.

The server's name is one of the deployment like all others, so that a mail can arrive where somebody answers to it; as
in the original, which had no way out of its cluster, nobody does.
"""

import asyncio
import smtplib
from email.message import EmailMessage

from pytest_anomod.replicas.kit.net import NameTable

from .calls import Call
from .rail import Row

SERVER = "smtp.163.com:465"
SENDER = "trainticket_notify@163.com"
WITHIN_S = 5.0

LETTERS = {
    "Preserve Success": "Dear {username}, your order {orderNumber} from {startPlace} to {endPlace} on {date} at"
    " {startTime} is reserved: {seatClass}, seat {seatNumber}, {price}.",
    "Order Create Success": "Dear {username}, order {orderNumber} from {startPlace} to {endPlace} on {date} at"
    " {startTime} was created: {seatClass}, seat {seatNumber}, {price}.",
    "Order Changed Success": "Dear {username}, order {orderNumber} was changed: now from {startPlace} to {endPlace}"
    " on {date} at {startTime}, {seatClass}, seat {seatNumber}.",
    "Order Cancel Success": "Dear {username}, order {orderNumber} was cancelled; {price} goes back to you.",
}


def letter(subject: str, info: Row) -> EmailMessage:
    """The mail about an order; ValueError names a value that the text needs and the content does not have."""
    text = LETTERS[subject]
    missing = [name for name, value in info.items() if value is None and f"{{{name}}}" in text]
    if missing or info["email"] is None:
        raise ValueError(f"the mail lacks {', '.join(missing) or 'an address'}")
    return plain(subject, info["email"], text.format(**info))


def plain(subject: str, address: str, text: str) -> EmailMessage:
    """A mail of plain text; ValueError for an address of several lines."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, address, subject
    message.set_content(text)
    return message


async def send(call: Call, names: NameTable, message: EmailMessage) -> None:
    """Hand a mail to the server; TransportError when there is none, OSError when it does not take it."""
    with call.ctx.client_span("SMTP send", SERVER) as span:
        span.attributes["messaging.system"] = "smtp"
        port = names.resolve(SERVER)
        await asyncio.to_thread(_hand_over, names.host(SERVER), port, message)


def _hand_over(host: str, port: int, message: EmailMessage) -> None:
    with smtplib.SMTP(host, port, timeout=WITHIN_S) as server:
        server.send_message(message)
