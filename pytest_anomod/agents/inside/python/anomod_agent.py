"""The agent of a Python service: traces, lines that ran, changes of code, asked over a unix socket for each process.

It needs Python 3.11 and, for traces and lines, the libraries that ANOMOD_LIBRARY has; these come last on sys.path, so
that the service's own versions win. The protocol is that of `pytest_anomod.agents.language.Asked`.
"""

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from socket import AF_UNIX, socket  # by name: gevent and others replace what is in the module
from types import ModuleType
from typing import Any

MOST_BYTES = 1 << 20


class Agent:
    """What was put into this process; `absent` has the reason for each thing that was not."""

    def __init__(self, give: list[str], say: Callable[[str], None]) -> None:
        self.give = give
        self.say = say
        self.absent: dict[str, str] = {}
        self.meter: Any = None
        self.patches: Any = None

    def begin(self) -> None:
        """Put everything in, one thing after the other: one that fails does not stop the rest."""
        library = os.environ["ANOMOD_LIBRARY"]
        if library and library not in sys.path:
            sys.path.append(library)
        for what, put_in in (("coverage", self._count), ("faults", self._allow), ("traces", self._trace)):
            if what not in self.give:
                self.absent[what] = "it was not asked for"
                continue
            try:
                put_in()
            except Exception as error:  # whatever the service's own libraries make of ours
                self.absent[what] = f"{type(error).__name__}: {error}"

    def _count(self) -> None:
        from anomod_coverage import Meter

        self.meter = Meter(os.environ.get("ANOMOD_SOURCE", ""), _kit("code_lines"))

    def _allow(self) -> None:
        from anomod_coverage import source_root

        root = source_root(os.environ.get("ANOMOD_SOURCE", ""))
        self.patches = _kit("code_patches").CodePatches(_module, lambda file: os.path.relpath(file, root))

    def _trace(self) -> None:
        from opentelemetry.instrumentation.auto_instrumentation import initialize

        initialize(swallow_exceptions=False)
        _send_logs()

    def answer(self, path: str, payload: dict[str, Any]) -> Any:
        """What is said to one question; it raises what is wrong with it."""
        match path:
            case "/hello":
                version = ".".join(map(str, sys.version_info[:3]))
                return {"language": "python", "version": version, "pid": os.getpid(), "absent": self.absent}
            case "/coverage/snapshot" if self.meter is not None:
                return self.meter.snapshot(reset=bool(payload.get("reset")), full=bool(payload.get("full")))
            case "/code/locate" if self.patches is not None:
                return self.patches.locate(payload["function"])
            case "/code/patch" if self.patches is not None:
                patch = {name: value for name, value in payload.items() if name != "function"}
                return self.patches.patch(payload["function"], _kit("code_patches").Patch(**patch))
            case "/code/restore" if self.patches is not None:
                self.patches.restore(payload.get("function"))
                return self.patches.patched()
        what = "coverage" if path.startswith("/coverage") else "faults"
        raise LookupError(self.absent.get(what, f"there is no {path}"))

    def serve(self, listener: socket) -> None:
        """Answer one question after the other."""
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.settimeout(10)
                    connection.sendall(json.dumps(self._said(connection)).encode())
                except OSError:
                    continue  # whoever asked is gone

    def _said(self, connection: socket) -> dict[str, Any]:
        question = bytearray()
        while not question.endswith(b"\n") and len(question) < MOST_BYTES:
            chunk = connection.recv(1 << 16)
            if not chunk:
                break
            question += chunk
        try:
            asked = json.loads(bytes(question))
            return {"ok": self.answer(asked["path"], asked.get("payload") or {})}
        except Exception as error:  # a wrong question, or a service that is in no state to answer: its asker is told
            return {"error": f"{type(error).__name__}: {error}"}

    def serve_apart(self) -> None:
        """Listen in ANOMOD_RUN under the pid of this process and serve in a thread; OSError where that is not to be.

        So it is done in a forked child anew, for threads and sockets are the parent's.
        """
        listener = _listen(os.environ["ANOMOD_RUN"], f"{os.getpid()}.sock")
        threading.Thread(target=self.serve, args=(listener,), name="anomod", daemon=True).start()

    def begin_child(self) -> None:
        """A worker of a prefork server has what its parent was given, and counts from now on."""
        if self.meter is not None:
            self.meter.forget()
        try:
            self.serve_apart()
        except OSError as error:
            self.say(f"no agent: {type(error).__name__}: {error}")


def begin(say: Callable[[str], None]) -> None:
    """Put the agent into this process and into those that are forked from it."""
    agent = Agent([what for what in os.environ.get("ANOMOD_GIVE", "").split(",") if what], say)
    agent.begin()
    for what, why in agent.absent.items():
        if what in agent.give:
            say(f"no {what}: {why}")
    agent.serve_apart()
    os.register_at_fork(after_in_child=agent.begin_child)


def _listen(directory: str, name: str) -> socket:
    """A socket that anybody who sees the directory may speak to; the kernel takes paths of 107 bytes."""
    path = os.path.join(directory, name)
    opened = None
    if len(os.fsencode(path)) > 100:
        opened = os.open(directory, os.O_RDONLY)
        path = f"/proc/self/fd/{opened}/{name}"
    try:
        if os.path.lexists(path):
            os.unlink(path)  # of a process with this pid before a restart
        listener = socket(AF_UNIX)
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(8)
    finally:
        if opened is not None:
            os.close(opened)
    return listener


def _send_logs() -> None:
    """Send what is logged over OTLP, for its ids, and change nothing of how it is printed: there is no handler more."""
    import logging

    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    handler, print_it = LoggingHandler(), logging.Logger.callHandlers

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        if not record.name.startswith("opentelemetry"):
            handler.handle(record)
        print_it(logger, record)

    logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]


def _module(name: str) -> ModuleType | None:
    """A loaded module of the service; its program may go by the name of its file, too."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if file and os.path.splitext(os.path.basename(file))[0] == name:
        return main
    return sys.modules.get(name)


_loaded: dict[str, ModuleType] = {}


def _kit(name: str) -> ModuleType:
    """A file of the kit of our replicas, loaded by itself as a part of a package `anomod_kit`."""
    if not _loaded:
        package = ModuleType("anomod_kit")
        package.__path__ = [os.environ["ANOMOD_KIT"]]
        sys.modules["anomod_kit"] = _loaded[""] = package
    if name not in _loaded:
        _loaded[name] = importlib.import_module(f"anomod_kit.{name}")
    return _loaded[name]
