"""How often the documents of each domain are used, so that the mixture comes to what is asked, as far as it can."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from filters.mixture.fitting import fitted
from filters.mixture.largest import Margin, largest
from filters.mixture.targets import Wishes, check, shares_of

Cell = tuple[str, ...]  # one name or domain for each axis, in the order of the axes
Keep = Literal["shares", "total"]
_EDGE = 1e-6  # relative; shares by several axes are fitted so far below the largest total
_SAME = 1e-6  # relative; shares that differ by less are the same
_SHOWN = 4  # cells in a message


@dataclasses.dataclass(frozen=True)
class PlannedCell:
    """A cell of the plan, in tokens, bytes or documents; ``cap``: the most uses of a document, ``binds``: see there."""

    available: int
    planned: float
    cap: float
    binds: bool

    @property
    def epochs(self) -> float:
        """Uses of a document on average."""
        return self.planned / self.available


@dataclasses.dataclass(frozen=True)
class MixturePlan:
    """Epochs per cell and what they lead to.

    Attributes:
        axes: what is asked of each axis that anything is asked of.
        cells: by the domain on each of these axes. Documents of no cell are left out.
        unit: what amounts are in: tokens, bytes or documents.
        asked: the total that was to be reached.
        most: the largest total at which all shares can be held under the caps; without shares, that the caps allow.
        targets: the shares asked for, by axis and domain, scaled to a sum of 1; no axis without shares.
        message: one line that says what was planned, and what was not possible, why, and what would change it.
    """

    axes: dict[str, Wishes]
    cells: dict[Cell, PlannedCell]
    unit: str
    asked: float
    most: float
    targets: dict[str, dict[str, float]]
    message: str

    @property
    def total(self) -> float:
        """The planned amount of all cells."""
        return math.fsum(cell.planned for cell in self.cells.values())

    @property
    def binding(self) -> list[Cell]:
        """Cells at their caps that keep the mixture from being larger, or domains from reaching their shares."""
        return [name for name, cell in self.cells.items() if cell.binds]

    def cell_of(self, names: Mapping[str, str]) -> Cell | None:
        """The cell of a document, from its name on each axis; None where it is left out."""
        cell = domains(self.axes, (names[axis] for axis in self.axes))
        return cell if cell in self.cells else None

    def epochs_of(self, cell: Cell | None) -> float:
        """The epochs of a cell; 0 for what is left out."""
        return self.cells[cell].epochs if cell in self.cells else 0.0

    def feasible(self, axis: str) -> dict[str, float]:
        """The planned shares of the domains of an axis."""
        place, total = list(self.axes).index(axis), self.total
        sums = _sums((cell[place], planned.planned) for cell, planned in self.cells.items())
        return {name: value / total for name, value in sums.items()} if total else {}


def domains(axes: Mapping[str, Wishes], names: Iterable[str]) -> Cell | None:
    """The domain on each axis that names fall to; None where one of them is left out."""
    found = tuple(wishes.domain(name) for wishes, name in zip(axes.values(), names))
    return None if None in found else found  # type: ignore[return-value]


def plan(
    amounts: Mapping[Cell, int],
    axes: Mapping[str, Wishes],
    *,
    max_epochs: float = 1.0,
    total: int | None = None,
    keep: Keep | None = None,
    unit: str = "tokens",
) -> MixturePlan:
    """Plans the epochs of each cell.

    Weights scale what there is. Shares by one axis are divided over its cells by their size; by several axes the cells
    come as near to their sizes as shares and caps allow (``fitting``).

    Args:
        amounts: tokens (bytes, documents) by the names on each axis, in the order of ``axes``.
        axes: what is asked of each.
        max_epochs: the most uses of a document, above 0, where an axis has no other cap for its domain.
        total: the size of the mixture; None takes as much as there is, weights counted in and no cap exceeded.
        keep: what holds where caps allow not both: ``shares`` makes the mixture smaller, ``total`` gives what domains
            at their caps lack to the others, in proportion. None: shares if any are given, else total.
        unit: for messages.

    Raises:
        ValueError: a wish for a domain without documents, numbers that mean nothing, or shares by several axes that
            cannot be reached together however little is taken.
    """
    if not (max_epochs > 0 and math.isfinite(max_epochs)):
        raise ValueError(f"the epoch cap must be a number above 0, not {max_epochs!r}")
    if total is not None and total <= 0:
        raise ValueError(f"the total must be above 0 {unit}, not {total!r}")
    there = {cell: int(amount) for cell, amount in sorted(amounts.items()) if amount > 0}
    if not there:
        raise ValueError("no documents to mix; everything was removed before")
    for place, (axis, wishes) in enumerate(axes.items()):
        check(axis, wishes, {cell[place] for cell in there})
    places = [place for place, wishes in enumerate(axes.values()) if wishes.asked]
    axes = {axis: wishes for axis, wishes in axes.items() if wishes.asked}
    cells = _wanted([([cell[place] for place in places], amount) for cell, amount in there.items()], axes)
    names = list(cells)
    available = np.array([cells[cell] for cell in names], np.float64)
    prior = available * [math.prod(map(Wishes.weight, axes.values(), cell)) for cell in names]
    epochs = np.array([_cap(axes, cell, max_epochs) for cell in names])
    caps = available * epochs
    asked = float(np.minimum(prior, caps).sum()) if total is None else float(total)
    targets = _targets(axes, names, prior)
    margins = [_margin(names, place, targets[axis]) for place, axis in enumerate(axes) if axis in targets]
    room = float(caps.sum())
    if (keep or ("shares" if any(wishes.shares for wishes in axes.values()) else "total")) == "shares":
        most, gains = largest(caps, margins) if margins else (room, np.ones(len(caps)))
        _refuse_impossible(most, names)
        planned = fitted(prior, caps, margins, min(asked, most * (1 - _EDGE) if len(margins) > 1 else most))
        binds = gains > 1e-9 if asked > most * (1 + _SAME) else np.zeros(len(caps), bool)
    else:
        most = largest(caps, margins).total if margins else room
        planned = _keeping_total(prior, caps, margins, min(asked, room))
        short = [margin.sums(planned) < margin.shares * planned.sum() * (1 - _SAME) for margin in margins]
        lacking = np.logical_or.reduce([off[margin.domains] for off, margin in zip(short, margins)] or [prior > caps])
        binds = (planned >= caps * (1 - _SAME)) & (lacking | (asked > room * (1 + _SAME)))
    enough = _enough_epochs(prior, available, margins, float(total or prior.sum())) if binds.any() else 0.0
    planned_cells = {
        cell: PlannedCell(cells[cell], float(amount), float(cap), bool(at_cap))
        for cell, amount, cap, at_cap in zip(names, planned, epochs, binds)
    }
    message = _message(planned_cells, unit, total, float(planned.sum()), enough)
    return MixturePlan(axes, planned_cells, unit, asked, float(most), targets, message)


def _wanted(amounts: Iterable[tuple[list[str], int]], axes: Mapping[str, Wishes]) -> dict[Cell, int]:
    """Amounts by cell, without what is left out."""
    cells: dict[Cell, int] = {}
    for names, amount in amounts:
        cell = domains(axes, names)
        if cell is not None:
            cells[cell] = cells.get(cell, 0) + amount
    used = {
        cell: amount
        for cell, amount in sorted(cells.items())
        if all(wishes.weight(name) and wishes.shares.get(name, 1) for wishes, name in zip(axes.values(), cell))
    }
    if not used:
        raise ValueError(f"no document is in a wanted {' and a wanted '.join(axes)} at once")
    return used


def _cap(axes: Mapping[str, Wishes], cell: Cell, otherwise: float) -> float:
    own = [wishes.max_epochs[name] for wishes, name in zip(axes.values(), cell) if name in wishes.max_epochs]
    return min(own, default=otherwise)


def _targets(axes: Mapping[str, Wishes], cells: list[Cell], prior: np.ndarray) -> dict[str, dict[str, float]]:
    """Shares by axis and domain, for the axes that are to have any."""
    targets = {}
    for place, (axis, wishes) in enumerate(axes.items()):
        sums = _sums((cell[place], float(amount)) for cell, amount in zip(cells, prior))
        for name in [
            *(n for n, share in wishes.shares.items() if share),
            *(n for n, s in wishes.at_least.items() if s),
        ]:
            if name not in sums:
                raise ValueError(f"{name!r} has documents only where another share or weight is 0; raise one of those")
        if (shares := shares_of(wishes, sums)) is not None:
            targets[axis] = shares
    return targets


def _margin(cells: list[Cell], place: int, shares: Mapping[str, float]) -> Margin:
    number = {name: index for index, name in enumerate(shares)}
    return Margin(np.array([number[cell[place]] for cell in cells]), np.array(list(shares.values())))


def _refuse_impossible(most: float, names: list[Cell]) -> None:
    if most <= 0:
        shown = ", ".join("/".join(cell) for cell in names[: 2 * _SHOWN]) + (", …" if len(names) > 2 * _SHOWN else "")
        raise ValueError(
            f"the shares cannot all be reached at once: the only documents are of {shown}; drop the shares by one axis "
            "or bring them nearer to what there is"
        )


def _keeping_total(prior: np.ndarray, caps: np.ndarray, margins: list[Margin], total: float) -> np.ndarray:
    """Amounts that come to the total: each axis gives what domains at their caps lack to its others in proportion."""
    if not margins:
        return fitted(prior, caps, [], total)
    possible = [
        Margin(margin.domains, fitted(margin.shares * total, margin.sums(caps), [], total) / total)
        for margin in margins
    ]
    most = largest(caps, possible).total
    if most <= 0:
        return fitted(prior, caps, [], total)
    if most >= total * (1 - _EDGE) and len(margins) == 1:
        return fitted(prior, caps, possible, total)
    planned = fitted(prior, caps, possible, min(total, most * (1 - _EDGE)))
    return fitted(np.maximum(planned, 1e-9 * caps), caps, [], total)


def _enough_epochs(prior: np.ndarray, available: np.ndarray, margins: list[Margin], total: float) -> float:
    """The cap at which all of the total could be had with all shares."""
    far = np.full(len(prior), 1e6 * max(total, float(prior.sum())))
    return float((fitted(prior, far, margins, total) / available).max())


def _sums(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Exact sums by name, in order of name, so that the order of the cells does not matter."""
    parts: dict[str, list[float]] = {}
    for name, value in values:
        parts.setdefault(name, []).append(value)
    return {name: math.fsum(parts[name]) for name in sorted(parts)}


def _message(cells: Mapping[Cell, PlannedCell], unit: str, asked: int | None, total: float, enough: float) -> str:
    """One line about the plan."""
    text = f"{total:,.0f} {unit}"
    if asked is not None and asked > total * (1 + _SAME):
        text += f" instead of the {asked:,} asked for, the most that can be reached"
    binding = [(name, cell) for name, cell in cells.items() if cell.binds]
    if binding:
        shown = ", ".join(
            f"{'/'.join(name) or 'all documents'} ({cell.cap:g} epochs)" for name, cell in binding[:_SHOWN]
        )
        more = f" and {len(binding) - _SHOWN:,} more" if len(binding) > _SHOWN else ""
        text += f"; at the cap: {shown}{more}; more of it, or max_epochs up to {enough:.3g}, would lift that"
    return text
