"""Changing what a function of a running service does, and changing it back.

The code object inside the function is swapped, so whoever holds a reference to the function sees the change; calls
under way end as they began. This file and code_lines.py need nothing but the standard library: the agent for other
people's services loads them by themselves.
"""

import __future__

import ast
import asyncio
import builtins
import contextlib
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

from .code_lines import last_line

_ACT = "\0act"


class PatchError(Exception):
    """A patch that cannot be made; the message says what is wrong with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A defect of a function: it raises where it would return, does its work and returns another value, is late."""

    action: Literal["raise", "return", "delay"]
    exception: str = "RuntimeError"
    message: str = ""
    value: Any = None
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if self.action not in ("raise", "return", "delay"):
            raise PatchError(f"action {self.action!r} is none of raise, return, delay")


class CodePatches:
    """The patches of one process, by the name they were asked for ("module:Class.function").

    `module` finds a loaded module by the first part of such a name (None: there is none), `source_path` makes of the
    path of a source file what telemetry calls it.
    """

    def __init__(self, module: Callable[[str], ModuleType | None], source_path: Callable[[str], str]) -> None:
        self._module = module
        self._source_path = source_path
        self._originals: dict[str, tuple[FunctionType, CodeType]] = {}

    def locate(self, name: str) -> dict[str, Any]:
        """File, qualified name, first and last line of a function, of its original code."""
        function = self._find(name)
        code = self._originals[name][1] if name in self._originals else function.__code__
        return {
            "file": self._source_path(code.co_filename),
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
        module = self._module(module_name)
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
    """Code that does what a defect of the function would: its own lines run, to coverage and in tracebacks too."""
    if patch.action == "raise":
        return _raising(function, original, patch)
    is_async = bool(original.co_flags & inspect.CO_COROUTINE)
    template = (_async_template if is_async else _template).__code__
    return template.replace(
        co_consts=_with(template, _behaviour(function, original, patch, is_async)),
        co_freevars=original.co_freevars,
        co_filename=original.co_filename,
        co_name=original.co_name,
        co_qualname=original.co_qualname,
        co_firstlineno=_body_line(original) - 1,
    )


def _with(code: CodeType, act: Callable[..., Any]) -> tuple[Any, ...]:
    """The constants of a code, the callable in the place of the marker."""
    return tuple(act if constant == _ACT else constant for constant in code.co_consts)


def _raising(function: FunctionType, original: CodeType, patch: Patch) -> CodeType:
    """The function with an exception where it would return, before what it returns is worked out.

    What stands before that runs as ever. It is compiled from its source, each statement on its own line.
    """
    kind = _exception(function, patch.exception)

    def act() -> None:
        raise kind(patch.message)

    whole = _compiled(_source(original), original)
    return whole.replace(co_consts=_with(whole, act), co_qualname=original.co_qualname)


def _source(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The definition of a function, numbered as in its file, without decorators and with the marker called in it."""
    try:
        text = inspect.getsource(code)
    except OSError as error:
        raise PatchError(f"the source of {code.co_qualname} can't be read: {error}") from None
    # below an "if" an indented definition is one that can be parsed, and keeps its columns
    head = "if 1:\n" if text[:1].isspace() else ""
    tree = ast.increment_lineno(ast.parse(head + text), code.co_firstlineno - 1 - bool(head))
    definition = next(
        (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)), None
    )
    if definition is None:
        raise PatchError(f"{code.co_qualname} is no function with a name; an exception can't be put into it")
    definition.decorator_list.clear()
    definition.body = _ending_early(definition.body)
    return definition


def _ending_early(body: list[ast.stmt]) -> list[ast.stmt]:
    """A function's statements with the marker called at each return; before the last one where there is no return.

    A `try` with a return in it is not entered: it could catch what is raised there.
    """
    if not any(map(_may_return, body)):
        return [*body[:-1], _call_at(body[-1]), body[-1]]
    for number, statement in enumerate(body):
        if _may_return(statement) and any(isinstance(node, ast.Try | ast.TryStar) for node in ast.walk(statement)):
            return [*body[:number], _call_at(statement), *body[number:]]
        body[number] = _AtReturns().visit(statement)
    flat = [each for part in body for each in (part if isinstance(part, list) else [part])]
    return flat if isinstance(flat[-1], ast.Return) else [*flat, _call_at(flat[-1])]


class _AtReturns(ast.NodeTransformer):
    """Calls the marker before each return, those of functions inside left aside."""

    def visit_Return(self, node: ast.Return) -> Any:
        return [_call_at(node), node]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return node


def _call_at(statement: ast.stmt) -> ast.stmt:
    """A call of the marker on the first line of a statement: one that spans several is counted to its last."""
    call = ast.parse(f"{_ACT!r}.__call__()").body[0]
    for node in ast.walk(call):
        ast.copy_location(node, statement)
        node.end_lineno, node.end_col_offset = statement.lineno, statement.col_offset  # type: ignore[attr-defined]
    return call


def _may_return(statement: ast.stmt) -> bool:
    """Whether a statement, a function inside it left aside, holds a return."""
    if isinstance(statement, ast.Return):
        return True
    inner = (node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.Lambda))
    defines = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return not defines and any(_may_return(node) for node in inner)  # type: ignore[arg-type]


def _compiled(definition: ast.FunctionDef | ast.AsyncFunctionDef, original: CodeType) -> CodeType:
    """Code of a definition that takes the same free variables; it stands in a class if it did (`super`, `__names`)."""
    owner = original.co_qualname.rpartition(".")[0].rpartition(".")[2]
    free = ", ".join(name for name in original.co_freevars if name != "__class__")
    module = ast.parse(f"def _({free}):\n    class {'_' if owner == '<locals>' else owner or '_'}: ...")
    outer = module.body[0]
    assert isinstance(outer, ast.FunctionDef)
    around = outer.body[0]
    assert isinstance(around, ast.ClassDef)
    (outer if owner in ("", "<locals>") else around).body = [definition]
    code = _inside(compile(module, original.co_filename, "exec", dont_inherit=True, flags=_flags(original)), original)
    if code.co_freevars != original.co_freevars:
        raise PatchError(f"{original.co_qualname} can't be compiled with its own variables {original.co_freevars}")
    return code


def _flags(code: CodeType) -> int:
    """The `from __future__ import` features that a code was compiled with."""
    features = (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
    return sum({flag for flag in features if code.co_flags & flag})


def _inside(code: CodeType, wanted: CodeType) -> CodeType:
    """The code of that name among a code's constants, however deep."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == wanted.co_name and _ACT in constant.co_consts:
                return constant
            with contextlib.suppress(LookupError):
                return _inside(constant, wanted)
    raise LookupError(wanted.co_name)


def _behaviour(function: FunctionType, original: CodeType, patch: Patch, is_async: bool) -> Callable[..., Any]:
    """What stands in the function's place: the function itself, late, or with another value in the end."""
    untouched = FunctionType(original, function.__globals__, function.__name__, None, function.__closure__)
    untouched.__defaults__, untouched.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    if patch.action == "delay":
        return _late_async(untouched, patch.delay_s) if is_async else _late(untouched, patch.delay_s)

    def act(*arguments: Any, **named: Any) -> Any:
        untouched(*arguments, **named)
        return patch.value

    async def act_async(*arguments: Any, **named: Any) -> Any:
        await untouched(*arguments, **named)
        return patch.value

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
    first, *rest = name.split(".")
    found = getattr(builtins, first, None) or function.__globals__.get(first)
    for part in rest:
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise PatchError(f"exception {name!r} is neither built in nor known to {function.__module__}")
    return found


def _body_line(code: CodeType) -> int:
    """The first line of the body: where a defect at the start of the function would show."""
    first = code.co_firstlineno
    after = [line for _, _, line in code.co_lines() if line and line > first]
    definition = [line for _, _, line in code.co_lines() if line][:1]
    return min((line for line in after if line > max(definition, default=first)), default=first + 1)


# the marker below is a constant of the code object and is replaced by the callable itself: the code then needs nothing
# of the module it is put into
def _template(*arguments: Any, **named: Any) -> Any:
    return "\0act".__call__(*arguments, **named)  # type: ignore[operator]


async def _async_template(*arguments: Any, **named: Any) -> Any:
    return await "\0act".__call__(*arguments, **named)  # type: ignore[operator]
