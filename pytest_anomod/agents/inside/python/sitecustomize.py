"""Runs in a service before its program: puts our agent in, then runs the sitecustomize that this one hides.

Nothing here may stop the service: what goes wrong is one line on standard error.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def _is_wanted():
    """Whether this is a program of the service: health checks and one-liners are not worth an agent.

    What is run in a container from outside has no parent in it.
    """
    words = getattr(sys, "orig_argv", [])
    if "-c" in words[1:4] and not any("multiprocessing" in word for word in words):
        return False
    return os.getppid() != 0 or os.getpid() == 1


def _say(text):
    sys.stderr.write(f"anomod: {text}\n")


def _begin():
    if not _is_wanted():
        return
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever the service runs on
        _say(f"no agent: Python {sys.version.split()[0]} is older than 3.11")
        return
    import anomod_agent

    anomod_agent.begin(_say)


def _run_hidden():
    """Run the sitecustomize that comes after ours: of a Linux distribution, of the image, of the user."""
    import importlib.machinery
    import importlib.util

    others = [path for path in sys.path if os.path.abspath(path or ".") != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("ANOMOD_RUN"):
    try:
        _begin()
    except Exception as error:  # the service starts whatever we do
        _say(f"no agent: {type(error).__name__}: {error}")
_run_hidden()
