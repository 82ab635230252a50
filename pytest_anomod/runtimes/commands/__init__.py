"""The runtime for plain commands: a Procfile or a list, as processes of this machine; no Docker, no root.

`OFFERS` is looked up when it is asked for: the host program is in this package too, and must start without the rest.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "OFFERS":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from pytest_anomod.runtimes.commands.runtime import CommandsRuntime

    globals()[name] = (CommandsRuntime(),)
    return globals()[name]
