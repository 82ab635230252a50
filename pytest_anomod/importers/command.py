"""The subcommands `anomod import FILE...` and `anomod export-experiment SCENARIO --as FORMAT`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.importers.found import Aims
    from pytest_anomod.importers.reading import FoundFile

Say = Callable[[str], None]
NOT_ALL = 1
"""Exit code when something of the files was refused; what could be written is."""
DEFINITIONS = ("conftest.py", "anomod_system.py")


def add_to(commands: Any, say: Say) -> None:
    """Add the subcommand to those of the `anomod` command."""
    bring = commands.add_parser(
        "import", help="make tests of manifests of Chaos Mesh, Litmus, ChaosBlade and Toxiproxy"
    )
    bring.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML, JSON, or a script with command lines")
    bring.add_argument("--system", required=True, metavar="NAME", help="whose services the files' labels name")
    bring.add_argument(
        "-o", "--out", type=Path, default=Path("tests/chaos"), metavar="DIR", help="default: %(default)s"
    )
    bring.add_argument(
        "--target", action="append", default=[], metavar="LABEL=SERVICE", help="what a file calls one of the services"
    )
    bring.add_argument("--force", action="store_true", help="write over what is there")
    bring.set_defaults(run=lambda arguments: import_files(arguments, say))


def import_files(arguments: argparse.Namespace, say: Say) -> int:
    """Read, say what becomes of each part, write; exit code 0, or 1 when something was refused."""
    from pytest_anomod.importers import reading, render, table
    from pytest_anomod.model.remark import Says

    aims = _aims(arguments.system, arguments.target)
    found = [reading.read(path, aims) for path in arguments.files]
    writes = _writes(found, arguments.system, arguments.out, force=arguments.force)
    for one in found:
        remarks = table.remarks_of(one)
        say(
            table.render(one.path, remarks, colour=table.colours())
            if one.formats
            else f"{one.path}\n       refused  {_UNKNOWN}"
        )
        say("")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path, text in writes.items():
        path.write_text(text, encoding="utf-8")
    experiments = [experiment for one in found for experiment in one.experiments]
    refused = sum(experiment.says is Says.REFUSED for experiment in experiments)
    tests = render.count(experiments)
    written = [path for path in writes if path.suffix == ".py"]
    say(f"{_counted(tests, 'test')} of {_counted(len(experiments), 'experiment')}, {refused} refused")
    for path in written:
        say(f"wrote {path}")
    if written:
        say(f"next: pytest {arguments.out} --collect-only")
    return NOT_ALL if refused or not all(one.formats for one in found) else 0


_UNKNOWN = "no file of Chaos Mesh, Litmus, ChaosBlade or Toxiproxy (Chaos Toolkit experiments run as they are)"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _aims(system: str, renamed: Sequence[str]) -> Aims:
    """The system, one that conftest.py here defines included, and what its services are called in files."""
    from pytest_anomod.importers.found import Aims

    here = [str(Path(name).resolve()) for name in DEFINITIONS if Path(name).is_file()]
    os.environ[catalog.DEFINED_IN] = os.pathsep.join(filter(None, [os.environ.get(catalog.DEFINED_IN), *here]))
    definition = catalog.find("systems", system)
    pairs = {}
    for one in renamed:
        label, sign, service = one.rpartition("=")
        if not (sign and label):
            msg = f"--target {one!r} is no LABEL=SERVICE, such as --target web=frontend"
            raise ScenarioError(msg)
        pairs[label] = definition.service(service).name
    return Aims(system=definition, renamed=pairs)


def _writes(found: Sequence[FoundFile], system: str, out: Path, *, force: bool) -> dict[Path, str]:
    """The files to write with their texts: a test file for each that has tests, and its original beside it.

    ScenarioError, before anything is written, for a file that is in the way.
    """
    from pytest_anomod.importers.render import identifier, test_file

    writes: dict[Path, str] = {}
    for one in found:
        path, original = out / f"test_{identifier(one.path.stem)}.py", out / one.path.name
        text = test_file(one, system, one.path.name)
        if not text:
            continue
        if path in writes or original in writes:
            msg = f"two files would be written to {path}; import {one.path} into another directory (-o)"
            raise ScenarioError(msg)
        writes[path] = text
        if original.resolve() != one.path.resolve():
            writes[original] = one.text
    for path, text in writes.items():
        if path.exists() and not force and not (path.suffix != ".py" and path.read_text("utf-8") == text):
            msg = f"{path} is there already; move it, give another -o, or write over it with --force"
            raise ScenarioError(msg)
    return writes
