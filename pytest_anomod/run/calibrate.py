"""The command `anomod calibrate SCENARIO`: at which intensity of its fault do users begin to notice?

Short cases are played on one deployment that is kept, with the fault's dial turned by bisection (model/calibration.py).
The edge is kept beside the test (run/calibrations.py), and the curve is drawn.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    from pytest_anomod.model.calibration import Search

PLAYS = 9
CLOSENESS = 1.25
PICTURE = "calibration.png"
NO_EDGE = 1
"""Exit code where no edge was found."""


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser(
        "calibrate", help="find from which intensity on users notice a scenario's fault; exit 1 where there is no edge"
    )
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a test as pytest names it, FILE::test[...], or FILE::NAME"
    )
    parser.add_argument(
        "--plays",
        type=int,
        default=PLAYS,
        metavar="N",
        help="cases at most; one that is played again because it was contaminated counts once (%(default)s)",
    )
    parser.add_argument(
        "--closeness",
        type=float,
        default=CLOSENESS,
        metavar="RATIO",
        help="the ends of the interval are to differ by no more than this ratio (%(default)s)",
    )
    parser.add_argument("--out", default="anomod-calibration", metavar="DIR", help="dataset of the cases (%(default)s)")
    parser.add_argument(
        "--pytest", default="", metavar="OPTIONS", help="options of pytest for the cases: --pytest='--anomod-rate=20'"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate, say what was found, keep it, draw it; NO_EDGE where there is no edge."""
    if arguments.plays < 3 or not arguments.closeness > 1:
        msg = f"--plays={arguments.plays} must be at least 3, and --closeness={arguments.closeness:g} above 1"
        raise ScenarioError(msg)
    import pytest

    from pytest_anomod.run.calibrating import Calibrating

    calibrating = Calibrating(arguments.scenario, plays=arguments.plays, closeness=arguments.closeness, say=_say)
    file = arguments.scenario.partition("::")[0]
    options = ["-q", "-p", "no:cacheprovider", "--disable-warnings", f"--anomod-out={arguments.out}"]
    code = pytest.main([file, *options, *shlex.split(arguments.pytest)], plugins=[calibrating])
    if calibrating.trouble is not None:
        raise calibrating.trouble
    if calibrating.edge is None:
        msg = f"nothing was calibrated: pytest ended with {code}, see above"
        raise ScenarioError(msg)
    return _finish(calibrating.edge, calibrating.search, calibrating.file, Path(arguments.out))


def _finish(edge: dict[str, Json], search: Search, file: Path, out: Path) -> int:
    """Keep and draw the edge, and say it."""
    from pytest_anomod.model.calibration import bars
    from pytest_anomod.report.curve import draw
    from pytest_anomod.run.calibrations import keep, read

    keep(file, edge)
    picture = out / PICTURE
    picture.write_bytes(draw(read(file)))
    for line in bars(search.plays, search.scale):
        _say(line)
    if edge["why"]:
        _say(f"no edge: {edge['why']}")
    else:
        name = edge["parameter"]
        _say(f"users begin to notice between {name}={edge['tolerated']:g} and {name}={edge['effective']:g}")
    steps = ", ".join(f"{step}: {value:g}" for step, value in edge["severities"].items())
    _say(f"severities: {steps}, 5: {search.scale.strong:g}" if steps else "severities stay as they are")
    _say(f"kept in {file}; {picture} has the curves of all that is kept there")
    return NO_EDGE if edge["why"] else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
