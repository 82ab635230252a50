"""Builds a home of ChaosBlade with Go alone: `python scripts/build_blade.py DIRECTORY` (Go >= 1.25, a module proxy).

`go install MODULE@VERSION` refuses the command line program of most releases (their go.mod has replacements) and needs
more of the proxy than the modules themselves. So a module of our own requires them, and `go build` makes of it:

    DIRECTORY/blade                                             the command line
    DIRECTORY/bin/chaos_os, bin/chaos_middleware                the executors
    DIRECTORY/yaml/chaosblade-{os,middleware}-spec-VERSION.yaml the command tree, written by the executors' generators

`--source CHECKOUT` builds the program from a copy of its repository instead, for those whose proxy does not have the
module; `--no-cli` leaves it out, for those who have a `blade` already, or only test the executors.

The home appears whole or not at all. What needs more than Go (containers: nsexec in C; jvm: Maven) is not built.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

GROUP = "github.com/chaosblade-io"
CLI = "v1.8.1-0.20260728085801-d8c5473ccda3"
"""The first commit without replacements, so that its requirements hold for us as they are."""
EXECUTORS = "v1.7.4"
HOME_VERSION = "1.7.4"
"""What blade takes itself for: it finds its specifications by that name."""
LEAST_GO = (1, 25)


class BuildError(Exception):
    """Why there is no home; the message says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Build; 0 and the path of the home on stdout, or 1 and the reason on stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="the home to be made; must not exist or be empty")
    parser.add_argument("--cli", default=CLI, metavar="VERSION", help="of the module chaosblade (default: %(default)s)")
    parser.add_argument(
        "--executors", default=EXECUTORS, metavar="VERSION", help="of chaosblade-exec-os and -middleware (%(default)s)"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--source",
        type=Path,
        metavar="CHECKOUT",
        help="a copy of its repository to build blade from",
    )
    instead.add_argument("--no-cli", action="store_true", help="make bin/ and yaml/ only")
    arguments = parser.parse_args(argv)
    cli = None if arguments.no_cli or arguments.source else arguments.cli
    source = arguments.source and arguments.source.absolute()
    try:
        build(arguments.directory.absolute(), cli=cli, executors=arguments.executors, source=source)
    except BuildError as error:
        sys.stderr.write(f"build_blade: {error}\n")
        return 1
    sys.stdout.write(f"{arguments.directory.absolute()}\n")
    return 0


def build(home: Path, *, cli: str | None = CLI, executors: str = EXECUTORS, source: Path | None = None) -> None:
    """Make the home, with the command line of that version, or of that checkout, or with none if neither is given.

    BuildError when it can't be, and then nothing is left of the attempt.
    """
    if home.exists() and any(home.iterdir()):
        raise BuildError(f"{home} is not empty; name a new directory")
    if source is not None and not (source / "cli").is_dir():
        raise BuildError(f"{source} has no cli/; name a checkout of {GROUP}/chaosblade")
    go = find_go()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".blade-") as scratch:
        module, fresh = Path(scratch) / "module", Path(scratch) / "home"
        wanted = {"chaosblade-exec-os": executors, "chaosblade-exec-middleware": executors}
        _module(go, module, wanted if cli is None else {"chaosblade": cli, **wanted})
        for folder in ("bin", "yaml"):
            (fresh / folder).mkdir(parents=True)
        program = ["-ldflags", f"-X {GROUP}/chaosblade/version.Ver={HOME_VERSION}", "-o", str(fresh / "blade")]
        if source is not None:  # in its own module, where its replacements and checksums hold; nothing is written there
            _go(go, source, "build", "-mod=readonly", "-buildvcs=false", *program, "./cli")
        elif cli is not None:
            _go(go, module, "build", "-mod=mod", *program, f"{GROUP}/chaosblade/cli")
        for kind in ("os", "middleware"):
            package = f"{GROUP}/chaosblade-exec-{kind}"
            _go(go, module, "build", "-mod=mod", "-o", str(fresh / "bin" / f"chaos_{kind}"), package)
            specification = fresh / "yaml" / f"chaosblade-{kind}-spec-{HOME_VERSION}.yaml"
            _go(go, module, "run", "-mod=mod", f"{package}/build", str(specification))
        if cli is not None or source is not None:
            check(fresh)
        if home.exists():
            home.rmdir()
        fresh.rename(home)


def find_go() -> str:
    """The go program; BuildError when it is missing or too old."""
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"no go on PATH; install Go >= {'.'.join(map(str, LEAST_GO))}")
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < LEAST_GO:
        raise BuildError(f"{go} is {said.strip() or 'silent about its version'}; it must be >= 1.{LEAST_GO[1]}")
    return go


def check(home: Path) -> None:
    """See that the new blade knows itself and its commands; what that leaves behind is removed."""
    for words, wanted in ((["version"], HOME_VERSION), (["create", "process", "kill", "--help"], "--pid")):
        said = subprocess.run([home / "blade", *words], capture_output=True, text=True, check=False, cwd=home)
        if wanted not in said.stdout + said.stderr:
            raise BuildError(
                f"the new blade does not work: `blade {' '.join(words)}` says {said.stdout + said.stderr!r}"
            )
    (home / "chaosblade.dat").unlink(missing_ok=True)
    shutil.rmtree(home / "logs", ignore_errors=True)


def _module(go: str, directory: Path, requirements: dict[str, str]) -> None:
    """A module of our own that requires those, with the versions that they in turn ask for."""
    directory.mkdir(parents=True)
    lines = [f"\t{GROUP}/{name} {version}" for name, version in requirements.items()]
    text = "\n".join(["module blade.invalid/home", "", f"go 1.{LEAST_GO[1]}", "", "require (", *lines, ")", ""])
    (directory / "go.mod").write_text(text, encoding="utf-8")
    _go(go, directory, "mod", "download", *(f"{GROUP}/{name}" for name in requirements))


def _go(go: str, directory: Path, verb: str, *words: str) -> None:
    """Run go in a module; BuildError with its last words."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    done = subprocess.run(
        [go, verb, *words], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if not line.startswith("go: downloading")]
        raise BuildError(f"`{' '.join(['go', verb, *words])}` failed:\n" + "\n".join(said[-6:]))


if __name__ == "__main__":
    sys.exit(main())
