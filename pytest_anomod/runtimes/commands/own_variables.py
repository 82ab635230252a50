"""Commands that set a variable themselves in which agents go, `env PYTHONPATH=lib python app.py`: ours go before it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

SHARED = ("JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "PYTHONPATH")
"""Each holds several things; agents stand first in them."""

_VALUE = r"""(?:[^\s'"\\;&|()]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")*"""
_BEFORE = rf"(?:^|[;&|(]|\benv\s|\bexport\s)\s*(?:[A-Za-z_]\w*={_VALUE}\s+)*?"
_SET = re.compile(rf"({_BEFORE})({'|'.join(SHARED)})=({_VALUE})")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


def merged(argv: Sequence[str], ours: Callable[[Mapping[str, str]], Mapping[str, str]]) -> list[str]:
    """The words of a command, or its one line for a shell, with ours in what they set.

    `ours` makes the variables of agents from those that a service has. A value that is made of the variable's earlier
    one, `PYTHONPATH=lib:$PYTHONPATH`, has ours already.
    """
    if len(argv) == 1:
        return [_SET.sub(lambda found: found[1] + _assignment(found[2], found[3], ours), argv[0])]
    if Path(argv[0]).name != "env":
        return list(argv)
    count = 1 + sum(1 for _ in takewhile(_ASSIGNMENT.match, argv[1:]))
    return [argv[0], *(_word(word, ours) for word in argv[1:count]), *argv[count:]]


def _word(word: str, ours: Callable[[Mapping[str, str]], Mapping[str, str]]) -> str:
    name, _, value = word.partition("=")
    return f"{name}={ours({name: value}).get(name, value)}" if name in SHARED else word


def _assignment(name: str, value: str, ours: Callable[[Mapping[str, str]], Mapping[str, str]]) -> str:
    """In a shell's words; the value stays as it is written."""
    whole = ours({name: value}).get(name, value)
    if re.search(rf"\$\{{?{name}\b", value) or whole == value:
        return f"{name}={value}"
    return f"{name}={shlex.quote(whole.removesuffix(value))}{value}"
