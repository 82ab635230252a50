"""Fault code_return: a function returns a wrong value after doing its work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._code import CodeFault
from pytest_anomod.faults._parameters import refuse
from pytest_anomod.model.fault import Json, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeReturn(CodeFault):
    """Every call of the function does its work and returns `value`, unless it raises: the value is changed on its way.

    The probe's result is then `expect`, or `value` if that is None.
    """

    name: ClassVar[str] = "code_return"

    value: Json = None
    expect: Json = None

    def __post_init__(self) -> None:
        CodeFault.__post_init__(self)
        for field in ("value", "expect"):
            if not _is_json(getattr(self, field)):
                refuse(self, field, "must be a JSON value")

    def patch(self) -> Mapping[str, Json]:
        return {"action": "return", "value": self.value}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the probe returns what it only returns when the function is wrong."""
        answer, _ = self.ask(deployment, target)
        wrong = self.value if self.expect is None else self.expect
        evidence = {"result": answer.get("result"), "status": answer.get("status"), "answered": bool(answer)}
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
