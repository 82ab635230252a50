"""The first process of a container of ours: starts the container's program, ends with it, and answers our questions.

    python3 -I -S inside.py PORT GIVEN DIRECTORY PART -- program argument ...

Files of GIVEN (a__b.json) are copied to DIRECTORY (a/b.json) first. A question is one line of JSON on a connection of
its own, {"token": ..., "do": NAME, ...}, the answer another: {"ok": value} or {"error": text}. What can be asked is
what has a function `do_NAME` of Inside.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time

GROUPS = "/sys/fs/cgroup"
"""Where a container has its own control group, of either version."""
READ_MOST = 4_000_000
ASK_WITHIN_S = 2.0
END_GRACE_S = 1.0
BOUNDED = (
    "import signal, sys; signal.setitimer(signal.ITIMER_REAL, float(sys.argv.pop(1))); "
    "exec(compile(sys.argv.pop(1), 'program', 'exec'), {'__name__': '__main__'})"
)
"""Runs a program that is handed over as text; the kernel ends it at its deadline."""


class Inside:
    """The program, and the helper programs of faults, all children of ours."""

    def __init__(self, directory, token):
        self.directory = directory
        self.token = token
        self.programs = {}
        self.ended = set()
        self.main = 0
        self.code = None

    # the program

    def start(self, argv):
        """Start the container's program."""
        self.main = os.fork()
        if self.main == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            try:
                os.execvp(argv[0], argv)
            finally:
                os._exit(127)

    def reap(self):
        """Learn who has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.ended.add(pid)
            if pid == self.main:
                self.code = os.waitstatus_to_exitcode(status)

    # what can be asked

    def do_figures(self, question):
        """Figures of the program and all it started, since it began; ours left out, helper programs' counted."""
        ticks, pages, threads, read, written = 0, 0, 0, 0, 0
        for pid in _pids():
            fields = _fields(pid)
            if fields is None:
                continue
            if pid == os.getpid():  # of ours only what helper programs used that have ended
                ticks += int(fields[13]) + int(fields[14])
                continue
            ticks += sum(int(field) for field in fields[11:15])
            threads += int(fields[17])
            size = _read(f"/proc/{pid}/statm").split()
            pages += int(size[1]) - (int(size[2]) if pid != self.main else 0) if size else 0
            moved = _read(f"/proc/{pid}/io").split()
            if len(moved) >= 12:
                read, written = read + int(moved[9]), written + int(moved[11])
        fields = _fields(self.main)
        return {
            "cpu_s": ticks / os.sysconf("SC_CLK_TCK"),
            "memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
            "read_bytes": read,
            "written_bytes": written,
            "threads": threads,
            "stopped": fields is not None and fields[0] == "T",
        }

    def do_read(self, question):
        """The text of a file of the deployment; None when there is none."""
        try:
            with open(self._path(question["path"])) as file:
                return file.read(READ_MOST)
        except FileNotFoundError:
            return None

    def do_group(self, question):
        """Texts of files of the container's own control group, "cpu/cpu.stat" say; {} for those there are none of."""
        found = {}
        for name in question["files"]:
            controller, _, file = name.partition("/")
            for path in (f"{GROUPS}/{controller}/{file}", f"{GROUPS}/{file}"):  # version 1, version 2
                if ".." not in path and os.path.isfile(path):
                    with open(path) as text:
                        found[name] = text.read(READ_MOST)
                    break
        return found

    def do_memory(self, question):
        """The program's pid, and of it and all below it private bytes and soft limit of them (None: there is none)."""
        found = {}
        for pid in self._tree():
            rows = dict(line.split(":", 1) for line in _read(f"/proc/{pid}/status").splitlines() if ":" in line)
            with contextlib.suppress(OSError, KeyError):  # it is gone
                soft, _ = resource.prlimit(pid, resource.RLIMIT_DATA)
                found[pid] = [int(rows["VmData"].split()[0]) << 10, None if soft == resource.RLIM_INFINITY else soft]
        return {"server": self.main, "processes": found}

    def do_limit_memory(self, question):
        """Set the soft limit of processes; those that are gone are left out."""
        wanted = resource.RLIM_INFINITY if question["bytes"] is None else question["bytes"]
        for pid in question["pids"]:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
                resource.prlimit(pid, resource.RLIMIT_DATA, (wanted, hard))

    def do_reaches(self, question):
        """Those of the addresses ([name, host, port] each) to which a connection can be made from here."""
        tried = {}
        for name, host, port in question["addresses"]:
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((host, port))
            tried[one] = name
        until, reached = time.monotonic() + min(question["patience_s"], ASK_WITHIN_S), []
        while tried and time.monotonic() < until:
            for one in select.select([], list(tried), [], max(0.0, until - time.monotonic()))[1]:
                name = tried.pop(one)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    reached.append(name)
                one.close()
        for one in tried:
            one.close()
        return reached

    def do_write(self, question):
        """Replace a file of the deployment; text None removes it."""
        path = self._path(question["path"])
        if question["text"] is None:
            if os.path.exists(path):
                os.unlink(path)
            return
        with open(path + ".new", "w") as file:
            file.write(question["text"])
        os.replace(path + ".new", path)
        return

    def do_kill(self, question):
        """SIGKILL to the program."""
        os.kill(self.main, signal.SIGKILL)

    def do_listening(self, question):
        """Whether something here listens on a port."""
        want = f":{question['port']:04X}"
        lines = (_read("/proc/net/tcp") + _read("/proc/net/tcp6")).splitlines()
        rows = [line.split() for line in lines if ":" in line]
        return any(row[1].endswith(want) and row[3] == "0A" for row in rows if len(row) > 3)

    def do_run(self, question):
        """Start a helper program, handed over as text, which the kernel ends at its deadline; its pid here."""
        name = question["name"]
        if self._runs(name):
            raise ValueError(f"a program {name!r} runs already")
        words = ["python3", "-I", "-S", "-c", BOUNDED, str(question["deadline_s"]), question["source"]]
        words += [str(self.main) if word == "@main" else word for word in question["argv"]]
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            nowhere = os.open(os.devnull, os.O_RDWR)
            output = os.open(self._path(f"run/{name}.out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            for descriptor, target in ((nowhere, 0), (output, 1), (output, 2)):
                os.dup2(descriptor, target)
            try:
                os.execvp(words[0], words)
            finally:
                os._exit(127)
        self.ended.discard(pid)
        self.programs[name] = pid
        return pid

    def do_running(self, question):
        """Helper programs that run: name -> pid here."""
        return {name: pid for name, pid in self.programs.items() if self._runs(name)}

    def do_end(self, question):
        """End a helper program and its children (none of that name: nothing), and wait until they are gone."""
        name = question["name"]
        pid = self.programs.get(name)
        if pid is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(pid, number)
            until = time.monotonic() + END_GRACE_S
            while time.monotonic() < until and (self._runs(name) or _group_lives(pid)):
                time.sleep(0.01)
            if not self._runs(name) and not _group_lives(pid):
                break
        del self.programs[name]
        return

    # within

    def _runs(self, name):
        self.reap()
        pid = self.programs.get(name)
        return pid is not None and pid not in self.ended

    def _tree(self):
        parents = {pid: int(fields[1]) for pid in _pids() if (fields := _fields(pid))}
        found, added = set(), {self.main} & parents.keys()
        while added:
            found |= added
            added = {pid for pid, parent in parents.items() if parent in found} - found
        return found

    def _path(self, name):
        path = os.path.realpath(os.path.join(self.directory, name))
        if not path.startswith(os.path.realpath(self.directory) + os.sep):
            raise ValueError(f"{name!r} is no file of the deployment")
        return path

    def answer(self, connection):
        """Answer one question."""
        connection.settimeout(ASK_WITHIN_S)
        data = b""
        while not data.endswith(b"\n"):
            piece = connection.recv(65_536)
            if not piece or len(data) > READ_MOST:
                return
            data += piece
        try:
            question = json.loads(data)
            if question.get("token") != self.token:
                raise PermissionError("a valid token is needed")
            said = {"ok": getattr(self, "do_" + question["do"])(question)}
        except Exception as error:  # who asks is told, whatever it is; the container goes on
            said = {"error": f"{type(error).__name__}: {error}"}
        connection.settimeout(10.0)
        connection.sendall(json.dumps(said).encode() + b"\n")


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _fields(pid):
    """Fields of /proc/PID/stat from the state on; None when it is gone."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split() or None


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _signal_group(pid, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _group_lives(group):
    return any(fields[2] == str(group) and fields[0] not in "ZX" for fields in map(_fields, _pids()) if fields)


def lay_out(given, directory, part):
    """The directories of the deployment, what was given in its place, and spans to go where the log goes."""
    for name in ("logs", "spans", "run", "names", "stores", "secret"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    for name in os.listdir(given):
        if "__" in name:
            with open(os.path.join(given, name), "rb") as source:
                data = source.read()
            with open(os.path.join(directory, *name.split("__")), "wb") as target:
                target.write(data)
    spans = os.path.join(directory, "spans", part + ".jsonl")
    if not os.path.lexists(spans):
        os.symlink("/proc/self/fd/1", spans)


def main(argv):
    """Start the program, answer until it ends, end with its code."""
    port, given, directory, part = int(argv[0]), argv[1], argv[2], argv[3]
    lay_out(given, directory, part)
    with open(os.path.join(directory, "secret", "token")) as file:
        inside = Inside(directory, file.read().strip())
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    wakes, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    inside.start(argv[5:])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(inside.main, signal.SIGTERM))
    while inside.code is None:
        for ready in select.select([listener.fileno(), wakes], [], [], 30.0)[0]:
            if ready == wakes:
                os.read(wakes, 4096)
                inside.reap()
                continue
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # who asked may go away
                inside.answer(connection)
    os._exit(inside.code if inside.code >= 0 else 128 - inside.code)


if __name__ == "__main__":
    main(sys.argv[1:])
