"""What is made of the columns that the job ``overlap`` writes: the rules, and which documents are masked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.presets import Preset, Rule
from pipeline.config import Decontamination, EvaluationSet

PRESET = "decontamination"


def schema(names: list[str]) -> pa.Schema:
    """Key, then for each set the runs that a document shares with it, and the largest share of one of its texts."""
    fields = [pa.field("key", pa.uint64())]
    for name in names:
        fields += [pa.field(runs_of(name), pa.uint32()), pa.field(share_of(name), pa.float32())]
    return pa.schema(fields)


def runs_of(name: str) -> str:
    """The column of shared runs."""
    return f"contamination_{name}"


def share_of(name: str) -> str:
    """The column of the largest share of one text."""
    return f"contamination_share_{name}"


def preset(settings: Decontamination) -> Preset | None:
    """The rules by which documents are removed, ``decontamination/<set>``; None where none is."""
    rules = tuple(
        Rule(name, runs_of(name), "below", each.runs, reason=f"shares text with the evaluation set {name}")
        for name, each in settings.sets.items()
        if each.action == "drop"
    )
    return Preset(PRESET, rules) if rules else None


def share_columns(settings: Decontamination) -> list[str]:
    """The columns that rules ask about beside their own: of the sets that a document must have a share of."""
    return [share_of(name) for name, each in settings.sets.items() if each.action == "drop" and each.share]


def judged(table: pa.Table, settings: Decontamination) -> pa.Table:
    """A table in which the runs of a set are 0 where the document has too small a share of every text of it."""
    for name, each in settings.sets.items():
        if each.share and {runs_of(name), share_of(name)} <= set(table.column_names):
            enough = pc.greater_equal(table[share_of(name)], pa.scalar(each.share, pa.float32()))
            runs = pc.if_else(enough, table[runs_of(name)], pa.scalar(0, pa.uint32()))
            table = table.set_column(table.schema.get_field_index(runs_of(name)), runs_of(name), runs)
    return table


def masks(settings: Decontamination) -> dict[str, EvaluationSet]:
    """The sets whose text is cut out."""
    return {name: each for name, each in settings.sets.items() if each.action == "mask"}


def masked(table: pa.Table, settings: Decontamination) -> np.ndarray:
    """Which sets' text is cut out of which document: bool [n, sets]."""
    wanted = np.zeros((table.num_rows, len(settings.sets)), bool)
    meant = masks(settings)
    runs = judged(table, settings)
    for number, name in enumerate(settings.sets):
        if name in meant:
            wanted[:, number] = pc.greater_equal(runs[runs_of(name)], meant[name].runs).to_numpy()
    return wanted
