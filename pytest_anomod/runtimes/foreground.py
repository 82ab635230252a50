"""Keeps one system up in the foreground until it is told to end, for people who want to look at it."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_anomod.host.waits import waits
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.system import System
from pytest_anomod.safety import sessions

LOOK_EVERY_S = 1.0


def up_in_foreground(
    system: System,
    port: int | None,
    on_up: Callable[[Deployment], None],
    *,
    seed: int = 1,
    runtime: Any = None,
) -> tuple[str, ...]:
    """Bring a system up, call `on_up` once it is healthy, take it down at Ctrl-C, SIGTERM or SIGHUP.

    Returns what `end_session` has to say (nothing when all is clean). DeploymentError when it does not come up or gets
    lost while it runs; it is taken down in any case. To be called in the main thread.
    """
    runtime = runtime or _process()
    with _EndSignals() as signals:
        session = sessions.new_session(Path.cwd(), f"up-{uuid.uuid4().hex[:6]}", "main")
        try:
            with signals.interrupting():
                deployment = runtime.up(system, session, entry_port=port, seed=seed)
            try:
                on_up(deployment)
                while not signals.came.wait(LOOK_EVERY_S):
                    _check_host(deployment)
            finally:
                runtime.down(deployment)
        except _InterruptedError:
            pass  # `up` has cleared away what had started
        finally:
            said = sessions.end_session(session)
    return said


class UpInForeground:
    """What `anomod up` asks of a runtime, by its `up` and `down`."""

    def up_in_foreground(
        self, system: System, *, port: int | None = None, say: Callable[[str], None], seed: int = 1
    ) -> int:
        """Keep a system up until Ctrl-C, SIGTERM or SIGHUP, telling `say` where it is; exit code 0 if nothing stays.

        DeploymentError when it does not come up or is lost.
        """
        return keep_up(self, system, port=port, say=say, seed=seed)


def keep_up(runtime: Any, system: System, *, port: int | None, say: Callable[[str], None], seed: int) -> int:
    """What `anomod up` does: tell `say` where the system is, keep it up; exit code 0 if nothing stays."""

    def tell(deployment: Deployment) -> None:
        for note in getattr(deployment, "notes", ()):
            say(note)
        for name, url in deployment.urls.items():
            say(f"{name:24} {url}")
        container = getattr(deployment, "container", None)
        if container is not None:  # the engine keeps the logs
            say(f"{'logs':24} docker logs {container('SERVICE')}")
        say(f"{'logs, spans' if container is None else 'spans':24} {deployment.directory}")
        say(f"{system.name} is up at {deployment.entry_url}; Ctrl-C takes it down")

    waits.say = say
    left = up_in_foreground(system, port, tell, seed=seed, runtime=runtime)
    for line in left:
        say(line)
    return 1 if left else 0


def _process() -> Any:
    from pytest_anomod.runtimes.process.runtime import ProcessRuntime

    return ProcessRuntime()


def _check_host(deployment: Deployment) -> None:
    try:
        deployment.instances()
    except DeploymentError as error:
        msg = f"system {deployment.system!r} was lost while it ran: {error}"
        raise DeploymentError(msg) from error


class _InterruptedError(BaseException):
    """Ends the start of a system; nobody but us may catch it."""


class _EndSignals:
    """Catches the signals that ask us to end: they set `came`, and raise only while `interrupting`."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self._raises = False

    def __enter__(self) -> _EndSignals:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def interrupting(self) -> _Interrupting:
        """A stretch in which the first signal breaks in."""
        return _Interrupting(self)

    def _handle(self, number: int, frame: object) -> None:
        self.came.set()
        if self._raises:
            self._raises = False  # clearing away is not broken into
            raise _InterruptedError


class _Interrupting:
    def __init__(self, signals: _EndSignals) -> None:
        self._signals = signals

    def __enter__(self) -> None:
        self._signals._raises = True
        if self._signals.came.is_set():
            self._signals._raises = False
            raise _InterruptedError

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._signals._raises = False
