"""Has blade do one fault again and again: `-m ... --what JSON --every-s S --away-s S --deadline-s S`.

It asks the deployment each time which process is the service now, and waits while there is none. It ends when told
to, at its deadline, or when the deployment can't be asked any more. Each turn has a uid of its own and leaves no record
open.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pytest_anomod.injectors.chaosblade.blade import Blade
from pytest_anomod.injectors.chaosblade.injector import backstop_s, create_words
from pytest_anomod.model.catalog import find, make_fault
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.turns import take_turns


def main() -> int:
    """Parse the command line and repeat until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", required=True)
    for name in ("--every-s", "--away-s", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    arguments = parser.parse_args()
    turns = _Turns(json.loads(arguments.what))
    take_turns(turns.take, period_s=arguments.every_s, away_s=arguments.away_s, deadline_s=arguments.deadline_s)
    return 0


class _Turns:
    """Creation after creation, each in the same home."""

    def __init__(self, what: dict[str, Any]) -> None:
        self._fault = make_fault(what["fault"], what["parameters"])
        self._deployment = find("runtimes", what["ref"]["runtime"]).attach(what["ref"])
        self._target = what["target"]
        self._blade = Blade(Path(what["home"]), what["tag"])
        self._uid = what["uid"]
        self._turn = 0
        self._last: tuple[int | None, float | None] = (None, None)

    def take(self) -> None:
        """One creation, if there is a process that was not hit yet; what it leaves on record is closed."""
        instance = instance_of(self._deployment, self._target)
        if instance.pid is None or (instance.pid, instance.start_time) == self._last:
            return
        self._last = (instance.pid, instance.start_time)
        words = create_words(self._fault, self._deployment, self._target)
        self._turn += 1
        uid = f"{self._uid}-{self._turn:06d}"
        self._blade.create(words, uid, timeout_s=backstop_s(words))
        self._blade.end(uid)


if __name__ == "__main__":
    sys.exit(main())
