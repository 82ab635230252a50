"""Runs the `blade` command line: reads its answers, which are not always true, and ends what it leaves running.

A home is a directory with the program `blade` and, beside it, bin/ (executors) and yaml/ (its command tree). blade
keeps its records beside itself, so each deployment gets a home of its own: the program linked or copied, the rest
symlinked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json

HOME = "ANOMOD_BLADE_HOME"
"""Environment variable that names the home; without it the `blade` on PATH is taken."""
COMMAND_LIMIT_S = 30.0
GONE_WITHIN_S = 3.0
LOOKS_S = (0.2, 0.8)
"""When a detached program is looked for after its creation: one with a bad parameter lives for a moment."""
DETACHED = frozenset(
    {
        *("cpu fullload", "mem load", "disk burn", "network occupy", "process load", "file append"),
        *("strace delay", "strace error", "redis cache-hot-key"),
    }
)
"""Actions that go on in a program of their own; blade reports success of them whatever becomes of it.

In the specifications in yaml/ these are the actions with `actionProcessHang: true`.
"""
_EXECUTORS = {"redis": ("chaos_middleware", "middleware"), "nginx": ("chaos_middleware", "middleware")}
_OWN_PLACES = ("YAML_PATH", "CHAOSBLADE_DATAFILE_PATH")
_TAG = "ANOMOD_SESSION"  # by which the process runtime and its sweep know what belongs to a deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a command: `result` of a success, `error` of a failure; neither is evidence of the fault."""

    success: bool
    code: int | None = None
    error: str = ""
    result: Json = None


def find_home() -> Path | None:
    """The home on this machine: of $ANOMOD_BLADE_HOME, else of the `blade` on PATH; None when there is none."""
    chosen = os.environ.get(HOME)
    program = Path(chosen) / "blade" if chosen else Path(shutil.which("blade") or "")
    return program.resolve().parent if program.is_file() and os.access(program, os.X_OK) else None


def lacks(home: Path, target: str) -> str:
    """What a home lacks for actions on a target such as `process` or `redis`; "" when it has everything.

    Without its specification a family of commands is not refused, it is simply not there.
    """
    program, kind = _EXECUTORS.get(target, ("chaos_os", "os"))
    if not os.access(home / "bin" / program, os.X_OK):
        return f"the blade home {home} has no bin/{program}"
    if not list((home / "yaml").glob(f"chaosblade-{kind}-spec-*.yaml")):
        return f"the blade home {home} has no yaml/chaosblade-{kind}-spec-*.yaml"
    return ""


def new_uid() -> str:
    """A name for one creation that is no part of any other's, nor of any process's arguments."""
    return uuid.uuid4().hex


class Blade:
    """The program of one home; its commands run in sessions of their own, out of reach of signals to pytest's group."""

    def __init__(self, home: Path, tag: str = "") -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if name not in _OWN_PLACES}
        self._environment = kept | ({_TAG: tag} if tag else {})

    @classmethod
    def own(cls, directory: Path, tag: str = "") -> Blade:
        """The program in a home of its own in `directory`, made from the one on this machine if need be."""
        if not directory.is_dir():
            home = find_home()
            if home is None:
                msg = f"no blade on this machine any more: set {HOME} to a home of ChaosBlade"
                raise InjectionError(msg)
            _make_home(home, directory)
        return cls(directory, tag)

    def create(self, words: Sequence[str], uid: str, timeout_s: float | None = None) -> Answer:
        """`blade create`; of a detached action, success also means that its program was seen to live on."""
        backstop = [] if timeout_s is None else ["--timeout", str(int(timeout_s))]
        answer = self._run("create", *words, "--uid", uid, *backstop)
        if answer.success and " ".join(words[:2]) in DETACHED:
            for seconds in LOOKS_S:
                clock.sleep(seconds)
                if not any("chaos_os" in " ".join(process.cmdline()) for process in _known_by(uid)):
                    return Answer(success=False, error=f"its program ended at once; bad parameters in {list(words)}?")
        return answer

    def end(self, uid: str) -> Answer:
        """`blade destroy`, then an end to every process of it that is left, whatever blade said.

        InjectionError when processes stay. The answer is blade's: undoing can fail for many reasons, of which some
        only mean that there was nothing to undo.
        """
        had = list(_with_descendants(uid))
        answer = self._run("destroy", uid) if self.home.is_dir() else Answer(success=False, error="its home is gone")
        until = clock.monotonic_s() + GONE_WITHIN_S
        while left := [process for process in {*had, *_with_descendants(uid)} if _lives(process)]:
            for process in left:
                with contextlib.suppress(_psutil().Error):
                    process.kill()  # by identity: psutil remembers when it was started
            if clock.monotonic_s() > until:
                msg = f"processes {sorted(process.pid for process in left)} of blade's {uid} don't end"
                raise InjectionError(msg)
            clock.sleep(0.02)
        return answer

    def status(self, uid: str) -> str:
        """What the records say of a creation: Created, Success, Error, Destroyed, or "" for an unknown one."""
        answer = self._run("status", uid)
        return str(answer.result.get("Status", "")) if isinstance(answer.result, Mapping) else ""

    def _run(self, *words: str) -> Answer:
        """Run a command with files for its output: what it leaves running may hold pipes open for hours."""
        argv = [str(self.home / "blade"), *words]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            try:
                done = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=errors,
                    cwd=self.home,
                    env=self._environment,
                    start_new_session=True,
                    timeout=COMMAND_LIMIT_S,
                )
            except subprocess.TimeoutExpired:
                return Answer(success=False, error=f"{' '.join(argv)} did not end within {COMMAND_LIMIT_S:g} s")
            except OSError as error:
                return Answer(success=False, error=f"{argv[0]} can't be run: {error.strerror or error}")
            texts = [_read(file) for file in (out, errors)]
        return read_answer(done.returncode, *texts)


def read_answer(code: int, out: str, errors: str) -> Answer:
    """Make sense of a command's exit code and output.

    An unknown command prints its help and exits with 0; a success may carry an error; a usage error is plain text.
    """
    said = _last_json(out if code == 0 else errors)
    if said is None:
        text = (errors.strip() or out.strip() or f"exit code {code}").splitlines()[0]
        return Answer(success=False, error=f"{text} (no answer of an action: is the command known in this home?)")
    error = str(said.get("error", ""))
    success = code == 0 and said.get("success") is True and not error
    return Answer(success=success, code=said.get("code"), error=error, result=said.get("result"))


def _last_json(text: str) -> dict[str, Any] | None:
    for line in reversed(text.strip().splitlines()):
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and "success" in said:
                return said
    return None


def _read(file: Any) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _make_home(home: Path, directory: Path) -> None:
    """A home of one's own; it appears whole. A symlinked program would keep its records where it comes from."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=directory.parent))
    try:
        os.link(home / "blade", fresh / "blade")
    except OSError:
        shutil.copy2(home / "blade", fresh / "blade")  # on another file system, or not ours to link
    for name in ("bin", "yaml", "lib"):
        if (home / name).is_dir():
            (fresh / name).symlink_to(home / name)
    fresh.rename(directory)


def _psutil() -> Any:
    import psutil

    return psutil


def _known_by(uid: str) -> Iterator[Any]:
    """Living processes that have the uid in their arguments: executors, and blade's timer."""
    psutil = _psutil()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and uid in " ".join(process.cmdline()) and _lives(process):
                yield process


def _with_descendants(uid: str) -> Iterator[Any]:
    """The same with what they have started: a timer's sleep, the dd of an executor."""
    psutil = _psutil()
    for process in _known_by(uid):
        yield process
        with contextlib.suppress(psutil.Error):
            yield from process.children(recursive=True)


def _lives(process: Any) -> bool:
    psutil = _psutil()
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
