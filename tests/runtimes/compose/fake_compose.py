"""A compose command that prints what a test tells it to, in place of the real one."""

from __future__ import annotations

import json
import sys

PROGRAM = """#!{python}
import json, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
told = json.load(open({told!r}))
if "version" in sys.argv:
    print(told["version"])
else:
    sys.stderr.write(told.get("stderr", ""))
    sys.stdout.write(json.dumps(told.get("document", {{}})))
    sys.exit(told.get("code", 0))
"""


class FakeCompose:
    """Says what it was told, and notes how it was called."""

    def __init__(self, directory) -> None:
        self._told = directory / "told.json"
        self._calls = directory / "calls"
        program = directory / "docker-compose"
        program.write_text(PROGRAM.format(python=sys.executable, calls=str(self._calls), told=str(self._told)))
        program.chmod(0o755)
        self.say(version="2.40.3")

    def say(self, **told) -> None:
        """What to answer from now on: version, document, stderr, code."""
        self._told.write_text(json.dumps({"version": "2.40.3", **told}))

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call that was no question for the version."""
        if not self._calls.exists():
            return []
        words = [json.loads(line) for line in self._calls.read_text().splitlines()]
        return [one for one in words if "version" not in one]
