"""What holds for the declaration of every fault on offer, ours or a third party's."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest
from samples import SAMPLES, VARIANTS

from pytest_anomod.injectors.chaos_mesh import manifest
from pytest_anomod.injectors.chaosblade.means import means
from pytest_anomod.model import capability, catalog
from pytest_anomod.model.fault import Fault, Level, parameters

OFFERED = sorted(catalog.offers("faults"))
ALL = {**SAMPLES, **VARIANTS}


@pytest.mark.parametrize("name", OFFERED)
def test_every_fault_on_offer_has_a_sample(name):
    """What is not tried on a real deployment is not on offer."""
    assert name in SAMPLES
    assert type(SAMPLES[name][0]) is catalog.find("faults", name)


@pytest.mark.parametrize("name", OFFERED)
def test_the_class_is_a_frozen_keyword_only_value_that_keeps_the_protocol(name):
    """Scenarios hold faults as values; the runner meets them through the protocol alone."""
    kind = catalog.find("faults", name)
    settings = kind.__dataclass_params__
    assert settings.frozen
    assert settings.eq
    assert all(field.kw_only for field in dataclasses.fields(kind))
    fault = SAMPLES[name][0]
    assert isinstance(fault, Fault)
    assert fault.name == name
    assert isinstance(fault.level, Level)
    assert all(getattr(capability, need.__name__) is need for need in fault.needs)
    assert inspect.getdoc(kind)


@pytest.mark.parametrize("sample", sorted(ALL))
def test_parameters_survive_json(sample):
    """The guardian and the experiment know a fault only by name and JSON."""
    fault, _ = ALL[sample]
    assert catalog.make_fault(fault.name, json.loads(json.dumps(parameters(fault)))) == fault


@pytest.mark.parametrize("sample", sorted(ALL))
def test_the_sample_passes_the_check_of_collection(sample):
    """A target that can be hit is not refused."""
    fault, target = ALL[sample]
    fault.check(catalog.find("systems", "social_network"), target)


@pytest.mark.parametrize("sample", sorted(ALL))
def test_translations_are_json_of_the_right_shape(sample):
    """ChaosBlade gets words or a reason why not, Chaos Mesh kind and spec or nothing."""
    fault, target = ALL[sample]
    blade, mesh = means(fault), manifest(fault, target)
    assert json.loads(json.dumps(mesh)) == mesh
    assert blade if isinstance(blade, str) else all(isinstance(word, str) for word in blade.words)
    if mesh is not None:
        assert mesh["kind"].endswith("Chaos")
        assert mesh["spec"]["selector"]
