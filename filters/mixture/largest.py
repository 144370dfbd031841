"""The largest total at which shares by several axes can be held at once, and what limits it: a linear program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_SMALL = 1e-11  # what counts as zero, of amounts that are shares of their bounds
_SLACK = 1e-10  # of an equation: with a little of it, of each another, the method never stands still
_NOTHING = 1e-7  # of what the domains alone allow: less is the slack
_IDLE = 100  # steps that lead nowhere before the order of variables decides


class Margin(NamedTuple):
    """Shares along one axis: ``domains`` int64 [cells], that of each cell; ``shares`` float64 [domains], sum 1."""

    domains: np.ndarray
    shares: np.ndarray

    def sums(self, amounts: np.ndarray) -> np.ndarray:
        """float64 [domains]: what the cells of each domain hold together."""
        return np.bincount(self.domains, amounts, len(self.shares))


class Largest(NamedTuple):
    """The largest total, and ``gains`` float64 [cells]: by how much it grows with the cap of each cell, at least 0."""

    total: float
    gains: np.ndarray


def largest(caps: np.ndarray, margins: Sequence[Margin]) -> Largest:
    """Maximises the total T over amounts x of cells: 0 ≤ x ≤ ``caps``, and each domain of each axis has share · T.

    No domain can hold more than its cells: of one axis that is the answer. Of several, the linear program is solved.

    Args:
        caps: float64 [cells], the most of each, at least 0.
        margins: one for each axis, at least one; no share is 0.
    """
    bounds = [margin.sums(caps) / margin.shares for margin in margins]
    bound = min(float(each.min()) for each in bounds)
    for margin, each in zip(margins, bounds):
        tight = each <= bound * (1 + 1e-12)
        if tight.any() and (len(margins) == 1 or bound <= 0):
            return Largest(bound, np.where(tight, 1 / margin.shares, 0.0)[margin.domains])
    # No cell can hold more than the smallest of its domains may, so amounts differ by no more than the shares do.
    room = np.minimum.reduce([caps, *(margin.shares[margin.domains] * bound for margin in margins)])
    share, gains = _simplex(room / bound, margins)
    share = share if share > _NOTHING else 0.0
    return Largest(share * bound, np.where(room >= caps * (1 - 1e-12), gains, 0.0))


def _simplex(upper: np.ndarray, margins: Sequence[Margin]) -> tuple[float, np.ndarray]:
    """The largest total under upper bounds of the cells, and how much of it each bound costs.

    The simplex method with bounded variables (Dantzig, 1963, chapter 18). All amounts 0 are a solution to start from,
    so there is no first phase. Cells and domains are few: the table is dense.
    """
    upper = np.concatenate([[np.inf], upper])  # the total is variable 0, then the cells
    table = np.vstack([_rows(margin, first) for first, margin in enumerate(margins)])
    # Rows begin with artificial variables (-1), nearly fixed at 0; once out of the basis they never return.
    basic, value = np.full(len(table), -1), np.zeros(len(table))
    slack = _SLACK * (1 + np.arange(len(table)) / len(table))
    gain = np.zeros(len(upper))
    gain[0] = 1.0
    outside, high, idle = upper > 0, np.zeros(len(upper), bool), 0
    while (better := outside & np.where(high, gain < -_SMALL, gain > _SMALL)).any():
        # The one that gains most; after steps that led nowhere the first, with which nothing can go in circles (Bland).
        entering = int(np.argmax(better if idle > _IDLE else better * np.abs(gain)))
        sign = -1.0 if high[entering] else 1.0
        change = -sign * table[:, entering]
        bound = np.where(basic < 0, slack, upper[basic])
        room = np.full(len(table), np.inf)
        falls, rises = change < -_SMALL, change > _SMALL
        room[falls] = value[falls] / -change[falls]
        room[rises] = (bound[rises] - value[rises]) / change[rises]
        room = np.maximum(room, 0.0)
        nearest = room.min(initial=np.inf)
        step = min(nearest, upper[entering])
        value = value + change * step
        idle = 0 if step > 0 else idle + 1
        if nearest >= upper[entering]:  # it goes from one of its bounds to the other, and none else moves so far
            high[entering] = not high[entering]
            continue
        ties = np.flatnonzero(room <= nearest)
        row = int(ties[np.argmin(basic[ties])])
        leaving = int(basic[row])
        if leaving >= 0:
            outside[leaving], high[leaving] = True, bool(rises[row])
        value[row] = (upper[entering] if high[entering] else 0.0) + sign * step
        basic[row], outside[entering] = entering, False
        table[row] /= table[row, entering]
        others = np.flatnonzero(table[:, entering])
        others = others[others != row]
        table[others] -= np.outer(table[others, entering], table[row])
        gain = gain - gain[entering] * table[row]
    return float(value[basic == 0].sum()), np.where(high[1:] & (gain[1:] > 0), gain[1:], 0.0)


def _rows(margin: Margin, first: int) -> np.ndarray:
    """One equation a domain: its cells less its share of the total are 0. Those of one domain follow from the rest."""
    numbers = np.arange(len(margin.shares))[1 if first and len(margin.shares) > 1 else 0 :]
    cells = (margin.domains[None, :] == numbers[:, None]).astype(np.float64)
    return np.hstack([-margin.shares[numbers, None], cells])
