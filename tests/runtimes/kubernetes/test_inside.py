"""The first process of a container: it starts the program, answers questions, and ends with the program's code."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from pytest_anomod.host import ports
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes.asking import ask
from pytest_anomod.runtimes.kubernetes.helpers import inside

PROGRAM = """
import time
open("spans/cart.jsonl", "a").write("a span\\n")
print("a line", flush=True)
time.sleep(60)
"""


@pytest.fixture
def container(tmp_path):
    """The program as the first process of a container has it, and how to ask it."""
    given, directory = tmp_path / "given", tmp_path / "deployment"
    given.mkdir()
    directory.mkdir()
    (given / "secret__token").write_text("word")
    (given / "names__cart.json").write_text('["cache"]')
    base, block = ports.claim_block()
    words = [sys.executable, "-I", "-S", inside.__file__, str(base), str(given), str(directory), "cart", "--"]
    process = subprocess.Popen([*words, sys.executable, "-c", PROGRAM], cwd=directory, stdout=subprocess.PIPE)

    def asked(do, token="word", **words):
        return ask(("127.0.0.1", base), token, do, **words)

    assert process.stdout.readline() + process.stdout.readline() == b"a span\na line\n"
    yield process, asked
    process.kill()
    process.wait()
    process.stdout.close()
    os.close(block)


def test_it_ends_as_its_program_does(container):
    """A SIGKILL to the program is one to the container, with the code that engines give it."""
    process, asked = container
    assert asked("read", path="names/cart.json") == '["cache"]'
    asked("kill")
    assert process.wait(10) == 137


def test_programs_run_beside_it_and_end_when_told(container):
    """They are seen while they run, get what they were given, and take their children along."""
    _, asked = container
    source = "import os, sys, time\nos.fork()\nprint(sys.argv[1:], flush=True)\ntime.sleep(60)"
    pid = asked("run", name="load", source=source, argv=["--pid", "@main"], deadline_s=60)
    assert asked("running") == {"load": pid}
    said = "run/load.out"
    clock.wait_until(lambda: (asked("read", path=said) or "").count("--pid") == 2, timeout_s=10, what="its words")
    with pytest.raises(DeploymentError, match="'load' runs already"):
        asked("run", name="load", source=source, argv=[], deadline_s=60)
    asked("end", name="load")
    assert asked("running") == {}


def test_memory_of_its_program_is_told_and_limited(container):
    """Of the program, not of what runs beside it; one that is gone is no error."""
    process, asked = container
    asked("run", name="load", source="import time\ntime.sleep(60)", argv=[], deadline_s=60)
    told = asked("memory")
    # one that has just been forked has its parent's words, which end with the same
    (child,) = (one.pid for one in psutil.Process(process.pid).children() if one.cmdline()[1:] == ["-c", PROGRAM])
    assert told["server"] == child
    assert list(told["processes"]) == [str(child)]
    size, limit = told["processes"][str(child)]
    assert size > 1_000_000
    assert limit is None
    asked("limit_memory", pids=[child, 2**22 - 1], bytes=1 << 30)
    assert asked("memory")["processes"][str(child)][1] == 1 << 30 == psutil.Process(child).rlimit(psutil.RLIMIT_DATA)[0]
    asked("limit_memory", pids=[child], bytes=None)
    assert asked("memory")["processes"][str(child)][1] is None


def test_it_takes_no_order_without_the_token_and_no_path_outside(container):
    """Whoever reaches the port may not read or write what it likes."""
    _, asked = container
    with pytest.raises(DeploymentError, match="token"):
        asked("figures", token="guess")
    with pytest.raises(DeploymentError, match="no file of the deployment"):
        asked("read", path="../given/secret__token")
    asked("write", path="names/cart.json", text=None)
    assert asked("read", path="names/cart.json") is None
