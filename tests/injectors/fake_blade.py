"""A `blade` that keeps the recorded contract of the real one (1.7.4): outputs, exit codes, records, and its errors.

A stand-alone program. Like the real one it has its records (SQLite) beside itself, builds its commands from the
specifications in yaml/, runs bin/chaos_os and bin/chaos_middleware, and says success of detached actions blindly.
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
DETACHED = {"cpu fullload", "mem load", "disk burn", "network occupy", "redis cache-hot-key"}
ALIASES = {"c": "create", "d": "destroy", "s": "status", "v": "version"}
QUIET = subprocess.DEVNULL
OURS = {"uid": True, "timeout": True, "async": False, "a": False, "debug": False, "d": False}
HELP = "An easy to use and powerful chaos engineering experiment toolkit\n\nUsage:\n  blade [command]\n"


class FailedError(Exception):
    """What blade finds wrong: printed as JSON on stderr, exit code 1."""

    def __init__(self, code: int, error: str) -> None:
        super().__init__(error)
        self.answer = {"code": code, "success": False, "error": error}


class UsageError(Exception):
    """What its command line parser finds wrong: plain text on stderr, exit code 1."""


def main(argv: list[str]) -> int:
    """One command."""
    command = ALIASES.get(argv[0], argv[0]) if argv else ""
    known = {"create": create, "destroy": destroy, "status": status, "version": version}
    if command not in known:
        say(HELP)
        return 0
    try:
        said = known[command](argv[1:])
    except FailedError as failed:
        sys.stderr.write(compact(failed.answer))
        return 1
    except UsageError as usage:
        sys.stderr.write(f"Error: {usage}\n")
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
    if len(words) < 2:
        raise FailedError(49000, "illegal command: `invalid command`, err: `less action command`")
    target, action = words
    if (target, action) not in commands:
        raise UsageError(f'unknown command "{action}" for "blade create {target}"')
    program, known = commands[target, action]
    flags = parse(argv[2:], {**known, **OURS})
    uid = flags.pop("uid", None) or os.urandom(8).hex()
    seconds = flags.pop("timeout", None)
    given = "".join(f" --{name}={value}" for name, value in flags.items())
    timed = f" --timeout={seconds}" if seconds else ""
    insert(uid, target, action, timed + given)
    if flags.pop("async", None) or flags.pop("a", None):
        return done(uid)  # its child dies of a nil pointer: nothing happens, and nobody hears of it
    answer = act(program, "create", target, action, given, uid)
    if answer["success"] and seconds:
        start_timer(seconds, uid)
    return answer


def act(program: str, verb: str, target: str, action: str, given: str, uid: str) -> dict:
    """Run the executor; a detached one is only asked after 100 ms whether its pid is there."""
    argv = [str(ROOT / "bin" / program), verb, target, action, *given.split(" --")[1:]]
    argv = [*argv[:4], *(f"--{word}" for word in argv[4:]), f"--uid={uid}"]
    try:
        if f"{target} {action}" in DETACHED and verb == "create":
            process = subprocess.Popen(argv, stdin=QUIET, stdout=QUIET, stderr=QUIET)
            time.sleep(0.1)
            os.kill(process.pid, 0)  # of a zombie too
            update(uid, "Success", "")
            return done(uid)
        said = json.loads(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
    except OSError as error:
        said = {"code": 63063, "success": False, "error": f"fork/exec {argv[0]}: {(error.strerror or '').lower()}"}
    except ValueError:
        said = {"code": 63063, "success": False, "error": "exit status 2"}
    if verb == "create":
        update(uid, "Success" if said["success"] else "Error", said.get("error", ""))
    if not said["success"]:
        raise FailedError(said["code"], said.get("error", ""))
    return done(uid)


def destroy(argv: list[str]) -> dict:
    """Undo by uid; a second time it only tells of the first."""
    force = "--force-remove" in argv
    (uid,) = [word for word in argv if not word.startswith("-")]
    row = find(uid)
    if row is None:
        raise FailedError(67002, "`record not found, if it's k8s experiment, please add --target k8s flag to retry`")
    if row["status"] == "Destroyed":
        return done(f"command: {row['command']} {row['sub_command']} {row['flag']}, destroy time: {row['update_time']}")
    target, action = row["command"], row["sub_command"]
    try:
        if f"{target} {action}" in DETACHED:
            kill_executors(uid)
        else:
            program, _ = specifications()[target, action]
            given = re.sub(r" --timeout=\S+", "", row["flag"])
            act(program, "destroy", target, action, given, uid)
    except FailedError:
        if force:
            change("DELETE FROM experiment WHERE uid = ?", uid)
        raise
    update(uid, "Destroyed", "")
    flags = {name: value for name, _, value in (word.partition("=") for word in row["flag"].split(" --")[1:])}
    return done({"target": target, "action": action, "flags": flags, "ActionProcessHang": False})


def kill_executors(uid: str) -> None:
    """SIGKILL to every chaos_os with the uid in its arguments, and not to what it has started."""
    hit = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if "chaos_os" in words and uid in words:
                os.kill(int(folder.name), 9)
                hit += 1
        except OSError:
            continue
    if not hit:
        raise FailedError(63063, "destory experiment failed, cannot get the chaos_os program")


def status(argv: list[str]) -> dict:
    """One record; pretty for a terminal, compact for everybody else."""
    if not argv:
        raise FailedError(45000, "less parameter: `type|uid`, must specify the right type or uid")
    row = find(argv[0])
    if row is None:
        raise FailedError(67002, f"`{argv[0]}`: record not found")
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


def specifications() -> dict[tuple[str, str], tuple[str, dict[str, bool]]]:
    """(target, action) -> executor and flags, of the files that bear our very version; others are passed over."""
    found: dict[tuple[str, str], tuple[str, dict[str, bool]]] = {}
    for kind, program in KINDS.items():
        target, flags, name = "", {}, ""
        path = ROOT / "yaml" / f"chaosblade-{kind}-spec-1.7.4.yaml"
        for line in path.read_text().splitlines() if path.exists() else ():
            if match := re.match(r"- target: (\S+)", line):
                target = match[1]
            elif match := re.match(r"\s+- action: (\S+)", line):
                found[target, match[1]] = program, (flags := {})
            elif match := re.match(r"\s+- name: (\S+)", line):
                flags[match[1]] = True
                name = match[1]
            elif re.match(r"\s+noArgs: true", line):
                flags[name] = False
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
        raise FailedError(67001, f"`db`: `{error}`") from error
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
