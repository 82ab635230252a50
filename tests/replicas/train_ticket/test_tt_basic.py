"""Every endpoint of basic data, people, orders and administration answers as the original's does."""

import pytest
import tt_admin_examples
import tt_basic_examples
import tt_order_examples
import tt_people_examples
import tt_small_examples
from tt_examples import Example, check
from tt_system import System

EXAMPLES = [
    *tt_basic_examples.EXAMPLES,
    *tt_people_examples.EXAMPLES,
    *tt_small_examples.EXAMPLES,
    *tt_order_examples.EXAMPLES,
    *tt_admin_examples.EXAMPLES,
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_answer(system: System, example: Example) -> None:
    """Status, content type, envelope and effect are those of the example."""
    check(system, example)
