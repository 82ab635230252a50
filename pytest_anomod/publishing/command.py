"""The command `anomod publish`: its options, and what it says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pytest_anomod.exporters.command import local_directory


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser("publish", help="make a dataset ready for others: archives, card, licence, citation")
    parser.add_argument("path", help="root of the dataset, a URL too")
    parser.add_argument("out", type=local_directory, help="directory to make")
    parser.add_argument("--title", metavar="TEXT", help="name of the dataset (default: its directory's)")
    parser.add_argument("--author", action="append", default=[], metavar="NAME", help="may be given more than once")
    parser.add_argument("--url", default="", metavar="URL", help="where it will be found")
    parser.add_argument("--release", default="1.0.0", metavar="VERSION", help="of the dataset (default: %(default)s)")
    parser.add_argument(
        "--license",
        default="CC-BY-4.0",
        metavar="ID",
        help="SPDX id; CC-BY-4.0 (default) and CC0-1.0 are included, others need --license-file too",
    )
    parser.add_argument("--license-file", type=Path, metavar="FILE", help="full text of the licence")
    parser.add_argument("--anyway", action="store_true", help="publish even if `anomod validate` finds problems")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish and say what was made; DatasetError when it is refused."""
    from pytest_anomod.publishing.publish import Terms, publish

    terms = Terms.of(
        title=arguments.title or Path(arguments.path).resolve().name,
        authors=tuple(arguments.author),
        url=arguments.url,
        release=arguments.release,
        license=arguments.license,
        license_file=arguments.license_file,
    )
    problems = publish(arguments.path, arguments.out, terms, anyway=arguments.anyway)
    say = sys.stdout.write
    for path in sorted(arguments.out.iterdir()):
        size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
        say(f"{size / 1e6:10,.2f} MB  {path.name}\n")
    if not arguments.author:
        say("no --author: CITATION.cff names the authors of the dataset as one\n")
    if problems:
        say(f"{len(problems)} problems are in it all the same; the card says so\n")
    return 0
