"""Fault code_exception: a function raises where it would return."""

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

    The exception is built in, or a name of the module ("psycopg.OperationalError"), in Java a full name. It is raised
    where the function would have returned: the statements before have run.
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

        Web frameworks seldom send the message of an unexpected exception to clients, and a plain server closes the
        connection.
        """
        answer, _ = self.ask(deployment, target)
        said = str((answer.get("error") or {}).get("message", ""))
        status = answer.get("status")
        failed = self.message in said if status is None else status >= 500 or not status
        return Observation(active=failed, evidence={"error": said, "status": status, "answered": bool(answer)})


OFFERS = (CodeException,)
