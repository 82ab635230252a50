"""Starting our stand-alone helper programs inside a service's boundary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError

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
    words = [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    argv = [sys.executable, "-I", "-S", str(_FOLDER / f"{program}.py"), *words]
    return deployment.exec(target, argv, name=name, deadline_s=DEADLINE_S)


def wait_running(deployment: Deployment, target: str, name: str, seconds: float = 0.1) -> None:
    """See that a helper that was just started lives on; InjectionError if it ended at once."""
    clock.sleep(seconds)
    if name not in deployment.executed(target):
        msg = f"the program {name!r} in {target!r} ended as soon as it was started; see {deployment.directory}"
        raise InjectionError(msg)
