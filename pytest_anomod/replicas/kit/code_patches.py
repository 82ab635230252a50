"""Changing what a function of a running service does, and changing it back.

The code object inside the function is swapped, so whoever holds a reference to the function sees the change; calls
under way end as they began.
"""

import asyncio
import builtins
import inspect
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Literal

from pytest_anomod.replicas.kit.coverage_meter import last_line
from pytest_anomod.replicas.kit.telemetry import source_path


class PatchError(Exception):
    """A patch that cannot be made; the message says what is wrong with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What a function shall do instead: raise an exception, return a value, or be late by `delay_s` seconds."""

    action: Literal["raise", "return", "delay"]
    exception: str = "RuntimeError"
    message: str = ""
    value: Any = None
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.action not in ("raise", "return", "delay"):
            raise PatchError(f"action {self.action!r} is none of raise, return, delay")


class CodePatches:
    """The patches of one process, by the name they were asked for ("module:Class.function")."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._originals: dict[str, tuple[FunctionType, CodeType]] = {}

    def locate(self, name: str) -> dict[str, Any]:
        """File, qualified name, first and last line of a function, of its original code."""
        function = self._find(name)
        code = self._originals[name][1] if name in self._originals else function.__code__
        return {
            "file": source_path(code.co_filename),
            "function": code.co_qualname,
            "first_line": code.co_firstlineno,
            "last_line": last_line(code),
        }

    def patch(self, name: str, patch: Patch) -> dict[str, Any]:
        """Apply a patch, in place of an earlier one of the same function, and return the location."""
        function = self._find(name)
        original = self._originals.get(name, (function, function.__code__))[1]
        if original.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
            raise PatchError(f"{name} is a generator; only plain and async functions can be changed")
        replacement = _replacement(function, original, patch)
        self._originals[name] = (function, original)
        function.__code__ = replacement
        return self.locate(name)

    def restore(self, name: str | None) -> None:
        """Give one function (or, for None, all) its own code back; one that was not patched is left alone."""
        for key in [name] if name is not None else list(self._originals):
            function, original = self._originals.pop(key, (None, None))
            if function is not None and original is not None:
                function.__code__ = original

    def patched(self) -> list[str]:
        """Names of the functions that are changed now."""
        return sorted(self._originals)

    def _find(self, name: str) -> FunctionType:
        module_name, _, qualified = name.partition(":")
        module = sys.modules.get(f"{self._package}.{module_name}")
        if module is None or not qualified:
            raise PatchError(f"{name!r}: no module {module_name!r} in this service; write module:Class.function")
        found: Any = module
        for part in qualified.split("."):
            try:
                found = inspect.getattr_static(found, part)
            except AttributeError:
                raise PatchError(f"{name!r}: {part!r} was not found in {module_name}") from None
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
        found = inspect.unwrap(found) if callable(found) else found
        if not isinstance(found, FunctionType):
            raise PatchError(f"{name!r} is a {type(found).__name__}, not a function")
        return found


def _replacement(function: FunctionType, original: CodeType, patch: Patch) -> CodeType:
    """Code that runs the patch and looks, in tracebacks and to coverage, like the first lines of the original."""
    is_async = bool(original.co_flags & inspect.CO_COROUTINE)
    act = _behaviour(function, original, patch, is_async)
    template = (_async_template if is_async else _template).__code__
    return template.replace(
        co_consts=tuple(act if constant == "ACT" else constant for constant in template.co_consts),
        co_freevars=original.co_freevars,
        co_filename=original.co_filename,
        co_name=original.co_name,
        co_qualname=original.co_qualname,
        co_firstlineno=_body_line(original) - 1,
    )


def _behaviour(function: FunctionType, original: CodeType, patch: Patch, is_async: bool) -> Callable[..., Any]:
    if patch.action == "delay":
        untouched = FunctionType(original, function.__globals__, function.__name__, None, function.__closure__)
        untouched.__defaults__, untouched.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        return _late_async(untouched, patch.delay_s) if is_async else _late(untouched, patch.delay_s)
    kind = _exception(function, patch.exception) if patch.action == "raise" else None

    def act(*arguments: Any, **named: Any) -> Any:
        if kind is not None:
            raise kind(patch.message)
        return patch.value

    async def act_async(*arguments: Any, **named: Any) -> Any:
        return act()

    return act_async if is_async else act


def _late(untouched: FunctionType, delay_s: float) -> Callable[..., Any]:
    def act(*arguments: Any, **named: Any) -> Any:
        time.sleep(delay_s)
        return untouched(*arguments, **named)

    return act


def _late_async(untouched: FunctionType, delay_s: float) -> Callable[..., Any]:
    async def act(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(delay_s)
        return await untouched(*arguments, **named)

    return act


def _exception(function: FunctionType, name: str) -> type[Exception]:
    found = getattr(builtins, name, None) or function.__globals__.get(name)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise PatchError(f"exception {name!r} is neither built in nor known to {function.__module__}")
    return found


def _body_line(code: CodeType) -> int:
    """The first line of the body: where a defect at the start of the function would show."""
    first = code.co_firstlineno
    after = [line for _, _, line in code.co_lines() if line and line > first]
    definition = [line for _, _, line in code.co_lines() if line][:1]
    return min((line for line in after if line > max(definition, default=first)), default=first + 1)


# the "ACT" below is a constant of the code object and is replaced by the callable itself: the code then needs nothing
# of the module it is put into
def _template(*arguments: Any, **named: Any) -> Any:
    return "ACT".__call__(*arguments, **named)  # type: ignore[operator]


async def _async_template(*arguments: Any, **named: Any) -> Any:
    return await "ACT".__call__(*arguments, **named)  # type: ignore[operator]
