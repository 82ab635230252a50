"""Every endpoint of search, booking, payment and what comes after answers as the original's does.

Named so that it runs before the test of the call graph, which sends what has not been sent yet.
"""

import pytest
import tt_booking_examples
import tt_food_examples
import tt_money_examples
import tt_travel_examples
from tt_examples import Example, check
from tt_system import System

EXAMPLES = [
    *tt_travel_examples.EXAMPLES,
    *tt_booking_examples.EXAMPLES,
    *tt_money_examples.EXAMPLES,
    *tt_food_examples.EXAMPLES,
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_answer(system: System, example: Example) -> None:
    """Status, content type, envelope and effect are those of the example."""
    check(system, example)
