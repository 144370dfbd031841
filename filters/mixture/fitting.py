"""Amounts of cells that hold shares by several axes under caps, and are else as near as can be to what there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from filters.mixture.largest import Margin

_ROUNDS = 300  # 1 to 30 are usual
_CLOSE = 1e-12  # relative to what a domain is to hold; nothing that is printed changes below
_FAR = 4.0  # the longest step of a logarithm


def fitted(prior: np.ndarray, caps: np.ndarray, margins: Sequence[Margin], total: float) -> np.ndarray:
    """The amounts x nearest to ``prior`` with 0 ≤ x ≤ ``caps``, of which each domain of each axis has share · total.

    Nearest by relative entropy. Without caps that is iterative proportional fitting (Deming and Stephan, 1940): every
    amount is its prior times one factor for each of its domains. With caps an amount is that or its cap, whichever is
    less (the conditions of Kuhn and Tucker). A round fits one axis after the other, each exactly, as that method does;
    then a damped Newton step towards all at once, for where shares are nearly impossible the method alone crawls.

    Args:
        prior, caps: float64 [cells], above 0.
        margins: one for each axis; no share is 0. Without any, all cells together hold the total.
        total: at most ``largest(caps, margins).total``; a little below it is reached to within rounding, itself may not
            be.

    Returns:
        float64 [cells]. Whoever is to rely on the shares looks at what they are.
    """
    if not margins:
        margins = [Margin(np.zeros(len(prior), np.int64), np.ones(1))]
    member = np.vstack([np.equal.outer(np.arange(len(margin.shares)), margin.domains) for margin in margins])
    member = member.astype(np.float64)
    wanted = np.concatenate([margin.shares for margin in margins]) * total
    logs = np.zeros(len(wanted))  # of the factors
    damping = 1e-9
    for _ in range(_ROUNDS):
        first = 0
        for margin in margins:
            own = slice(first, first + len(margin.shares))
            logs[own] += _to_hold(_scaled(prior, logs @ member), caps, margin.domains, wanted[own])
            first = own.stop
        exponent = logs @ member
        amounts = np.minimum(_scaled(prior, exponent), caps)
        off = member @ amounts - wanted
        if np.abs(off / wanted).max() < _CLOSE:
            break
        height = _height(exponent, prior, caps) - wanted @ logs
        # A cell beyond its cap does not move, but will once it is below again: it counts less the farther it is beyond.
        moving = amounts * np.minimum(caps / _scaled(prior, exponent), 1.0)
        curvature = (member * moving) @ member.T
        steep = np.diag(curvature.diagonal() + 1e-12 * wanted)
        while damping < 1e6:
            step = np.clip(-np.linalg.solve(curvature + damping * steep, off), -_FAR, _FAR)
            if _height((logs + step) @ member, prior, caps) - wanted @ (logs + step) <= height:
                logs = logs + step
                damping = max(damping / 10, 1e-12)
                break
            damping *= 10
        damping = min(damping, 1e5)
    return amounts


def _scaled(prior: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return prior * np.exp(np.clip(exponent, -600, 600))


def _to_hold(amounts: np.ndarray, caps: np.ndarray, domains: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float64 [domains]: logarithms of the factors at which the cells of each domain, capped, hold what it is to.

    Where that is more than the caps allow, the factor at which the last cell comes to its cap.
    """
    count = len(wanted)
    capped = np.zeros(len(amounts), bool)
    while True:  # caps that are met leave more to the other cells, which brings more of them to theirs
        left = wanted - np.bincount(domains, caps * capped, count)
        free = np.bincount(domains, amounts * ~capped, count)
        factor = np.divide(left, free, np.ones(count), where=free > 0)
        over = ~capped & (amounts * factor[domains] >= caps)
        if not over.any():
            break
        capped |= over
    full = np.zeros(count)
    np.maximum.at(full, domains, caps / amounts)
    return np.log(np.clip(np.where(free > 0, factor, full), 1e-200, 1e200))


def _height(exponent: np.ndarray, prior: np.ndarray, caps: np.ndarray) -> float:
    """The convex function of the factors whose slope is what the domains hold."""
    beyond = np.maximum(exponent - np.log(caps / prior), 0.0)
    return float((np.minimum(_scaled(prior, exponent), caps) + caps * beyond).sum())
