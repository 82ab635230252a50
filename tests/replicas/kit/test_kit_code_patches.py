"""Changing code of a running process: every kind of function and action, and the way back."""

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from pytest_anomod.replicas.kit.code_patches import CodePatches, Patch, PatchError
from pytest_anomod.replicas.kit.telemetry import source_path

SOURCE = '''"""Functions of every kind."""
import asyncio
class Base:
    def greet(self):
        return "hello"
class Child(Base):
    def greet(self):
        """Uses a closure cell."""
        return super().greet() + "!"
    @staticmethod
    def add(a, b=2):
        return a + b
    @classmethod
    def who(cls):
        return cls.__name__
    async def wait(self, x, *, y=1):
        total = (x +
                 y)
        return total
    async def store(self, items):
        kept = [item for item in items if item]
        await asyncio.sleep(0)
        self.__kept = kept
        if not kept:
            return 0
        self.told = True
        return len(self.__kept)
def numbers():
    yield 1
held = Child.add
def guarded(items):
    """Catches all there is."""
    first = items[:1]
    try:
        return first[0]
    except Exception:
        return None
def searched(items):
    """Finds, or ends without a word."""
    def inner():
        return 1
    for item in items:
        if item:
            return item
    items.append(inner())
def silent(items):
    items.append(1)
    items.append(2)
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of a package "patched_package", freshly loaded."""
    package = tmp_path / "patched_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "kinds.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("patched_package.kinds")
    for name in ("patched_package.kinds", "patched_package"):
        del sys.modules[name]


@pytest.fixture
def patches(module: ModuleType) -> CodePatches:
    """Patches of that package."""
    return CodePatches(lambda module: sys.modules.get(f"patched_package.{module}"), source_path)


def test_location_is_that_of_the_original(patches: CodePatches) -> None:
    """File, name and lines are told, to the last line of a statement that goes on, also while patched."""
    expected = {"file": "patched_package/kinds.py", "function": "Child.wait", "first_line": 16, "last_line": 19}
    assert patches.locate("kinds:Child.wait") == expected
    patches.patch("kinds:Child.wait", Patch(action="return"))
    assert patches.locate("kinds:Child.wait") == expected


def test_references_taken_before_see_the_patch_and_its_end(module: ModuleType, patches: CodePatches) -> None:
    """Bound methods, static methods and copies of the name all change, and all come back."""
    greet = module.Child().greet
    patches.patch("kinds:Child.greet", Patch(action="return", value={"k": 1}))
    patches.patch("kinds:Child.add", Patch(action="return", value=-1))
    patches.patch("kinds:Child.who", Patch(action="return", value="nobody"))
    assert (greet(), module.held(1), module.Child.who()) == ({"k": 1}, -1, "nobody")
    patches.restore(None)
    assert (greet(), module.held(1), module.Child.who()) == ("hello!", 3, "Child")


def test_raise_keeps_kind_and_message_and_later_patch_replaces_earlier(
    module: ModuleType, patches: CodePatches
) -> None:
    """The exception is as asked; the second patch, not the first, is what is undone to the original."""
    patches.patch("kinds:Child.greet", Patch(action="return", value=1))
    patches.patch("kinds:Child.greet", Patch(action="raise", exception="KeyError", message="gone"))
    with pytest.raises(KeyError, match="gone"):
        module.Child().greet()
    assert patches.patched() == ["kinds:Child.greet"]
    patches.restore("kinds:Child.greet")
    patches.restore("kinds:Child.greet")
    assert module.Child().greet() == "hello!"


def test_async_function_stays_async_for_every_action(module: ModuleType, patches: CodePatches) -> None:
    """Raise, return and delay of a coroutine function, with its keyword arguments."""
    wait = module.Child().wait
    patches.patch("kinds:Child.wait", Patch(action="return", value=[1]))
    assert asyncio.iscoroutinefunction(module.Child.wait)
    assert asyncio.run(wait(1, y=5)) == [1]
    patches.patch("kinds:Child.wait", Patch(action="raise", exception="RuntimeError", message="bad"))
    with pytest.raises(RuntimeError, match="bad"):
        asyncio.run(wait(1))
    patches.patch("kinds:Child.wait", Patch(action="delay", delay_s=0.05))
    started = time.monotonic()
    assert asyncio.run(wait(1, y=5)) == 6
    assert time.monotonic() - started >= 0.05
    patches.restore("kinds:Child.wait")
    assert asyncio.run(wait(1)) == 2


def test_delay_of_a_plain_function_keeps_defaults_and_closure(module: ModuleType, patches: CodePatches) -> None:
    """The original runs, late, with what it had."""
    patches.patch("kinds:Child.add", Patch(action="delay", delay_s=0.02))
    patches.patch("kinds:Child.greet", Patch(action="delay", delay_s=0.02))
    started = time.monotonic()
    assert (module.held(1), module.Child().greet()) == (3, "hello!")
    assert time.monotonic() - started >= 0.04


def lines_of(function: Callable[[], object], name: str) -> list[int]:
    """Lines of the module that run while a function does, in the function of that name only."""
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, argument: object) -> object:
        if frame.f_code.co_name == name and frame.f_code.co_filename.endswith("kinds.py") and event == "line":
            lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        with contextlib.suppress(RuntimeError):
            function()
    finally:
        sys.settrace(before)
    return sorted(lines)


def test_an_exception_comes_where_it_would_return_and_leaves_the_lines_of_a_defect(
    module: ModuleType, patches: CodePatches
) -> None:
    """On every way out of the function; what stands before that has run, with its effects."""
    child = module.Child()
    lines = {}
    for name, items in (("long", [1, 0]), ("short", [])):
        lines[name] = lines_of(lambda items=items: asyncio.run(child.store(items)), "store")
    patches.patch("kinds:Child.store", Patch(action="raise", message="x"))
    for name, items, last in (("long", [3, 4], 27), ("short", [], 25)):
        assert lines_of(lambda items=items: asyncio.run(child.store(items)), "store") == lines[name]
        with pytest.raises(RuntimeError, match="x") as caught:
            asyncio.run(child.store(items))
        assert [entry.lineno + 1 for entry in caught.traceback if entry.name == "store"] == [last]
        assert child._Child__kept == items


@pytest.mark.parametrize(("name", "line"), [("guarded", 34), ("searched", 45), ("silent", 48)])
def test_no_way_out_of_a_function_is_left(module: ModuleType, patches: CodePatches, name: str, line: int) -> None:
    """What would catch the exception is not entered; a function without a return ends at its last statement."""
    patches.patch(f"kinds:{name}", Patch(action="raise", message="x"))
    with pytest.raises(RuntimeError, match="x") as caught:
        getattr(module, name)([])
    assert [entry.lineno + 1 for entry in caught.traceback if entry.name == name] == [line]


@pytest.mark.parametrize("name", ["store", "wait", "greet"])
def test_another_value_leaves_the_lines_of_the_healthy_function(
    module: ModuleType, patches: CodePatches, name: str
) -> None:
    """It does its work, with its effects, and only what comes of it is another."""
    child = module.Child()
    call = {"store": lambda: asyncio.run(child.store([1, 0])), "wait": lambda: asyncio.run(child.wait(1))}
    run = call.get(name, lambda: child.greet())
    healthy = lines_of(run, name)
    patches.patch(f"kinds:Child.{name}", Patch(action="return", value="other"))
    assert run() == "other"
    assert lines_of(run, name) == healthy
    assert name != "store" or child._Child__kept == [1]


def test_patched_code_carries_the_place_of_the_original(module: ModuleType, patches: CodePatches) -> None:
    """Tracebacks and coverage see the first line of the function's own body."""
    patches.patch("kinds:Child.greet", Patch(action="raise", message="x"))
    with pytest.raises(RuntimeError) as caught:
        module.Child().greet()
    entry = caught.traceback[1]
    assert (Path(entry.path).name, entry.name, entry.lineno + 1) == ("kinds.py", "greet", 9)


@pytest.mark.parametrize(
    ("name", "patch", "message"),
    [
        ("kinds:numbers", Patch(action="return"), "generator"),
        ("kinds:Child", Patch(action="return"), "not a function"),
        ("kinds:Child.nothing", Patch(action="return"), "'nothing' was not found"),
        ("stranger:f", Patch(action="return"), "no module 'stranger'"),
        ("kinds:Child.add", Patch(action="raise", exception="NoSuch"), "'NoSuch' is neither"),
    ],
)
def test_what_cannot_be_patched_says_why(patches: CodePatches, name: str, patch: Patch, message: str) -> None:
    """The error names what was wrong, and nothing is changed."""
    with pytest.raises(PatchError, match=message):
        patches.patch(name, patch)
    assert patches.patched() == []
