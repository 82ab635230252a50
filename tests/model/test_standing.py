"""What a case is good for: unusable verdicts say why, splits are stable and keep what is alike together."""

from collections import Counter

import pytest

from pytest_anomod.model.standing import SHARES, split_of, unusable_because
from pytest_anomod.model.verdict import Verdict


@pytest.mark.parametrize("verdict", [Verdict.CONTAMINATED, Verdict.BROKEN, Verdict.INEFFECTIVE])
def test_what_cannot_be_relied_on_says_why(verdict):
    assert unusable_because(verdict)[0].startswith(f"{verdict}: ")


@pytest.mark.parametrize("verdict", [Verdict.EFFECTIVE, Verdict.TOLERATED, Verdict.SILENT, Verdict.NORMAL])
def test_what_nobody_felt_is_true_all_the_same(verdict):
    assert unusable_because(verdict) == ()


def test_a_split_is_the_same_wherever_and_whenever_it_is_drawn():
    """These are written down: another hash, or other shares, would move cases of published datasets."""
    drawn = [split_of("social_network", [("cpu_contention", f"service-{number}")]) for number in range(8)]
    assert drawn == ["train", "calibration", "train", "train", "train", "test", "train", "test"]


def test_splits_have_their_shares():
    counts = Counter(split_of("s", [(f"f{fault}", f"t{target}")]) for fault in range(40) for target in range(100))
    controls = Counter(split_of("s", [], str(seed)) for seed in range(4000))
    for name, share in SHARES:
        assert counts[name] / 4000 == pytest.approx(share, abs=0.03)
        assert controls[name] / 4000 == pytest.approx(share, abs=0.03)


def test_the_words_of_a_key_do_not_run_together():
    """A fault `a` at `bc` is not the fault `ab` at `c`."""
    pairs = [(split_of("s", [("a", f"bc{n}")]), split_of("s", [("ab", f"c{n}")])) for n in range(60)]
    assert any(left != right for left, right in pairs)
