"""Agents go before what a command itself puts into a variable, whoever reads the command: a shell, or nobody."""

from __future__ import annotations

import subprocess

import pytest

from pytest_anomod.runtimes.commands.own_variables import merged

TELLS = "python3 -c 'import os; print(os.environ[\"NODE_OPTIONS\"])'"


def ours(own):
    return {"NODE_OPTIONS": " ".join(filter(None, ("--require '/a b.js'", own.get("NODE_OPTIONS"))))}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"env NODE_OPTIONS=--own {TELLS}", "--require '/a b.js' --own"),
        (f"NODE_OPTIONS='--own 1' {TELLS}", "--require '/a b.js' --own 1"),
        (f'cd /tmp && A=1 NODE_OPTIONS="--own 1" {TELLS}', "--require '/a b.js' --own 1"),
        (f"export NODE_OPTIONS=--own; {TELLS}", "--require '/a b.js' --own"),
        (f"NODE_OPTIONS= {TELLS}", "--require '/a b.js'"),
        (f'NODE_OPTIONS="$NODE_OPTIONS --own" {TELLS}', "inherited --own"),
        (f"env OTHER=1 {TELLS}", "inherited"),
        (f": NODE_OPTIONS=--own; {TELLS}", "inherited"),
    ],
)
def test_a_line_for_a_shell(line, told):
    env = {"PATH": "/usr/bin:/bin", "NODE_OPTIONS": "inherited"}
    done = subprocess.run(["/bin/sh", "-c", *merged([line], ours)], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"{told}\n"


def test_words():
    given = ["env", "A=1", "NODE_OPTIONS=--own 1", "node", "NODE_OPTIONS=2"]
    assert merged(given, ours) == ["env", "A=1", "NODE_OPTIONS=--require '/a b.js' --own 1", *given[3:]]
    assert merged(given[3:], ours) == given[3:]
    assert merged(given, lambda own: {}) == given
