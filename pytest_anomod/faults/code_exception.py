"""A function that raises instead of doing its work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._code import CodeFault
from pytest_anomod.faults._parameters import matches, unspoken
from pytest_anomod.model.fault import Json, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeException(CodeFault):
    """Every call of the function raises `exception` with `message`.

    That is a built-in one, or one that the module knows ("psycopg.OperationalError"), in Java by its full name. It does
    so where it would have returned: what stands before that has been done.
    """

    name: ClassVar[str] = "code_exception"

    exception: str = "RuntimeError"
    message: str = "list index out of range"

    def __post_init__(self) -> None:
        CodeFault.__post_init__(self)
        matches(self, "exception", r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*", "RuntimeError, the name of an exception")
        unspoken(self, "message")

    def patch(self) -> Mapping[str, Json]:
        return {"action": "raise", "exception": self.exception, "message": self.message}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the probe fails with that very message, or over HTTP with a status of 500 and above, or with none.

        What a web framework says to clients of an exception it did not expect is seldom the exception's message, and a
        plain server closes the connection.
        """
        answer, _ = self.ask(deployment, target)
        said = str((answer.get("error") or {}).get("message", ""))
        status = answer.get("status")
        failed = self.message in said if status is None else status >= 500 or not status
        return Observation(active=failed, evidence={"error": said, "status": status, "answered": bool(answer)})


OFFERS = (CodeException,)
