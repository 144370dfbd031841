"""Weights of sources and languages as whole numbers, so that counts add up exactly until they are rounded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction

LARGEST = 2**63 - 1
DIGITS = 6  # behind the point of a weight


def exact(weight: float) -> Fraction:
    """The number that a weight was written as: 0.1 is a tenth."""
    return Fraction(repr(float(weight))).limit_denominator(10**DIGITS)


def whole_weights(
    sources: Mapping[str, float], languages: Mapping[str, float]
) -> tuple[int, dict[str, dict[str, int]], dict[str, int]]:
    """Weights of documents by source and language, in parts of an occurrence.

    Args:
        sources, languages: weights by name; 1 for all others. A document counts by the product of both.

    Returns:
        How many parts make one occurrence; the whole weights by source and language, where ``""`` is any other
        language; and those by language of any other source.

    Raises:
        ValueError: the products have so many digits that int64 cannot hold them.
    """
    of_source = {"": Fraction(1)} | {name: exact(weight) for name, weight in sources.items()}
    of_language = {"": Fraction(1)} | {name: exact(weight) for name, weight in languages.items()}
    products = [left * right for left, right in itertools.product(of_source.values(), of_language.values())]
    unit = math.lcm(*(product.denominator for product in products))
    whole = {
        source: {language: int(weight * other * unit) for language, other in of_language.items()}
        for source, weight in of_source.items()
    }
    if max(max(weights.values()) for weights in whole.values()) > LARGEST:
        raise ValueError("sources and languages have products of too many digits: round the weights")
    other_sources = whole.pop("")
    return unit, whole, other_sources
