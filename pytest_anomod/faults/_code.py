"""What faults in the code of a running service share: the patch through its agent, and a call that shows the patch."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _speak
from pytest_anomod.faults._agents import tell_while_it_runs
from pytest_anomod.faults._parameters import matches, refuse, refuse_target
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import CodeLocation, FaultDefaults, Json, Level
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_FUNCTION = r"[\w$@-][\w$@./-]*:[\w$<>]+(\.[\w$<>]+)*(\([\w$.,\[\] ]*\))?"
"""Where it is, a module, class or file, and its name in there; in Java with the types of its arguments, if need be."""
_PROBE = r"[A-Za-z]\w*|(GET|POST|PUT|PATCH|DELETE) /[!-~]*"
_WITHOUT_BODY = ("GET ", "DELETE ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeFault(FaultDefaults):
    """A change of `function` of the target, seen by calling `probe` with `arguments`.

    The function is "module:Class.function" in Python, "com.acme.Orders:total" in Java, "lib/prices.js:total" in Node.

    `probe` is what runs through the function and changes nothing that lasts: an RPC method of the target, whose
    arguments `arguments` are, or an HTTP request to the target itself, "POST /carts/7", whose JSON body they are (none
    for GET and DELETE). It bears the headers that the system has for probes, if it has some (a token, say). `{unique}`
    in a text of the arguments is another one in each call, for a function that takes another way the second time.
    """

    level: ClassVar[Level] = Level.CODE
    needs: ClassVar[frozenset[type]] = frozenset({Agent})
    holds: ClassVar[str] = "patch"

    function: str
    probe: str
    arguments: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        matches(self, "function", _FUNCTION, "module:Class.function, com.acme.Orders:total or lib/prices.js:total")
        matches(self, "probe", _PROBE, "ComposeText, a method of the target, or GET /carts/7, a request to it")
        if not isinstance(self.arguments, Mapping):
            refuse(self, "arguments", "must be a JSON object, the arguments of the probe by name")
        if self.arguments and self.probe.startswith(_WITHOUT_BODY):
            refuse(self, "arguments", f"must be empty: {self.probe!r} has no body; put them into its path")

    def patch(self) -> Mapping[str, Json]:
        """The change of the function, for the agent."""
        return {}

    def check(self, system: System, target: str) -> None:
        if system.service(target).kind not in (ServiceKind.APP, ServiceKind.GATEWAY):
            refuse_target(self, target, "a store runs no code of the system")

    def locate(self, deployment: Deployment, target: str) -> CodeLocation:
        """The place of the function in the source, as the running service reports it."""
        found = _agent(deployment, target, "/code/locate", {"function": self.function})
        return CodeLocation(**{field.name: found[field.name] for field in dataclasses.fields(CodeLocation)})

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        location = _agent(deployment, target, "/code/patch", {"function": self.function, **self.patch()})
        return {"location": location, "instance": instance_of(deployment, target).instance_id}

    def recover(self, deployment: Deployment, target: str) -> None:
        """Restore the function; a process that is gone has taken the change with it."""
        tell_while_it_runs(deployment, target, "/code/restore", {"function": self.function})

    def ask(self, deployment: Deployment, target: str, timeout_s: float = 5.0) -> tuple[Json, float]:
        """Call the probe: its answer ({"result": ...} or {"error": ...}, {} if none came) and the seconds it took.

        The answer to an HTTP request has its "status", too.
        """
        address = instance_of(deployment, target).address
        verb, _, path = self.probe.partition(" ")
        unique = uuid.uuid4().hex
        arguments = {
            name: value.replace("{unique}", unique) if isinstance(value, str) else value
            for name, value in self.arguments.items()
        }
        try:
            if not path:
                return _speak.call(address, self.probe, arguments, timeout_s)
            body = None if self.probe.startswith(_WITHOUT_BODY) else arguments
            headers = catalog.find("systems", deployment.system).probe_headers()
            return _speak.request(address, verb, path, body, headers, timeout_s)
        except DeploymentError:
            return {}, 0.0


def _agent(deployment: Deployment, target: str, path: str, payload: Json) -> Json:
    try:
        return need(deployment, Agent, target).ask(path, payload)
    except DeploymentError as error:
        msg = f"the code of {target!r} can't be changed ({path} {payload['function']}): {error}"
        raise InjectionError(msg) from error
