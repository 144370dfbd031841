"""The mixture of a corpus: its axes, what there is of each cell, and the plan that the config's wishes come to."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.mixture.draws import BUCKETS, Draw, buckets_of, placed
from filters.mixture.hosts import HostDomains
from filters.mixture.plan import Cell, MixturePlan, plan
from filters.mixture.rehydration import SIZES, computed_weights, weights_of
from filters.mixture.targets import Wishes
from pipeline import storage
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.config.mix import Mix, MixAxis, MixHosts
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.parts import read_whole, write_part
from pipeline.storage import StoredFile

SIZE = "cluster_size"  # the axis of rehydration
DOMAINS, TOKENS, CELLS = "domains", "tokens", "cells"  # folders
_ROWS = 1 << 20  # of sums, before they are added up


class Planned(NamedTuple):
    """The plan, where the line is drawn in each of its cells, and what there is by the names on all axes."""

    plan: MixturePlan
    draws: dict[Cell, Draw]
    amounts: dict[Cell, int]


def axes_of(config: CorpusConfig) -> list[str]:
    """The names of the axes: the columns of ``domains/`` beside key and bytes."""
    return [*config.mix.axes(), *([SIZE] if config.mix.rehydrate else [])]


def size_begins(mix: Mix) -> list[int]:
    """Where classes of cluster sizes begin; none without rehydration."""
    return [] if mix.rehydrate is None else sorted(mix.rehydrate.weights) or list(SIZES)


def host_lists(hosts: MixHosts) -> dict[str, list[str]]:
    """The lists of hosts by domain, files read.

    Raises:
        ConfigError: a file that cannot be read, a host in two lists, or what is no host.
    """
    lists = {name: list(listed) for name, listed in hosts.lists.items()}
    for name, path in hosts.files.items():
        try:
            lines = storage.read_text(path).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"mix.hosts.files.{name}: {path} cannot be read ({error})") from error
        lists[name] = lists.get(name, []) + [line.partition("#")[0].strip() for line in lines]
    try:
        HostDomains(lists)
    except ValueError as error:
        raise ConfigError(f"mix.hosts: {error}") from error
    return lists


def wishes_of(mix: Mix, sizes: Mapping[str, Sequence[int]]) -> dict[str, Wishes]:
    """What is asked of each axis; ``sizes``: see ``rehydration.computed_weights``."""
    wishes = {name: _wishes(axis) for name, axis in mix.axes().items()}
    if (rehydrate := mix.rehydrate) is not None:
        weights = weights_of(rehydrate.weights)
        if rehydrate.up_to is not None:
            weights = computed_weights(sizes, size_begins(mix), rehydrate.up_to)
        wishes[SIZE] = Wishes(weights={name: weight for name, weight in weights.items() if name in sizes})
    return wishes


def wishes_in(corpus: Corpus) -> dict[str, Wishes]:
    """What is asked of each axis, once domains are measured."""
    if not corpus.config.mix.asked:
        return {"source": Wishes(), "language": Wishes()}
    return wishes_of(corpus.config.mix, corpus.manifest(DOMAINS)["details"]["sizes"])


def _wishes(axis: MixAxis) -> Wishes:
    return Wishes(axis.shares, axis.temperature, axis.weights, axis.at_least, axis.max_epochs)


def shown(wishes: Wishes, name: str) -> str:
    """The domain under which a name on an axis is told of."""
    return (wishes.domain(name) or name) if wishes.asked else name


def planned(corpus: Corpus) -> Planned:
    """The plan of the config, from what the last measuring job found.

    Raises:
        GristmillError: the plan is impossible; says why, and what would change it.
    """
    [file] = corpus.manifest(CELLS)["files"]
    sizes = corpus.manifest(DOMAINS)["details"]["sizes"]
    return _planned(corpus.path(file["path"]), file["sha256"], corpus.config.mix.model_dump_json(), json.dumps(sizes))


@functools.lru_cache(maxsize=2)
def _planned(path: str, sha256: str, mix_json: str, sizes_json: str) -> Planned:
    mix = Mix.model_validate_json(mix_json)
    axes = wishes_of(mix, json.loads(sizes_json))
    table = read_whole(path).to_pydict()
    cells = list(zip(*(table[axis] for axis in axes)))
    amounts: dict[Cell, int] = {}
    for cell, amount in zip(cells, table["amount"]):
        amounts[cell] = amounts.get(cell, 0) + amount
    made = plan_for(amounts, axes, mix, mix.total, mix.unit)
    spread = {cell: np.zeros(BUCKETS, np.int64) for cell in made.cells}
    place = {cell: made.cell_of(dict(zip(axes, cell))) for cell in amounts}
    for cell, bucket, amount in zip(cells, table["bucket"], table["amount"]):
        if (own := place[cell]) is not None:
            spread[own][bucket] += amount
    draws = {cell: placed(made.cells[cell].epochs, spread[cell]) for cell in made.cells}
    return Planned(made, draws, amounts)


def plan_for(
    amounts: Mapping[Cell, int], axes: Mapping[str, Wishes], mix: Mix, total: int | None, unit: str
) -> MixturePlan:
    """The plan for some amounts; raises like ``planned``."""
    try:
        return plan(amounts, axes, max_epochs=mix.max_epochs, total=total, keep=mix.keep, unit=unit)
    except ValueError as error:
        raise GristmillError(f"mix: {error}") from error


def draw_of(made: Planned, names: Mapping[str, str]) -> Draw:
    """The draw of the documents with some names on the axes; none is used of what is left out."""
    cell = made.plan.cell_of(names)
    return Draw(0, 0) if cell is None else made.draws[cell]


def measured(corpus: Corpus) -> list[tuple[StoredFile, ...]]:
    """For each part the file of its domains, and that of its tokens where the mixture is in tokens."""
    folders = [DOMAINS, *([TOKENS] if corpus.config.mix.unit == "tokens" else [])]
    files = [[receipt.outcome.files[0] for receipt in corpus.receipts(folder)] for folder in folders]
    return list(zip(*files, strict=True))


def read_measured(corpus: Corpus, files: Sequence[StoredFile], unit: str) -> pa.Table:
    """What was measured of the documents of a part: key, bytes, the name on each axis, and the amount, int64."""
    table = read_whole(corpus.path(files[0].path))
    if unit == "tokens":
        amount = read_whole(corpus.path(files[1].path))["tokens"]
    else:
        amount = table["bytes"] if unit == "bytes" else pa.chunked_array([pa.repeat(1, table.num_rows)])
    return table.append_column("amount", amount.cast(pa.int64()))


def write_cells(corpus: Corpus, unit: str, seed: int) -> tuple[int, int, StoredFile]:
    """Adds up what there is of each cell by the bucket of the documents' hash, over all parts, and writes it.

    Returns:
        Rows, the total, and the file: the name on each axis, bucket uint16, amount int64.
    """
    axes = axes_of(corpus.config)
    form = pa.schema([*((axis, pa.string()) for axis in axes), ("bucket", pa.uint16()), ("amount", pa.int64())])
    sums = [form.empty_table()]
    for files in measured(corpus):
        table = read_measured(corpus, files, unit)
        bucket = pa.array(buckets_of(vector(table["key"]), seed))
        sums.append(_added(table.append_column("bucket", bucket).select(form.names)))
        if sum(map(len, sums)) > _ROWS:
            sums = [_added(pa.concat_tables(sums))]
    total = _added(pa.concat_tables(sums)).sort_by([(name, "ascending") for name in form.names])
    with write_part(corpus.path(f"{CELLS}/cells.parquet"), form) as (out, file):
        for batch in total.combine_chunks().to_batches():
            out.write(batch)
    return out.rows, pc.sum(total["amount"]).as_py() or 0, corpus.stored(file)


def _added(table: pa.Table) -> pa.Table:
    added = table.group_by(table.column_names[:-1], use_threads=False).aggregate([("amount", "sum")])
    return added.rename_columns(table.column_names)


def cell_numbers(table: pa.Table | pa.RecordBatch, axes: Iterable[str]) -> tuple[np.ndarray, list[Cell]]:
    """The cell of each document, int64 [n], and the names of each cell that occurs, in order."""
    codes, names = np.zeros(table.num_rows, np.int64), []
    for axis in axes:
        known = sorted(pc.unique(table[axis]).to_pylist())
        place = pc.index_in(table[axis], pa.array(known, pa.string()))
        codes = codes * max(len(known), 1) + vector(place)
        names.append(known)
    distinct, numbers = np.unique(codes, return_inverse=True)
    cells = []
    for code in distinct.tolist():
        cell = []
        for known in reversed(names):
            code, index = divmod(code, len(known))
            cell.append(known[index])
        cells.append(tuple(reversed(cell)))
    return numbers, cells
