"""What faults in the code of a running service share: the patch through its agent, and a call that shows the patch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _speak
from pytest_anomod.faults._parameters import matches, refuse, refuse_target
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Ability, CodeLocation, FaultDefaults, Json, Level
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeFault(FaultDefaults):
    """A change of `function` ("module:Class.function" of the target), seen by calling `probe` with `arguments`.

    `probe` names an RPC method of the target that runs through the function and changes nothing that lasts;
    `arguments` are those of the method, a JSON object.
    """

    level: ClassVar[Level] = Level.CODE
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.CODE})

    function: str
    probe: str
    arguments: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        matches(self, "function", r"[A-Za-z_]\w*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "module:Class.function")
        matches(self, "probe", r"[A-Za-z]\w*", "ComposeText, a method of the target")
        if not isinstance(self.arguments, Mapping):
            refuse(self, "arguments", "must be a JSON object, the arguments of the probe by name")

    def patch(self) -> Mapping[str, Json]:
        """What the agent shall make of the function."""
        return {}

    def check(self, system: System, target: str) -> None:
        if system.service(target).kind not in (ServiceKind.APP, ServiceKind.GATEWAY):
            refuse_target(self, target, "a store runs no code of the system")

    def locate(self, deployment: Deployment, target: str) -> CodeLocation:
        """The function in the source, by the running service's own word."""
        found = _agent(deployment, target, "/code/locate", {"function": self.function})
        return CodeLocation(**{field.name: found[field.name] for field in dataclasses.fields(CodeLocation)})

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        location = _agent(deployment, target, "/code/patch", {"function": self.function, **self.patch()})
        return {"location": location, "instance": deployment.instance(target).instance_id}

    def recover(self, deployment: Deployment, target: str) -> None:
        """Restore the function; a process that is gone has taken the change with it."""
        while deployment.instance(target).state == "running":
            before = deployment.instance(target)
            try:
                _agent(deployment, target, "/code/restore", {"function": self.function})
                return
            except InjectionError:
                clock.sleep(0.2)  # it may have died just now, which the deployment finds out soon
                if deployment.instance(target) == before:
                    raise

    def ask(self, deployment: Deployment, target: str, timeout_s: float = 5.0) -> tuple[Json, float]:
        """Call the probe: its answer ({"result": ...} or {"error": ...}, {} if none came) and the seconds it took."""
        try:
            return _speak.call(deployment.instance(target).address, self.probe, self.arguments, timeout_s)
        except DeploymentError:
            return {}, 0.0


def _agent(deployment: Deployment, target: str, path: str, payload: Json) -> Json:
    try:
        return deployment.agent(target, path, payload)
    except DeploymentError as error:
        msg = f"the code of {target!r} can't be changed ({path} {payload['function']}): {error}"
        raise InjectionError(msg) from error
