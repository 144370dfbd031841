"""How often each document is used, so that sources and languages reach their shares of the mixture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from filters.names import unknown
from text.hashing import below, keyed_hash

Cell = tuple[str, str]  # source, language
OTHER = "other"  # catches the languages that have no share of their own
_ROUNDS = 10_000
_CLOSE = 1e-12  # relative; further rounds of fitting would change nothing that is printed


@dataclasses.dataclass(frozen=True)
class MixturePlan:
    """Epochs per cell and what they lead to.

    Attributes:
        epochs: uses of each document of a cell, from 0 to the cap; 1.5 uses half of them twice.
        available: bytes of each cell before mixing.
        planned: bytes of each cell in the mixture, epochs times available.
        target_sources: the shares asked for, scaled to a sum of 1; empty when none were.
        target_languages: the same by language.
        reached_sources: the shares of the planned bytes.
        reached_languages: the same by language; with the names of the targets, so ``other`` is one of them.
        total_bytes: the planned bytes of all cells.
        binding: cells at the epoch cap, which keep the mixture from becoming larger. Empty without shares.
        exact: whether the reached shares are the targets (to rounding).
        message: one line that says what was planned, and what was not possible and why.
    """

    epochs: dict[Cell, float]
    available: dict[Cell, int]
    planned: dict[Cell, float]
    target_sources: dict[str, float]
    target_languages: dict[str, float]
    reached_sources: dict[str, float]
    reached_languages: dict[str, float]
    total_bytes: float
    binding: list[Cell]
    exact: bool
    message: str

    def epochs_of(self, source: str, language: str) -> float:
        """The epochs of a cell; 0 for one that was not planned for."""
        return self.epochs.get((source, language), 0.0)


def plan(
    cells: Mapping[Cell, int],
    source_shares: Mapping[str, float] | None = None,
    language_shares: Mapping[str, float] | None = None,
    max_epochs: float = 1.0,
    total_bytes: int | None = None,
) -> MixturePlan:
    """Plans the epochs of each cell.

    Without shares every cell is used as it is (or scaled to ``total_bytes``). With shares by source or by language a
    cell gets its part of the share by its size. With both, iterative proportional fitting (Deming and Stephan, 1940)
    starts from the sizes and changes them as little as it can. The largest total is taken at which the shares are
    exact and no cell is used more than ``max_epochs`` times; ``total_bytes`` makes it smaller.

    Args:
        cells: bytes by (source, language).
        source_shares: weight by source, at least 0; scaled to a sum of 1. A source that is not listed is left out.
        language_shares: weight by language; ``other`` stands for all languages that are not listed, which are left out
            otherwise.
        max_epochs: the most uses of a document, above 0.
        total_bytes: the size of the mixture; None takes the largest.

    Raises:
        ValueError: a share for a source or language without documents, a negative or missing weight, a cap that is not
            positive, or two sets of shares that no weights can reach together.
    """
    if not (max_epochs > 0 and math.isfinite(max_epochs)):
        raise ValueError(f"mixture: the epoch cap must be a number above 0, not {max_epochs!r}")
    if total_bytes is not None and total_bytes <= 0:
        raise ValueError(f"mixture: the total must be above 0 bytes, not {total_bytes!r}")
    available = {cell: int(size) for cell, size in sorted(cells.items()) if size > 0}
    if not available:
        raise ValueError("mixture: no documents to mix; everything was removed before")
    languages = {language for _, language in available}
    listed = {language for language, share in (language_shares or {}).items() if language != OTHER}
    catches_rest = OTHER in (language_shares or {})

    def group_of(language: str) -> str:
        if language_shares is None or language in listed:
            return language
        return OTHER if catches_rest else ""  # left out

    sources = _targets("source", source_shares, {source for source, _ in available})
    groups = set(map(group_of, languages)) - {""}
    language_targets = _targets("language", language_shares, groups, languages)

    def wanted(cell: Cell) -> bool:
        group = group_of(cell[1])
        return (not sources or sources.get(cell[0], 0) > 0) and (
            not language_targets or language_targets.get(group, 0) > 0
        )

    used = [cell for cell in available if wanted(cell)]
    if not used:
        raise ValueError("mixture: no document is in a wanted source and a wanted language at once")
    if sources or language_targets:
        shape = _fit({cell: float(available[cell]) for cell in used}, sources, language_targets, group_of)
        # The cell with the most epochs per byte of the mixture reaches the cap first.
        most = max(shape[cell] / available[cell] for cell in used)
        largest = max_epochs / most
        total = largest if total_bytes is None else min(float(total_bytes), largest)
        epochs = {cell: min(total * shape[cell] / available[cell], max_epochs) for cell in used}
        binding = [cell for cell in used if shape[cell] / available[cell] >= most * (1 - 1e-9)]
        if total_bytes is not None and total_bytes <= largest:
            binding = []
        epochs |= dict.fromkeys(binding, float(max_epochs))  # not a rounding error less
    else:
        largest = max_epochs * math.fsum(available.values())
        factor = 1.0 if total_bytes is None else min(total_bytes / math.fsum(available.values()), max_epochs)
        epochs = dict.fromkeys(used, min(factor, max_epochs))
        binding = list(used) if total_bytes is not None and total_bytes > largest else []
    epochs = {cell: epochs.get(cell, 0.0) for cell in available}
    planned = {cell: epochs[cell] * available[cell] for cell in available}
    total = math.fsum(planned.values())

    reached_sources = _shares(planned, lambda cell: cell[0], total)
    reached_languages = _shares(planned, lambda cell: group_of(cell[1]) or cell[1], total)
    exact = all(
        math.isclose(reached.get(name, 0.0), share, rel_tol=1e-6, abs_tol=1e-9)
        for targets, reached in ((sources, reached_sources), (language_targets, reached_languages))
        for name, share in targets.items()
    )
    return MixturePlan(
        epochs, available, planned, sources, language_targets, reached_sources, reached_languages, total, binding,
        exact, _message(total, total_bytes, binding, max_epochs),
    )  # fmt: skip


def copies(keys: np.ndarray, epochs: float, seed: int) -> np.ndarray:
    """How often each document is used: the whole part of ``epochs``, and once more by a coin from its key.

    The coin does not depend on the share: raising ``epochs`` only adds uses, and changing one cell moves no other.

    Args:
        keys: uint64 [n], document keys.
        epochs: at least 0.
        seed: of the coin.

    Returns:
        uint16 [n].

    Raises:
        ValueError: epochs below 0 or above 65,534.
    """
    if not 0 <= epochs < 65_535:
        raise ValueError(f"mixture: a document cannot be used {epochs!r} times")
    whole = math.floor(epochs)
    coin = below(keyed_hash(np.ascontiguousarray(keys, np.uint64), seed), epochs - whole)
    return coin.astype(np.uint16) + np.uint16(whole)


def _targets(
    kind: str, shares: Mapping[str, float] | None, present: set[str], named: set[str] | None = None
) -> dict[str, float]:
    """Checks shares and scales them to a sum of 1, by name in order; empty when there are none."""
    if not shares:
        return {}
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not math.isfinite(share) or share < 0:
            raise ValueError(f"mixture: the share of {kind} {name!r} must be a number of at least 0, not {share!r}")
        if share > 0 and name not in present:
            have = ", ".join(sorted(named or present))
            if name == OTHER:
                raise ValueError(f"mixture: a share for 'other', but every {kind} has one of its own ({have})")
            message = unknown(kind, name, sorted(named or present))
            raise ValueError(f"mixture: no documents for the share of {message}; {kind}s with documents: {have}")
    total = math.fsum(shares.values())
    if total <= 0:
        raise ValueError(f"mixture: all shares by {kind} are 0")
    return {name: shares[name] / total for name in sorted(shares)}


def _fit(
    weights: dict[Cell, float],
    sources: Mapping[str, float],
    languages: Mapping[str, float],
    group_of: Callable[[str], str],
) -> dict[Cell, float]:
    """Scales cell weights until both marginals hold; the weights sum to 1."""
    rounds = 1 if not (sources and languages) else _ROUNDS
    for targets, name_of in ((sources, lambda cell: cell[0]), (languages, lambda cell: group_of(cell[1]))):
        empty = [
            name for name, share in targets.items() if share > 0 and all(name_of(cell) != name for cell in weights)
        ]
        if empty:
            raise ValueError(
                f"mixture: {empty[0]!r} has documents only where the other set of shares is 0; raise one of those"
            )
    for _ in range(rounds):
        off = 0.0
        for targets, name_of in ((sources, lambda cell: cell[0]), (languages, lambda cell: group_of(cell[1]))):
            if not targets:
                continue
            sums = _sums(weights, name_of)
            for cell in weights:
                weights[cell] *= targets[name_of(cell)] / sums[name_of(cell)]
        if sources and languages:
            sums = _sums(weights, lambda cell: cell[0])
            off = max(abs(sums[name] / share - 1) for name, share in sources.items() if share > 0)
            if off < _CLOSE:
                break
    if rounds > 1 and off > 1e-6:
        raise ValueError(
            "mixture: the shares by source and by language cannot both be reached: "
            f"the cells {sorted(weights)} leave a source {off:.1%} off; drop one set of shares or bring them nearer"
        )
    total = math.fsum(weights.values())
    return {cell: weight / total for cell, weight in weights.items()}


def _sums(weights: Mapping[Cell, float], name_of: Callable[[Cell], str]) -> dict[str, float]:
    """Exact sums by name, so that the order of the cells does not matter."""
    parts: dict[str, list[float]] = {}
    for cell, weight in weights.items():
        parts.setdefault(name_of(cell), []).append(weight)
    return {name: math.fsum(values) for name, values in parts.items()}


def _shares(planned: Mapping[Cell, float], name_of: Callable[[Cell], str], total: float) -> dict[str, float]:
    return {name: value / total for name, value in sorted(_sums(planned, name_of).items())} if total else {}


def _message(total: float, asked: int | None, binding: list[Cell], max_epochs: float) -> str:
    """One line about the plan."""
    text = f"{total / 1e6:,.1f} MB"
    if asked is not None and asked > total * (1 + 1e-9):
        text += f" instead of the {asked / 1e6:,.1f} MB asked for, the most that can be reached"
    if binding:
        names = ", ".join(f"{source}/{language}" for source, language in binding)
        text += f"; {names} at the cap of {max_epochs:g} epochs: more of it, or a higher cap, makes the mixture larger"
    return text
