"""Every endpoint of the services of basic data and administration answers as the original's does."""

import pytest
from tt_basic_examples import EXAMPLES
from tt_examples import Example, check
from tt_system import System


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_answer(system: System, example: Example) -> None:
    """Status, content type, envelope and effect are those of the example."""
    check(system, example)
