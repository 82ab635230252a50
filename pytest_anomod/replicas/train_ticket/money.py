"""Amounts of money, which are kept as text: exact decimal arithmetic as Java's BigDecimal does it."""

import re
from collections.abc import Iterable
from decimal import Context, Decimal

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")
_EXACT = Context(prec=200)

ZERO = Decimal(0)


def amount(text: str) -> Decimal:
    """The amount a text names; ValueError when it is no number and TypeError for None, both 500 in the original."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"Character array is missing valid number: {text!r:.60}")
    return Decimal(text)


def total(texts: Iterable[str]) -> Decimal:
    """The sum of amounts."""
    result = ZERO
    for text in texts:
        result = _EXACT.add(result, amount(text))
    return result


def less(minuend: Decimal, subtrahend: Decimal) -> Decimal:
    """The difference of two amounts."""
    return _EXACT.subtract(minuend, subtrahend)
