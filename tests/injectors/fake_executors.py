"""chaos_os and chaos_middleware for the fake blade: the few actions that are tested, with the real answers and flaws.

A stand-alone program, called as `NAME create|destroy TARGET ACTION --flag=value ... --uid=U`; it prints one answer.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> int:
    """One action; the exit code is always 0, as with the real ones."""
    verb, target, action, *words = argv
    flags = {name.lstrip("-"): value for name, _, value in (word.partition("=") for word in words)}
    actions = {
        "process kill": kill,
        "process stop": stop,
        "cpu fullload": load,
        "redis cache-limit": limit,
    }
    try:
        said = actions[f"{target} {action}"](verb == "destroy", flags)
    except OSError as error:
        said = fail(63063, f"cmd exec failed, err: {error.strerror} exit status 1")
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


def fail(code: int, error: str) -> dict:
    """A failure."""
    return {"code": code, "success": False, "error": error}


def ok(result: str = "") -> dict:
    """A success."""
    return {"code": 200, "success": True, "result": result}


def kill(undo: bool, flags: dict[str, str]) -> dict:
    """Once; the signal must be given, and destroying does nothing."""
    if undo:
        return ok(flags["uid"])
    if "pid" not in flags:
        return fail(45000, "less parameter: `pid|process|process-cmd|local-port`")
    if "signal" not in flags:
        return fail(45000, "less parameter: `signal`")
    os.kill(int(flags["pid"]), int(flags["signal"]))
    return ok()


def stop(undo: bool, flags: dict[str, str]) -> dict:
    """SIGSTOP, and SIGCONT by the same words."""
    for pid in flags["pid"].split(","):
        os.kill(int(pid), signal.SIGCONT if undo else signal.SIGSTOP)
    return ok()


def load(undo: bool, flags: dict[str, str]) -> dict:
    """Goes on until killed; with a bad percentage it ends at once, of which nobody hears."""
    if undo:
        return end_others(flags["uid"])
    if flags.get("cpu-percent", "100").isdigit() and int(flags.get("cpu-percent", "100")) <= 100:
        time.sleep(600)
    return fail(46000, "illegal `cpu-percent` parameter value")


def end_others(uid: str) -> dict:
    """SIGKILL to every other chaos_os with the uid in its arguments, and not to what it has started."""
    hit = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if "chaos_os" in words and uid in words and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
                hit += 1
    return ok() if hit else fail(63063, "destory experiment failed, cannot get the chaos_os program")


def limit(undo: bool, flags: dict[str, str]) -> dict:
    """CONFIG SET, then a note of the original in the very Redis that has just been limited."""
    host, _, port = flags["addr"].rpartition(":")
    note = f"origin_maxmemory_{flags['uid']}"
    with socket.create_connection((host, int(port)), 2) as connection, connection.makefile("rb") as answers:

        def ask(*words: str) -> str:
            connection.sendall(f"*{len(words)}\r\n".encode())
            connection.sendall(b"".join(f"${len(word.encode())}\r\n{word}\r\n".encode() for word in words))
            return read(answers)

        if undo:
            size = ask("GET", note)
            return fail(44000, "redis get origin max memory error: redis: nil") if not size else sets(ask, size)
        before = ask("CONFIG", "GET", "maxmemory").split()[-1]
        size = flags.get("size") or str(int(before) * int(flags["percent"][:-1]) // 100)
        said = sets(ask, size)
        if said["success"] and (answer := ask("SET", note, before)) != "OK":
            return fail(44000, f"redis set origin max memory error: {answer}")
        return said


def sets(ask, size: str) -> dict:
    """The limit itself."""
    answer = ask("CONFIG", "SET", "maxmemory", size)
    return ok("cache memory limit changed") if answer == "OK" else fail(44000, f"redis set max memory error: {answer}")


def read(answers) -> str:
    """One answer of Redis as a text; a list with its elements joined."""
    line = answers.readline().decode().strip()
    match line[0], line[1:]:
        case "$", "-1":
            return ""
        case "$", length:
            return answers.read(int(length) + 2)[:-2].decode()
        case "*", count:
            return " ".join(read(answers) for _ in range(int(count)))
        case _, text:
            return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
