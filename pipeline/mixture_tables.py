"""The tables of a mixture: what there was, what was planned and what was reached, by cell and along each axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from filters.mixture.plan import MixturePlan
from filters.mixture.targets import Wishes
from pipeline import mixing
from pipeline.corpus import Corpus

COUNTS = ("documents", "bytes_before", "amount_before", "copies", "bytes_after", "amount_after")


def cell(names: Sequence[str], *counts: int) -> dict[str, Any]:
    """What there was of a cell and what is in the mixture; counts in the order of ``COUNTS``."""
    return {"names": list(names)} | dict(zip(COUNTS, counts))


def details(
    cells: Iterable[Mapping[str, Any]], wishes: Mapping[str, Wishes], plan: MixturePlan | None
) -> dict[str, Any]:
    """The details of the mixture's manifest.

    Args:
        cells: of all parts, see ``cell``; names in the order of ``wishes``.
        wishes: what is asked of each axis.
        plan: the plan; None where nothing is asked, and amounts are bytes.

    Returns:
        ``unit``, ``message``, totals ``asked``, ``planned`` and ``most``, ``axes`` (by domain: counts, shares before,
        target, planned and after, whether a cap binds), those ``steered``, and ``cells`` (of the plan, else
        of all axes: counts, epochs planned and reached, cap, whether it binds).
    """
    axes = list(wishes)
    found = add(cells, [(axis, wishes[axis]) for axis in axes])
    told: dict[str, Any] = {
        "unit": plan.unit if plan else "bytes",
        "message": plan.message if plan else "",
        "asked": plan.asked if plan else None,
        "planned": plan.total if plan else None,
        "most": plan.most if plan else None,
        "axes": {axis: _along(found, place, axis, plan) for place, axis in enumerate(axes)},
    }
    return told | {"steered": list(plan.axes) if plan else [], "cells": _cells(found, axes, plan)}


def planned_details(corpus: Corpus) -> dict[str, Any]:
    """``details`` as the plan has them, with what is planned in place of what is drawn; once all is measured."""
    made, wishes = mixing.planned(corpus), mixing.wishes_in(corpus)
    counted: dict[tuple[str, ...], list[int]] = {}
    for receipt in corpus.receipts(mixing.DOMAINS):
        for names, documents, size in receipt.outcome.details["cells"]:
            own = counted.setdefault(tuple(names), [0, 0])
            own[0], own[1] = own[0] + documents, own[1] + size
    cells = []
    for names, amount in made.amounts.items():
        epochs = made.plan.epochs_of(made.plan.cell_of(dict(zip(wishes, names))))
        before = (*counted[names], amount)
        cells.append(cell(names, *before, *(round(epochs * count) for count in before)))
    return details(cells, wishes, made.plan)


def add(
    cells: Iterable[Mapping[str, Any]], axes: Sequence[tuple[str, Wishes]]
) -> dict[tuple[str, ...], dict[str, int]]:
    """Adds up counts by the domains under which names are told of."""
    found: dict[tuple[str, ...], dict[str, int]] = {}
    for each in cells:
        name = tuple(mixing.shown(wishes, part) for (_, wishes), part in zip(axes, each["names"]))
        own = found.setdefault(name, dict.fromkeys(COUNTS, 0))
        for count in COUNTS:
            own[count] += each[count]
    return dict(sorted(found.items()))


def tokens_by_axis(corpus: Corpus, parts: Sequence[Sequence[int]]) -> dict[str, dict[str, int]]:
    """Tokens by axis and domain, from those of each part's cells, in the order of the mixture's receipts."""
    found: dict[str, dict[str, int]] = {}
    axes = mixing.wishes_in(corpus)
    for receipt, tokens in zip(corpus.receipts("mixture"), parts, strict=True):
        for each, count in zip(receipt.outcome.details["cells"], tokens):
            for (axis, wishes), name in zip(axes.items(), each["names"]):
                own = found.setdefault(axis, {})
                domain = mixing.shown(wishes, name)
                own[domain] = own.get(domain, 0) + count
    return {axis: dict(sorted(domains.items())) for axis, domains in found.items()}


def _along(
    found: Mapping[tuple[str, ...], Mapping[str, int]], place: int, axis: str, plan: MixturePlan | None
) -> dict[str, dict[str, Any]]:
    before = sum(counts["amount_before"] for counts in found.values()) or 1
    after = sum(counts["amount_after"] for counts in found.values()) or 1
    rows: dict[str, dict[str, Any]] = {}
    for name, counts in found.items():
        row = rows.setdefault(name[place], dict.fromkeys(COUNTS, 0))
        for count in COUNTS:
            row[count] += counts[count]
    steered = plan is not None and axis in plan.axes
    targets = plan.targets.get(axis, {}) if plan else {}
    feasible = plan.feasible(axis) if plan and steered else {}
    binding = {cell[list(plan.axes).index(axis)] for cell in plan.binding} if plan and steered else set()
    return {
        name: row
        | {
            "before": row["amount_before"] / before,
            "target": targets.get(name, 0.0 if targets else None),
            "planned": feasible.get(name, 0.0) if steered else None,
            "after": row["amount_after"] / after,
            "binds": name in binding,
            "epochs": row["amount_after"] / row["amount_before"] if row["amount_before"] else 0.0,
        }
        for name, row in sorted(rows.items())
    }


def _cells(
    found: Mapping[tuple[str, ...], Mapping[str, int]], axes: list[str], plan: MixturePlan | None
) -> list[dict[str, Any]]:
    """Rows of the cells of the plan; of all axes where nothing is steered."""
    steered = [axis for axis in axes if plan is None or not plan.axes or axis in plan.axes]
    places = [axes.index(axis) for axis in steered]
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, counts in found.items():
        row = rows.setdefault(tuple(name[place] for place in places), dict.fromkeys(COUNTS, 0))
        for count in COUNTS:
            row[count] += counts[count]
    told = []
    for name, row in sorted(rows.items()):
        own = plan.cells.get(name if plan.axes else ()) if plan else None
        told.append(
            {"domains": dict(zip(steered, name))}
            | row
            | {
                "epochs": row["amount_after"] / row["amount_before"] if row["amount_before"] else 0.0,
                "planned_epochs": own.epochs if own else (0.0 if plan else 1.0),
                "cap": own.cap if own else None,
                "binds": own.binds if own else False,
            }
        )
    return told
