"""The failures of a service, told apart by class and by `kind`, each with the text that the caller gets."""

from typing import Literal

TransportKind = Literal["resolve", "refused", "closed", "timeout", "protocol"]

TRANSPORT_MESSAGES: dict[str, str] = {
    "resolve": "Could not resolve host for client socket.",
    "refused": "connect() failed: Connection refused",
    "closed": "No more data to read.",
    "timeout": "THRIFT_EAGAIN (timed out)",
    "protocol": "Invalid data in the answer of the peer.",
}


class ServiceException(Exception):  # noqa: N818 - the name the original systems use
    """A declared failure: part of the interface of a method. Travels with its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RemoteError(Exception):
    """An undeclared failure a peer reported; its message is the peer's message, unchanged."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TransportError(Exception):
    """A call that got no whole answer. `kind`: resolve, refused, closed (mid-call), timeout, protocol."""

    def __init__(self, kind: TransportKind, message: str = "") -> None:
        super().__init__(message or TRANSPORT_MESSAGES[kind])
        self.kind = kind
        self.message = message or TRANSPORT_MESSAGES[kind]


class StoreError(Exception):
    """A store that refused or was not there. `kind`: a transport kind, or "reply" for the store's own error text.

    `sqlstate` is PostgreSQL's five characters ("23505": unique violation), "" for Redis.
    """

    def __init__(self, kind: str, message: str, sqlstate: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.sqlstate = sqlstate
