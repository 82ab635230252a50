"""Things on offer are found by name, our own and third parties'; errors name the nearest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_anomod.faults import NoFault
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.testing import FAKE_SYSTEM, FakeFault, offered

DOCS = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Let a group's folder be an empty package, and entry points what a test says."""
    points: list[object] = []
    package = SimpleNamespace(__name__="pytest_anomod.modalities", __path__=[str(tmp_path)])
    monkeypatch.setattr(catalog.importlib, "import_module", lambda name: package)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [SimpleNamespace(load=lambda p=p: p) for p in points])
    catalog.offers.cache_clear()
    yield points
    catalog.offers.cache_clear()


def test_an_entry_point_is_on_offer(folder):
    folder.append(SimpleNamespace(name="sounds"))
    assert catalog.find("modalities", "sounds") is folder[0]


def test_two_of_one_name_are_refused(folder):
    folder += [SimpleNamespace(name="sounds"), SimpleNamespace(name="sounds", second=True)]
    with pytest.raises(ScenarioError, match="two modalities are named 'sounds'"):
        catalog.find("modalities", "sounds")


def test_an_unknown_name_gets_the_nearest(folder):
    folder.append(SimpleNamespace(name="sounds"))
    with pytest.raises(ScenarioError, match="no modality named 'sound'; did you mean sounds"):
        catalog.find("modalities", "sound")


def test_an_empty_group_says_so(folder):
    with pytest.raises(ScenarioError, match=r"none is on offer in pytest_anomod\.modalities"):
        catalog.find("modalities", "sounds")


def test_an_unknown_group_is_refused():
    with pytest.raises(ScenarioError, match="no group 'colours' in the catalog"):
        catalog.offers("colours")


def test_a_fault_is_made_from_json():
    with offered():
        assert catalog.make_fault("fake_fault", {"text": "x"}) == FakeFault(text="x")
        with pytest.raises(ScenarioError, match=r"fault 'fake_fault' can't be made with parameters \{'size': 1\}"):
            catalog.make_fault("fake_fault", {"size": 1})


@pytest.mark.usefixtures("nothing_registered")
def test_what_a_file_registers_is_on_offer(folder):
    catalog.register("modalities", SimpleNamespace(name="sounds", first=True))
    again = SimpleNamespace(name="sounds")
    catalog.register("modalities", again)  # a conftest.py may be run twice
    assert catalog.find("modalities", "sounds") is again


@pytest.mark.usefixtures("nothing_registered")
def test_a_registered_name_must_be_new(folder, tmp_path):
    folder.append(SimpleNamespace(name="sounds"))
    with pytest.raises(ScenarioError, match=r"two modalities are named 'sounds': .*test_catalog.py defines"):
        catalog.register("modalities", SimpleNamespace(name="sounds"))


@pytest.mark.usefixtures("nothing_registered")
def test_another_process_finds_what_a_file_registers(tmp_path):
    (tmp_path / "neighbour.py").write_text('NAME = "sounds"\n')
    definitions = tmp_path / "conftest.py"
    definitions.write_text(
        "from types import SimpleNamespace\n"
        "from neighbour import NAME\n"
        "from pytest_anomod.model import catalog\n"
        'catalog.register("modalities", SimpleNamespace(name=NAME))\n'
    )
    code = "from pytest_anomod.model import catalog; print(catalog.find('modalities', 'sounds').name)"
    environment = {**os.environ, catalog.DEFINED_IN: str(definitions)}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout == "sounds\n"


class Whole:
    """An injector that does nothing."""

    name = "whole"

    def refusal(self, fault, target, system, runtime):
        return ""

    def prepare(self, fault, deployment, target):
        """Nothing."""

    inject = active = recover = prepare


@pytest.mark.usefixtures("nothing_registered")
def test_the_injector_of_the_docs_is_on_offer_and_refuses_what_it_says():
    """The smallest one there is."""
    section = DOCS.read_text("utf-8").split("## An injector\n")[1]
    exec(section.split("```python\n")[1].split("```")[0], {"catalog": catalog})
    nobody = catalog.find("injectors", "nobody")
    assert nobody.refusal(FakeFault(), "app", FAKE_SYSTEM, None) == "nobody puts faults in"
    assert nobody.refusal(NoFault(), "app", FAKE_SYSTEM, None) == ""


class OldRefusal(Whole):
    """As injectors were before the protocol."""

    def refusal(self, fault, target, runtime):
        return ""


class NoRefusal(Whole):
    """One that was never asked."""

    refusal = None


class OddUndo(Whole):
    """What is optional must be right as well, where it is there."""

    def undo(self):
        """Nothing."""


class Nameless(Whole):
    """Nobody could choose it."""

    name = None


@pytest.mark.parametrize(
    ("offer", "what"),
    [
        (OldRefusal(), r"refusal\(fault, target, runtime\) where it is called with \(fault, target, system, runtime\)"),
        (NoRefusal(), r"no refusal\(fault, target, system, runtime\)"),
        (OddUndo(), r"undo\(\) where it is called with \(entry\)"),
        (Nameless(), "no name"),
        (Whole, "is a class; offer an instance of it"),
    ],
)
@pytest.mark.usefixtures("nothing_registered")
def test_an_injector_that_lacks_something_is_refused_when_it_is_offered(offer, what):
    """And not in the middle of a case."""
    with pytest.raises(ScenarioError, match=what):
        catalog.register("injectors", offer)


@pytest.mark.usefixtures("nothing_registered")
def test_an_injector_of_ones_own_is_on_offer():
    """Beside ours."""
    catalog.register("injectors", Whole())
    assert set(catalog.offers("injectors")) == {"native", "chaosblade", "chaos_mesh", "whole"}
