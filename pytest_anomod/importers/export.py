"""The subcommand `anomod export-experiment SCENARIO --as FORMAT`: writes a scenario for use without this package.

Three forms: a Chaos Toolkit experiment, a Chaos Mesh manifest, a Litmus ChaosEngine. What a form can't hold is said.
"""

from __future__ import annotations

import argparse
import difflib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.importers import export_chaostoolkit, export_litmus
from pytest_anomod.importers.manifest import manifest
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import PROFILES

if TYPE_CHECKING:
    from pytest_anomod.declare import Declaration
    from pytest_anomod.model.scenario import Scenario

Say = Callable[[str], None]
OURS = "experiments"
"""The directory whose scenarios can be named without saying where they are."""
_NOWHERE = (
    "the workload, the modalities and the proof: nobody records there what users get, nor whether the fault was seen"
)


def add_to(commands: Any, say: Say, warn: Say) -> None:
    """Add the subcommand; `say` is for the document, `warn` for what it does not hold."""
    parser = commands.add_parser("export-experiment", help="write a scenario for Chaos Toolkit, Chaos Mesh or Litmus")
    parser.add_argument("scenario", metavar="SCENARIO", help="its name, or a test as pytest names it: FILE::test_name")
    parser.add_argument("--as", dest="form", required=True, choices=tuple(FORMS), help="the format")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--force", action="store_true", help="write over what is there")
    parser.add_argument("--namespace", default="default", metavar="NAME", help="of the pods (default: %(default)s)")
    parser.add_argument("--label", default="app", metavar="KEY", help="of the pods' service (default: %(default)s)")
    durations = ", ".join(PROFILES)
    parser.add_argument("--durations", default="standard", choices=PROFILES, help=f"of the windows: {durations}")
    parser.set_defaults(run=lambda arguments: export(arguments, say, warn))


def export(arguments: argparse.Namespace, say: Say, warn: Say) -> int:
    """Find the scenario, say what is lost, write the rest; ScenarioError when the form has nothing like its fault."""
    scenario = find(arguments.scenario, arguments.durations)
    place = {"namespace": arguments.namespace, "label": arguments.label}
    lost = [f"the other fault, {one.fault.name} in {one.target}: a file has one" for one in scenario.further]
    scenario = scenario.alone(1)
    try:
        text = FORMS[arguments.form](scenario, lost, **place)
    except ScenarioError as error:
        others = [form for form in FORMS if form != arguments.form and _can(form, scenario, place)]
        hint = f"; it can be written --as {' or '.join(others)}" if others else ""
        msg = f"{error}{hint}"
        raise ScenarioError(msg) from None
    if arguments.out is not None and arguments.out.exists() and not arguments.force:
        msg = f"{arguments.out} is there already; give another -o, or write over it with --force"
        raise ScenarioError(msg)
    for what in [*lost, _NOWHERE]:
        warn(f"not held: {what}")
    if arguments.out is None:
        say(text.rstrip())
    else:
        arguments.out.write_text(text, encoding="utf-8")
        warn(f"wrote {arguments.out}")
    return 0


def _can(form: str, scenario: Scenario, place: dict[str, str]) -> bool:
    try:
        FORMS[form](scenario, [], **place)
    except ScenarioError:
        return False
    return True


def _chaos_mesh(scenario: Scenario, lost: list[str], *, namespace: str, label: str) -> str:
    """The manifest of a scenario's fault, as YAML."""
    import yaml

    return yaml.safe_dump(manifest(scenario, lost, namespace=namespace, label=label), sort_keys=False)


FORMS: Mapping[str, Callable[..., str]] = {
    "chaostoolkit": export_chaostoolkit.write,
    "chaos-mesh": _chaos_mesh,
    "litmus": export_litmus.write,
}
"""What a scenario can be written for: functions of the scenario, a list for what they can't hold, and the pods."""


def find(name: str, durations: str) -> Scenario:
    """The scenario of a test that is named by its node id, or by its own name in the experiments or the tests here."""
    places = [name.partition("::")[0]] if "::" in name else [OURS] if Path(OURS).is_dir() else []
    declared = _collect([name] if "::" in name else places)
    wanted = _short(name.rpartition("::")[2])
    found = {node: one for node, one in declared.items() if _short(node.rpartition("::")[2]) == wanted}
    if not found:
        known = sorted({_short(node.rpartition("::")[2]) for node in declared})
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known[:5] or ["none"]
        where = places[0] if places else "the tests of this directory"
        msg = f"no scenario {name!r} among {len(known)} in {where}; there are {', '.join(near)}"
        raise ScenarioError(msg)
    if len(found) > 1:
        msg = f"{name!r} is the name of several: {', '.join(found)}; name one of them"
        raise ScenarioError(msg)
    (declaration,) = found.values()
    return declaration.scenario(wanted, durations=PROFILES[durations], rate_rps=None, seed=1)


def _short(test: str) -> str:
    return re.sub(r"\[.*", "", test).removeprefix("test_")


def _collect(arguments: Sequence[str]) -> dict[str, Declaration]:
    """The declarations that pytest finds, by node id; nothing is run. ScenarioError with what pytest says else."""
    import pytest

    from pytest_anomod.declare import ATTRIBUTE

    declared: dict[str, Declaration] = {}

    class Catcher:
        """Hears of the items before anything is decided of them."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            for item in items:
                declaration = getattr(getattr(item, "function", None), ATTRIBUTE, None)
                if declaration is not None:
                    declared[item.nodeid] = declaration
            items.clear()  # whether this machine could run them does not matter

    heard = io.StringIO()
    with redirect_stdout(heard), redirect_stderr(heard):
        # a runtime that is named is not refused for what it lacks: what is exported runs elsewhere
        options = ["--collect-only", "-q", "-p", "no:cacheprovider", "--disable-warnings", "--anomod-runtime=process"]
        code = pytest.main([*options, *arguments], plugins=[Catcher()])
    if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or declared:
        return declared
    msg = f"the tests can't be collected:\n{heard.getvalue().strip()}"
    raise ScenarioError(msg)
