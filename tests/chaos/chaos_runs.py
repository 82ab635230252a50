"""Runs `chaos run` over many experiments in forks of one process, which has chaoslib loaded; a program of the tests.

    python chaos_runs.py FOLDER OUT VARIABLES FILE...

Each file is run in a copy of FOLDER of its own. To OUT goes {file: {"code", "status", "deviated"}}; status and
deviated are None where there is no journal.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from chaostoolkit.__main__ import cli


def run(folder: Path, variables: Path, file: str) -> dict:
    """One file, as a user would run it who has put its folder on the module path."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        copy = shutil.copytree(folder, Path(place) / "copy")
        pid = os.fork()
        if pid == 0:
            os.chdir(copy)
            sys.path.insert(0, str(copy))
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(null, descriptor)
            sys.argv = ["chaos", "--no-version-check", "run", "--var-file", str(variables), file]
            try:
                cli()
            except SystemExit as ending:
                os._exit(ending.code or 0)
            except BaseException:  # a traceback, in which some files end there
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        journal = copy / "journal.json"
        found = json.loads(journal.read_text()) if journal.exists() else {}
        return {"code": code, "status": found.get("status"), "deviated": found.get("deviated")}


if __name__ == "__main__":
    _, folder, out, variables, *files = sys.argv
    Path(out).write_text(json.dumps({file: run(Path(folder), Path(variables), file) for file in files}))
