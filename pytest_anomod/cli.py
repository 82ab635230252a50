"""The `anomod` command: bring a system up, look at a dataset, clean up after killed runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_anomod import judge_again
from pytest_anomod.audit import command as auditing
from pytest_anomod.evaluation import command as evaluation
from pytest_anomod.exporters import command as exporting
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import AnomodError
from pytest_anomod.model.system import System
from pytest_anomod.publishing import command as publishing
from pytest_anomod.run import calibrate
from pytest_anomod.spreading import command as spreading


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; errors of ours end in one line on stderr and exit code 2."""
    arguments = _parser().parse_args(argv)
    _know_definitions()
    try:
        return int(arguments.run(arguments))
    except AnomodError as error:
        print(f"anomod: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="anomod", description="Systems, datasets and safety of pytest-anomod.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="bring a system up in the foreground; Ctrl-C takes it down")
    up.add_argument("system", help="its name: ours, or one that conftest.py here defines")
    up.add_argument("--port", type=int, metavar="N", help="port of the entry service (default: any free one)")
    up.add_argument("--runtime", default="auto", metavar="NAME", help="what brings it up (default: %(default)s)")
    up.set_defaults(run=_up)

    stats = commands.add_parser("stats", help="how much there is in a dataset, and one row per case")
    stats.add_argument("path", help="root of the dataset, a URL too")
    stats.set_defaults(run=_stats)

    validate = commands.add_parser("validate", help="find incomplete, foreign and inconsistent cases; exit 1 if any")
    validate.add_argument("path", help="root of the dataset, a URL too")
    validate.set_defaults(run=_validate)

    index = commands.add_parser(
        "index", help="write the index again, for example after copying cases of other machines"
    )
    index.add_argument("path", help="root of the dataset, a URL too")
    index.add_argument(
        "--unique", action="store_true", help="keep one case of each scenario and seed, the first that was completed"
    )
    index.set_defaults(run=_index)

    for part in (evaluation, judge_again, calibrate, auditing, exporting, publishing):
        part.add_parser(commands)

    catalog_command = commands.add_parser(
        "list", help="list the systems, faults, modalities, methods ... that are installed"
    )
    catalog_command.set_defaults(run=_list)

    _add_machine(commands)

    _add_others(commands)

    check = commands.add_parser(
        "check", help="what Chaos Toolkit experiments and other tools' fault files would do here; runs nothing of them"
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(run=_check)

    return parser


def _add_others(commands: Any) -> None:
    """Subcommands that packages bring along."""
    from pytest_anomod.adopt import command as adopting

    adopting.add_to(commands, lambda line: print(line, flush=True))

    from pytest_anomod import explore
    from pytest_anomod.agents import command as agents
    from pytest_anomod.importers import command as importing
    from pytest_anomod.importers import export

    explore.add_to(commands, lambda line: print(line, flush=True), _runtime_name)
    for group in (agents, spreading, importing):
        group.add_to(commands, lambda line: print(line, flush=True))
    export.add_to(commands, print, lambda line: print(line, file=sys.stderr))


def _add_machine(commands: Any) -> None:
    """Add the subcommands that look at this machine and prepare it."""
    doctor = commands.add_parser(
        "doctor", help="what this machine has, and what can't be done without each missing thing"
    )
    doctor.add_argument(
        "--kubernetes", action="store_true", help="what the runtime kubernetes needs in the cluster, and what it lacks"
    )
    doctor.set_defaults(run=_doctor)

    image = commands.add_parser("image", help="the image of all services and stores, for the docker runtime")
    image.add_argument(
        "action",
        choices=("build", "name", "save"),
        help="make it unless it is there; say its name; make it and write it to a file that nodes of a cluster import",
    )
    image.add_argument("--to", type=Path, metavar="FILE", help="where to save it (default: in the cache directory)")
    image.add_argument("--base", metavar="IMAGE", help="an image with a Python, such as python:3.12-slim, to build on")
    image.set_defaults(run=_image)

    clean = commands.add_parser("clean", help="remove what killed sessions left on this machine")
    clean.set_defaults(run=_clean)


DEFINITIONS = ("conftest.py", "anomod_system.py")
"""Files of the current directory in which a team's own systems are looked for."""


def _know_definitions() -> None:
    """Have the catalog look for what it does not know in the files of this directory that may define it."""
    here = [str(Path(name).resolve()) for name in DEFINITIONS if Path(name).is_file()]
    os.environ[catalog.DEFINED_IN] = os.pathsep.join(filter(None, [os.environ.get(catalog.DEFINED_IN), *here]))


def _up(arguments: argparse.Namespace) -> int:
    system = catalog.find("systems", arguments.system)
    runtime = catalog.find("runtimes", _runtime_name(arguments.runtime, system))
    return runtime.up_in_foreground(system, port=arguments.port, say=lambda line: print(line, flush=True))


def _runtime_name(name: str, system: System) -> str:
    """What `auto` takes for a system, which is said, with its image made if need be; any other name is itself."""
    from pytest_anomod.runtimes import choice

    if name != choice.AUTO:
        return name
    found = choice.look()
    if choice.runtime_for(found, system) == found.runtime:  # no image is made for what does not run in it
        found = choice.settle(found, lambda line: print(line, flush=True))
    taken = choice.runtime_for(found, system)
    why = found.why if taken == found.runtime else f"it takes what {found.runtime!r} refuses"
    print(f"runtime: {taken}, for {why}", flush=True)
    return taken


def _stats(arguments: argparse.Namespace) -> int:
    from pytest_anomod.dataset.stats import render

    print(render(arguments.path))
    return 0


def _validate(arguments: argparse.Namespace) -> int:
    from pytest_anomod.dataset.validate import validate

    problems = validate(arguments.path)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else "no problems found")
    return 1 if problems else 0


def _index(arguments: argparse.Namespace) -> int:
    from pytest_anomod.dataset.index import write_index

    if arguments.unique:
        from pytest_anomod.dataset import doubles, layout

        for directory in doubles.set_aside(layout.place(arguments.path)):
            print(f"not counted, as it is there already: {directory}")
    document = write_index(arguments.path)
    print(f"{document['cases']} cases; {len(document['incomplete'])} incomplete, which dataset.json lists")
    return 0


def _list(_: argparse.Namespace) -> int:
    for group in catalog.GROUPS:
        print(f"{group}:")
        for name, offer in sorted(catalog.offers(group).items()):
            doc = (offer.__doc__ or "").strip().splitlines()
            print(f"  {name:24} {doc[0] if doc else ''}")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from pytest_anomod import doctor

    if arguments.kubernetes:
        from pytest_anomod.injectors.chaos_mesh import rights
        from pytest_anomod.runtimes.kubernetes.examine import examine

        text, works = examine()
        print(text, rights.examine(), sep="\n\n")
        return 0 if works else 1

    found = doctor.rows(doctor.examine())
    print(doctor.render(found))
    return 0 if doctor.works(found) else 1


def _image(arguments: argparse.Namespace) -> int:
    from pytest_anomod.runtimes.docker import engine as docker_engine
    from pytest_anomod.runtimes.docker import image as docker_image

    if arguments.action == "name":
        print(docker_image.image_name())
        return 0
    if arguments.action == "save":
        print(docker_image.save(arguments.to, lambda line: print(line, file=sys.stderr)))
        return 0
    client = docker_engine.connect(docker_engine.engine_url())
    docker_image.build(client, lambda line: print(line, flush=True), base=arguments.base)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """A table a file; exit code 1 when something in them is refused."""
    from pytest_anomod import importers
    from pytest_anomod.chaos.imported import checking
    from pytest_anomod.importers import table
    from pytest_anomod.model.remark import Says, worst

    verdicts = []
    for path in arguments.files:
        remarks = importers.check(path) if path.is_file() else None
        if remarks is None:
            remarks = checking.check_file(path)
        print(table.render(path, remarks), end="\n\n")
        verdicts.append(worst(remarks))
    counts = ", ".join(f"{verdicts.count(says)} {says}" for says in Says if says in verdicts)
    print(f"{len(verdicts)} files: {counts}" if len(verdicts) > 1 else counts)
    return 1 if Says.REFUSED in verdicts else 0


def _clean(_: argparse.Namespace) -> int:
    from pytest_anomod.injectors.chaos_mesh import trial

    removed = [line for name in catalog.offers("runtimes") for line in catalog.find("runtimes", name).sweep()]
    removed += trial.clean()
    for line in removed:
        print(line)
    print(f"{len(removed)} things removed" if removed else "nothing was left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
