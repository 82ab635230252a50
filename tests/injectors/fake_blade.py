"""A `blade` that keeps the contract of the real one (1.7.4): outputs, exit codes, records, and its errors.

A stand-alone program, written after records of a real one and after its source. Like the real one it has its records
(SQLite) beside itself, builds its commands from the specifications in yaml/, has bin/chaos_os and bin/chaos_middleware
do and undo everything, and says success of detached actions blindly. Fake or real executors may be in bin/.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(sys.argv[0]).absolute().parent
KINDS = {"os": "chaos_os", "middleware": "chaos_middleware"}
ALIASES = {"c": "create", "d": "destroy", "s": "status", "v": "version"}
QUIET = subprocess.DEVNULL
OURS = {"uid": True, "timeout": True, "async": False, "a": False, "debug": False, "d": False}
UNKNOWN = "`{}` record not found, if it's k8s experiment, please add --target k8s flag to retry"
HELP = "An easy to use and powerful chaos engineering experiment toolkit\n\nUsage:\n  blade [command]\n"


class FailedError(Exception):
    """What blade finds wrong: printed as JSON on stderr, exit code 1."""

    def __init__(self, code: int, error: str, usage: str = "") -> None:
        super().__init__(error)
        self.answer = {"code": code, "success": False, "error": error}
        self.usage = usage


class Command:
    """An action: the executor it is for, its flags with whether they take a value, and whether that one stays."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.flags: dict[str, bool] = {}
        self.detached = False


class UsageError(Exception):
    """What its command line parser finds wrong: plain text on stderr, exit code 1."""


def main(argv: list[str]) -> int:
    """One command."""
    command = ALIASES.get(argv[0], argv[0]) if argv else ""
    known = {"create": create, "destroy": destroy, "status": status, "version": version}
    if not command:
        say(HELP)
        return 0
    try:
        if command not in known:
            raise UsageError(f'unknown command "{command}" for "blade"')
        said = known[command](argv[1:])
    except FailedError as failed:
        sys.stderr.write(failed.usage + compact(failed.answer))
        return 1
    except UsageError as usage:
        sys.stderr.write(f"{usage}\n")
        return 1
    if said is not None:
        say(compact(said))
    return 0


def say(text: str) -> None:
    """On stdout."""
    sys.stdout.write(text)


def compact(answer: dict) -> str:
    """An answer as a pipe gets it: one line without blanks."""
    return json.dumps(answer, separators=(",", ":")) + "\n"


def version(_: list[str]) -> None:
    """Plain text; and even this makes the file of the records."""
    records().close()
    say("version: 1.7.4\nenv: #1 SMP x86_64\nbuild-time: n/a\n")


def create(argv: list[str]) -> dict | None:
    """Record, act, record how it went; a timer for the end if asked for one."""
    commands = specifications()
    words = [word for word in argv[:2] if not word.startswith("-")]
    if not words or words[0] not in {target for target, _ in commands}:
        say(HELP)
        return None
    if len(words) < 2 or (words[0], words[1]) not in commands:
        raise FailedError(49000, "illegal command, err: less action command", f"Usage:\n  blade create {words[0]}\n")
    target, action = words
    flags = parse(argv[2:], {**commands[target, action].flags, **OURS})
    uid = flags.get("uid") or os.urandom(8).hex()
    seconds = flags.get("timeout")
    insert(uid, target, action, "".join(f" --{name}={value}" for name, value in flags.items()))
    if flags.keys() & {"async", "a"}:
        return done(uid)  # its child dies of a nil pointer: nothing happens, and nobody hears of it
    try:
        act(commands[target, action], ["create", target, action], flags, uid)
    except FailedError as failed:
        update(uid, "Error", failed.answer["error"])
        raise
    update(uid, "Success", "")
    if seconds:
        start_timer(seconds, uid)
    return done(uid)


def act(command: Command, words: list[str], flags: dict[str, str], uid: str) -> None:
    """Run the executor; a detached one is only asked after 100 ms whether its pid is there.

    The uid comes first, and if it was chosen by the caller once more among the flags; the time limit stays here.
    """
    given = [f"--{name}={value}" for name, value in flags.items() if name != "timeout"]
    argv = [str(ROOT / "bin" / command.program), *words, f"--uid={uid}", *given]
    try:
        if command.detached and words[0] == "create":
            process = subprocess.Popen(argv, stdin=QUIET, stdout=QUIET, stderr=QUIET)
            time.sleep(0.1)
            os.kill(process.pid, 0)  # of a zombie too
            return
        ended = subprocess.run(argv, stdin=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        text = f"fork/exec {argv[0]}: {(error.strerror or '').lower()}"
        raise FailedError(63063, f"command exec failed, {text}") from error
    if ended.returncode:
        raise FailedError(63063, f"command exec failed, exit status {ended.returncode}")
    try:
        said = json.loads(ended.stdout)
    except ValueError as error:
        raise FailedError(60000, f"`{ended.stdout.decode()}`: exec result unmarshal failed, err: {error}") from error
    if not said["success"]:
        raise FailedError(said["code"], said.get("error", ""))


def destroy(argv: list[str]) -> dict:
    """Undo by uid; a second time it only tells of the first."""
    force = "--force-remove" in argv
    (uid,) = [word for word in argv if not word.startswith("-")]
    row = find(uid)
    if row is None:
        raise FailedError(67002, UNKNOWN.format(uid))
    if row["status"] == "Destroyed":
        return done(f"command: {row['command']} {row['sub_command']} {row['flag']}, destroy time: {row['update_time']}")
    target, action = row["command"], row["sub_command"]
    flags = {name: value for name, _, value in (word.partition("=") for word in row["flag"].split(" --")[1:])}
    try:
        command = specifications().get((target, action))
        if command is None:
            raise FailedError(56000, f"`can't find executor for {target}, {action}`: the handler exec not found")
        act(command, ["destroy", target, action], flags, uid)
    except FailedError:
        if force:
            change("DELETE FROM experiment WHERE uid = ?", uid)
        raise
    update(uid, "Destroyed", "")
    return done({"target": target, "action": action, "flags": flags, "ActionProcessHang": False})


def status(argv: list[str]) -> dict:
    """One record; pretty for a terminal, compact for everybody else."""
    if not argv:
        raise FailedError(45000, "less parameter: `type|uid`%!(EXTRA string=must specify the right type or uid)")
    row = find(argv[0])
    if row is None:
        raise FailedError(67002, UNKNOWN.format(argv[0]))
    titles = {"sub_command": "SubCommand", "create_time": "CreateTime", "update_time": "UpdateTime"}
    return done({titles.get(name, name.title()): row[name] for name in row.keys() if name != "id"})  # noqa: SIM118


def done(result: object) -> dict:
    """A success as it is printed."""
    return {"code": 200, "success": True, "result": result}


def parse(words: list[str], known: dict[str, bool]) -> dict[str, str]:
    """Flags by name; `known` says which take a value."""
    flags, rest = {}, list(words)
    while rest:
        name, given, value = rest.pop(0).partition("=")
        name = name.lstrip("-")
        if name not in known:
            raise UsageError(f"unknown flag: --{name}")
        if not given and known[name]:
            if not rest:
                raise UsageError(f"flag needs an argument: --{name}")
            value = rest.pop(0)
        flags[name] = value if given or known[name] else "true"
    return flags


def specifications() -> dict[tuple[str, str], Command]:
    """The actions by target and name, of the files that bear our very version; others are passed over."""
    found: dict[tuple[str, str], Command] = {}
    for kind, program in KINDS.items():
        target, name, command = "", "", Command(program)
        path = ROOT / "yaml" / f"chaosblade-{kind}-spec-1.7.4.yaml"
        for line in path.read_text().splitlines() if path.exists() else ():
            if match := re.match(r"- target: (\S+)", line):
                target = match[1]
            elif match := re.match(r"\s+- action: (\S+)", line):
                command = found[target, match[1]] = Command(program)
            elif match := re.match(r"\s+- name: (\S+)", line):
                name = match[1]
                command.flags[name] = True
            elif re.match(r"\s+noArgs: true", line):
                command.flags[name] = False
            elif re.match(r"\s+actionProcessHang: true", line):
                command.detached = True
    return found


def start_timer(seconds: str, uid: str) -> None:
    """In our process group, as the real one: a signal to the group ends it."""
    words = f"sleep {int(re.sub('s$', '', seconds))}; {sys.argv[0]} destroy {uid}"
    subprocess.Popen(["nohup", "/bin/sh", "-c", words], stdin=QUIET, stdout=QUIET, stderr=QUIET)


def records() -> sqlite3.Connection:
    """The records, beside the program."""
    base = sqlite3.connect(ROOT / "chaosblade.dat", timeout=10)
    base.row_factory = sqlite3.Row
    base.execute(
        "CREATE TABLE IF NOT EXISTS experiment (id INTEGER PRIMARY KEY, uid VARCHAR(32) UNIQUE, command VARCHAR,"
        "sub_command VARCHAR, flag VARCHAR, status VARCHAR, error VARCHAR, create_time VARCHAR, update_time VARCHAR)"
    )
    return base


def change(statement: str, *values: str) -> None:
    """One statement; the database's own complaints are blade's."""
    base = records()
    try:
        with base:
            base.execute(statement, values)
    except sqlite3.Error as error:
        raise FailedError(67001, f"`{statement.split()[0].lower()}`: failed to execute, err: {error}") from error
    finally:
        base.close()


def insert(uid: str, target: str, action: str, flags: str) -> None:
    """A record in state Created."""
    now = datetime.now(UTC).isoformat()
    row = (uid, target, action, flags, "Created", "", now, now)
    columns = "uid, command, sub_command, flag, status, error, create_time, update_time"
    change(f"INSERT INTO experiment ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)


def update(uid: str, state: str, error: str) -> None:
    """Its next state."""
    now = datetime.now(UTC).isoformat()
    change("UPDATE experiment SET status = ?, error = ?, update_time = ? WHERE uid = ?", state, error, now, uid)


def find(uid: str) -> sqlite3.Row | None:
    """A record."""
    base = records()
    try:
        return base.execute("SELECT * FROM experiment WHERE uid = ?", (uid,)).fetchone()
    finally:
        base.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
