"""What share of the mixture each domain of an axis is to have: as given, by a temperature or weights, at least."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from filters.names import unknown

OTHER = "other"  # the domain of all that are not listed


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What is asked of one axis, such as language or source; each a number by the name of a domain.

    Attributes:
        shares: of the mixture; domains without one are left out, unless ``other`` has one for them all.
        temperature: α of shares in proportion to amount^α: 1 leaves them as they are, 0 makes all equal (mBERT 0.7,
            XLM-R and mT5 0.3).
        weights: by how much more or less of a domain there is to be than there is; 1 for those not listed.
        at_least: the least shares; what raises them is taken from the others in proportion.
        max_epochs: the most uses of a document of a domain, where that differs from the cap of the whole mixture.
    """

    shares: Mapping[str, float] = dataclasses.field(default_factory=dict)
    temperature: float | None = None
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    at_least: Mapping[str, float] = dataclasses.field(default_factory=dict)
    max_epochs: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def asked(self) -> bool:
        """Whether anything is asked."""
        return bool(self.shares or self.weights or self.at_least or self.max_epochs) or self.temperature is not None

    def domain(self, name: str) -> str | None:
        """The domain that a name falls to: itself, ``other``, or None where it is left out."""
        if self.temperature is not None:
            return name
        if self.shares:
            return name if name in self.shares else OTHER if OTHER in self.shares else None
        return name if name in {**self.weights, **self.at_least, **self.max_epochs} else OTHER

    def weight(self, domain: str) -> float:
        """How much more or less of a domain there is to be."""
        return self.weights.get(domain, 1.0)


def check(axis: str, wishes: Wishes, present: set[str]) -> None:
    """Refuses numbers that mean nothing, and names of domains that have no documents.

    Args:
        axis: its name, for the message.
        present: the names that documents have on this axis.

    Raises:
        ValueError: see above; offers the nearest name.
    """
    where = f"by {axis}"
    kinds = {"share": wishes.shares, "weight": wishes.weights, "least share": wishes.at_least}
    for kind, numbers in (kinds | {"epoch cap": wishes.max_epochs}).items():
        for name, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < math.inf:
                raise ValueError(f"the {kind} of {axis} {name!r} must be a number of at least 0, not {number!r}")
            if kind == "epoch cap" and number == 0:
                raise ValueError(f"the {kind} of {axis} {name!r} must be above 0; a share or weight of 0 leaves it out")
            if number > 0:
                _check_name(axis, kind, name, present, wishes)
    if wishes.shares and not any(wishes.shares.values()):
        raise ValueError(f"all shares {where} are 0")
    if (given := [bool(wishes.shares), wishes.temperature is not None, bool(wishes.weights)]).count(True) > 1:
        names = [name for name, there in zip(("shares", "a temperature", "weights"), given) if there]
        raise ValueError(f"{' and '.join(names)} {where} exclude each other: give one of them")
    if wishes.shares and wishes.at_least:
        raise ValueError(f"shares {where} are what they are: `at_least` goes with a temperature, weights or neither")
    if wishes.temperature is not None and not 0 <= wishes.temperature <= 1:
        raise ValueError(f"the temperature {where} must be a number from 0 to 1, not {wishes.temperature!r}")
    if math.fsum(wishes.at_least.values()) > 1:
        raise ValueError(f"the least shares {where} add up to {math.fsum(wishes.at_least.values()):g}, more than 1")


def _check_name(axis: str, kind: str, name: str, present: set[str], wishes: Wishes) -> None:
    have = ", ".join(sorted(present)) or "none"
    if name == OTHER and OTHER not in present:
        listed = {**wishes.shares, **wishes.weights, **wishes.at_least, **wishes.max_epochs}
        if present <= set(listed):
            raise ValueError(f"a {kind} for 'other', but every {axis} has one of its own ({have})")
    elif name not in present:
        message = unknown(axis, name, sorted(present))
        raise ValueError(f"no documents for the {kind} of {message}; by {axis} there are documents of: {have}")


def shares_of(wishes: Wishes, amounts: Mapping[str, float]) -> dict[str, float] | None:
    """The shares that are asked for, scaled to a sum of 1, by domain in order; None where none are.

    Args:
        wishes: of the axis.
        amounts: what there is of each domain, weights counted in, above 0.

    Raises:
        ValueError: least shares of all domains that leave no room for what they must add up to.
    """
    if wishes.shares:
        total = math.fsum(wishes.shares.values())
        return {name: share / total for name, share in sorted(wishes.shares.items()) if share > 0}
    if wishes.temperature is None and not wishes.at_least:
        return None
    power = 1.0 if wishes.temperature is None else wishes.temperature
    whole = math.fsum(amounts.values())
    tempered = {name: (amount / whole) ** power for name, amount in sorted(amounts.items())}
    return _raised({name: value / math.fsum(tempered.values()) for name, value in tempered.items()}, wishes.at_least)


def _raised(shares: dict[str, float], least: Mapping[str, float]) -> dict[str, float]:
    """Shares of which none is below its least; the others keep their proportions."""
    raised: dict[str, float] = {}
    while True:
        others = math.fsum(share for name, share in shares.items() if name not in raised)
        left = 1 - math.fsum(raised.values())
        factor = left / others if others else 1.0
        below = {n: least[n] for n, s in shares.items() if n not in raised and s * factor < least.get(n, 0.0)}
        if not below:
            return {name: raised.get(name, share * factor) for name, share in shares.items()}
        raised |= below
