"""What the experiments of this folder call; to be imported leaves a mark, so that a test sees who did it."""

import os
import sys
from pathlib import Path

Path("module-was-imported.txt").touch()


def fail():
    raise RuntimeError("it is broken")


def fail_with(secrets=None):
    raise RuntimeError(f"refused: {secrets['token']}")


def names():
    return {"names": ["a", "b"]}


def working_directory():
    return str(Path.cwd())


def is_here(value=None):
    return Path(value) == Path(__file__).resolve().parent


def echo(value=None):
    return value


def read(path):
    return Path(path).read_text()


def use_secret(secrets=None):
    sys.stdout.write(f"used {secrets['token']}\n")
    return len(secrets["token"]) > 3 and bool(secrets["literal"])


def leave():
    os._exit(7)
