"""A dataset without a leak, one with all, and one in AnoMod's form, on disk, made once."""

import made
import pytest

from pytest_anomod.audit.audit import audit
from pytest_anomod.audit.rules import all_rules


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """Six faults and five controls; don't change it."""
    return made.dataset(tmp_path_factory.mktemp("audit") / "sound")


@pytest.fixture(scope="session")
def leaky(tmp_path_factory):
    """The same with every leak in every case with a fault."""
    return made.dataset(tmp_path_factory.mktemp("audit") / "leaky", made.all_leaks)


@pytest.fixture(scope="session")
def leaks(leaky):
    """What an audit finds there."""
    return audit(leaky, only=[rule.name for rule in all_rules() if rule.name.startswith("L")]).findings
