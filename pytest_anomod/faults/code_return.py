"""Fault code_return: a function returns a wrong value after doing its work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._code import CodeFault
from pytest_anomod.faults._parameters import refuse, whole
from pytest_anomod.model.fault import Json, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeReturn(CodeFault):
    """Every call of the function does its work and returns `value`, unless it raises: the value is changed on its way.

    The probe's result is then `expect`, or `value` if that is None. Where the wrong value makes an HTTP probe fail,
    `status` is what it fails with, 500 say for a null that nobody looked for.
    """

    name: ClassVar[str] = "code_return"

    value: Json = None
    expect: Json = None
    status: int | None = None

    def __post_init__(self) -> None:
        CodeFault.__post_init__(self)
        for field in ("value", "expect"):
            if not _is_json(getattr(self, field)):
                refuse(self, field, "must be a JSON value")
        if self.status is None:
            return
        whole(self, "status", 400, 599, "(an HTTP status of failure)")
        if " " not in self.probe or self.expect is not None:
            refuse(self, "status", "needs a probe over HTTP, and no `expect`: a probe that fails has no result")

    def patch(self) -> Mapping[str, Json]:
        return {"action": "return", "value": self.value}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the probe returns, or fails with, what it only does when the function is wrong."""
        answer, _ = self.ask(deployment, target)
        wrong = self.value if self.expect is None else self.expect
        evidence = {"result": answer.get("result"), "status": answer.get("status"), "answered": bool(answer)}
        if self.status is not None:
            return Observation(active=evidence["status"] == self.status, evidence=evidence)
        evidence["expected_when_wrong"] = wrong
        return Observation(active="result" in answer and answer["result"] == wrong, evidence=evidence)


def _is_json(value: object) -> bool:
    match value:
        case None | bool() | int() | float() | str():
            return True
        case list():
            return all(map(_is_json, value))
        case dict():
            return all(isinstance(key, str) for key in value) and all(map(_is_json, value.values()))
    return False


OFFERS = (CodeReturn,)
