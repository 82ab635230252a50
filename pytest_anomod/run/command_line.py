"""The options of the command line; standard library only, as every suite that has the plugin installed loads this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from pytest_anomod.declare import Declaration

OPTIONS: dict[str, dict[str, Any]] = {
    "out": {"metavar": "DIR", "default": "anomod-dataset", "help": "root of the dataset, a URL too (%(default)s)"},
    "durations": {
        "metavar": "PROFILE",
        "default": "quick",
        "choices": ("quick", "standard", "paper"),
        "help": "lengths of the windows: quick (10 s), standard (60 s) or paper (300 s); default %(default)s",
    },
    "scale": {"metavar": "F", "type": float, "default": 1.0, "help": "factor on all window lengths (%(default)s)"},
    "history": {
        "metavar": "SECONDS",
        "type": float,
        "default": 0.0,
        "help": "record so much more of the normal state before each baseline (%(default)s); 30 for a campaign, 300 to "
        "publish one",
    },
    "rate": {
        "metavar": "RPS",
        "type": float,
        "help": "journeys a second; default: the system's own, of a suite 60 tests",
    },
    "suite": {
        "metavar": "PATH",
        "help": "replay this Python HTTP test suite (a file or folder) as the workload of every scenario",
    },
    "suite-once": {"action": "store_true", "help": "play the suite once; default: over and over until the case ends"},
    "suite-base": {
        "metavar": "[SERVICE=]URL",
        "action": "append",
        "help": "URL written into the suite that means the system (or one of its services), such as "
        "http://localhost:8080; 'auto', the default, finds it; may be given more than once",
    },
    "workload": {
        "metavar": "KIND[:ARGUMENT]",
        "help": "what drives every scenario in place of its own workload: evomaster[:60s] has EvoMaster, as found "
        "on this machine, write a suite once, and replays it; openapi:FILE, har:FILE, postman:FILE, locust:FILE and "
        "k6:FILE play a file of another tool",
    },
    "deletions": {
        "action": "store_true",
        "help": "with openapi, har and postman: also send requests that delete; they are left out without it",
    },
    "seed": {"metavar": "N", "type": int, "default": 1, "help": "seed of workloads and data (%(default)s)"},
    "shard": {
        "metavar": "I/N",
        "help": "of the scenarios left to run only each N-th, from the I-th on, such as 2/5 on one of five machines",
    },
    "resume": {
        "action": "store_true",
        "help": "skip scenarios whose case, with the same seed, is in the dataset already and can be used",
    },
    "repeat": {"metavar": "N", "type": int, "default": 1, "help": "cases per scenario, each with its own seed"},
    "patience": {
        "metavar": "SECONDS",
        "type": float,
        "default": 60.0,
        "help": "how long an attempt may wait in all for a calm machine and for users to be served again (%(default)s)",
    },
    "attempts": {
        "metavar": "N",
        "type": int,
        "default": 2,
        "help": "how often a contaminated case is played again, by itself (%(default)s)",
    },
    "runtime": {
        "metavar": "NAME",
        "default": "auto",
        "help": "what brings systems up: process, docker, or auto, which takes docker where an engine of this machine "
        "answers and the image is there or can be built here, else process; default %(default)s",
    },
    "compose": {
        "metavar": "SYSTEM=PATH",
        "action": "append",
        "help": "run the tests of a system on its original images: PATH is a checkout (of DeathStarBench for "
        "social_network, of train-ticket for train_ticket) or its compose files, A.yml:B.yml; what they can't have is "
        "skipped with the reason; may be given for more than one system",
    },
    "injector": {"metavar": "NAME", "default": "native", "help": "who carries faults out (%(default)s)"},
    "replay": {"metavar": "DIR", "help": "recorded cases on which tests of methods (@evaluation) are tried"},
    "report": {"metavar": "DIR", "help": "write a report of the run there: one HTML page, and the files it shows"},
    "baseline": {
        "metavar": "FILE",
        "help": "accepted verdicts: a test whose verdict is the one in this file is at worst an expected failure; a "
        "test with any other verdict fails",
    },
    "allow": {
        "metavar": "KINDS",
        "default": "shell,python,http",
        "help": "what Chaos Toolkit experiments that you name may run: any of shell, python, http (%(default)s)",
    },
    "base": {
        "metavar": "OLD=NEW",
        "action": "append",
        "help": "replace OLD by NEW everywhere in Chaos Toolkit experiments: for hosts that do not exist any more; may "
        "be given more than once",
    },
    "var-file": {
        "metavar": "FILE",
        "action": "append",
        "help": "configuration and secrets of Chaos Toolkit experiments, as for `chaos run --var-file`",
    },
    "system": {
        "metavar": "NAME",
        "help": "the system that Chaos Toolkit experiments act on: each becomes a case with windows, verdict and label",
    },
    "target": {"metavar": "SERVICE", "help": "the service of that system that they hit"},
    "baseline-update": {"action": "store_true", "help": "write the verdicts of this run to that file"},
}
"""What each option of ours is for argparse, by its name without `--anomod-`."""

CHECKED = (
    *("scale", "history", "rate", "shard", "repeat", "patience", "attempts", "runtime", "compose", "injector"),
    *("allow", "base", "var-file"),
)
"""Options whose values are looked at before the run, when they are not their defaults."""

EXPERIMENTS = (".json", ".yaml", ".yml")
"""Endings of files that may be Chaos Toolkit experiments."""

REPETITION = "_anomod_repetition"
"""The parameter that --anomod-repeat adds to a scenario's test."""

DECLARED = "_anomod_scenario"
"""The parameter of a test that declares several scenarios: each of them."""

_DECLARATION = "__anomod_declaration__"  # the same word as declare.ATTRIBUTE, which is too heavy to import here


def add_options(parser: pytest.Parser) -> None:
    """All options of ours, in one group."""
    group = parser.getgroup("anomod", "chaos scenarios and their dataset (pytest-anomod)")
    for name, words in OPTIONS.items():
        group.addoption(f"--anomod-{name}", **words)
    parser.addini(
        "anomod_experiments",
        "patterns of files, from the root directory, that are Chaos Toolkit experiments: each becomes a test",
        type="args",
        default=[],
    )


def dest(name: str) -> str:
    """Where argparse keeps an option of ours."""
    return f"anomod_{name.replace('-', '_')}"


def declared_by(function: Any) -> Any:
    """What a test function declares: a Declaration, a tuple of them, or None for an ordinary test."""
    return getattr(function, _DECLARATION, None)


def declaration_of(item: Any) -> Declaration | None:
    """The one scenario of a test as pytest runs it; None for an ordinary test."""
    declared = declared_by(getattr(item, "function", None))
    return item.callspec.params[DECLARED] if isinstance(declared, tuple) else declared


def repetition_of(item: Any) -> int:
    """Which of --anomod-repeat's cases a test is, from 0."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(REPETITION, 0) if callspec is not None else 0


def given_options(option: Any) -> list[str]:
    """Those of CHECKED that are not their defaults."""
    return [name for name in CHECKED if getattr(option, dest(name)) != OPTIONS[name].get("default")]
