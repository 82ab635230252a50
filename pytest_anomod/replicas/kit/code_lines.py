"""Which lines a code object has, and which functions: of the standard library only, for Python 3.11 and newer."""

from types import CodeType


def executable_lines(code: CodeType) -> list[int]:
    """Every line of a code object and those inside it that the interpreter can stop at."""
    lines = {line for _, _, line in code.co_lines() if line}
    for inner in _inner(code):
        lines.update(executable_lines(inner))
    return sorted(lines)


def function_lines(code: CodeType) -> dict[str, list[int]]:
    """First and last line of each function by qualified name; class bodies, lambdas and comprehensions are left out."""
    found: dict[str, list[int]] = {}
    for inner in _inner(code):
        if inner.co_flags & 0x2 and "<" not in inner.co_name:  # CO_NEWLOCALS: functions, not class bodies
            found[inner.co_qualname] = [inner.co_firstlineno, last_line(inner)]
        found |= function_lines(inner)
    return found


def last_line(code: CodeType) -> int:
    """The last line a function reaches to, functions inside it included."""
    ends = [end for _, end, _, _ in code.co_positions() if end]
    ends += [last_line(inner) for inner in _inner(code)]
    return max(ends, default=code.co_firstlineno)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]
