"""Starting our stand-alone helper programs inside a service's boundary."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

DEADLINE_S = 4 * 7_200.0
"""When a helper ends itself whatever happens: after the longest case there can be (four windows of 7200 s)."""
_FOLDER = Path(__file__).with_name("helpers")


def start(deployment: Deployment, target: str, program: str, name: str, **options: object) -> int:
    """Start helpers/<program>.py as `name` in the boundary of `target`; its pid. Options become --option-name value.

    An option `deadline_s` has it end itself earlier than it must.
    """
    options = {"deadline_s": DEADLINE_S, **options}
    argv = [sys.executable, "-I", "-S", str(_FOLDER / f"{program}.py"), *_words(options)]
    return run(deployment, target, argv, name)


def start_module(deployment: Deployment, target: str, module: str, name: str, **options: object) -> int:
    """Start a program of ours that drives the deployment from this machine, by its ref, on behalf of `target`."""
    options = {"ref": json.dumps(dict(deployment.ref)), "service": target, **options, "deadline_s": DEADLINE_S}
    return run(deployment, target, [sys.executable, "-m", module, *_words(options)], name)


def run(deployment: Deployment, target: str, argv: Sequence[str], name: str) -> int:
    """Start any program as `name` on behalf of `target`; its pid."""
    return need(deployment, Programs, target).run(argv, name=name, deadline_s=DEADLINE_S)


def running(deployment: Deployment, target: str, name: str) -> int | None:
    """Pid of a helper; None when it does not run."""
    return need(deployment, Programs, target).running().get(name)


def end(deployment: Deployment, target: str, name: str) -> None:
    """End a helper and its children and wait until they are gone; idempotent."""
    need(deployment, Programs, target).end(name)


def wait_running(deployment: Deployment, target: str, name: str, seconds: float = 0.1) -> None:
    """See that a helper that was just started lives on; InjectionError if it ended at once."""
    clock.sleep(seconds)
    if running(deployment, target, name) is None:
        msg = f"the program {name!r} in {target!r} ended as soon as it was started; see {deployment.directory}"
        raise InjectionError(msg)


def _words(options: Mapping[str, object]) -> list[str]:
    return [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
