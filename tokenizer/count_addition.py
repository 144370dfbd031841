"""Adding piece counts together, with weights, in bounded memory: the same sum for any order and any cut into files."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_buffers
from tokenizer.addition_kernels import BEYOND_INT64, FINISHED, OUT_OF_ROOM, add_streams, enter_stream
from tokenizer.count_files import BATCH_ROWS, CountFile, CountWriter, check_same, count_table, unit_of, with_unit
from tokenizer.pretokenizers import Pretokenizer

_STREAM_ROWS = 1 << 20  # rows held in memory while files are added up, of all of them together
_FAN_IN = 64  # files added up at a time
LARGEST = 2**63 - 1


def merge_counts(tables: Sequence[pa.Table]) -> pa.Table:
    """Adds count tables of one pre-tokenizer together; the same table for any order of them.

    Raises:
        ValueError: no table, tables of different pre-tokenizers, or counts that add up to more than int64 holds.
    """
    if not tables:
        raise ValueError("there are no counts to merge: give at least one table")
    for table in tables[1:]:
        check_same(tables[0].schema, table.schema)
    streams = [iter(table.to_batches(BATCH_ROWS)) for table in tables]
    factors, unit = _common([Fraction(1, unit_of(table.schema)) for table in tables])
    of = with_unit(tables[0].schema, 1)
    return pa.concat_tables([of.empty_table(), *_sums(streams, factors, unit, of)]).combine_chunks()


def merge_count_files(
    sources: Sequence[Any],
    destination: Any,
    weights: Sequence[Fraction | int] | None = None,
    pretokenizer: Pretokenizer | None = None,
    *,
    workers: int = 1,
    folder: str | None = None,
) -> int:
    """Adds count files together into one, holding a bounded part of each in memory, 64 of them at a time.

    Args:
        sources: paths, or functions that open a file object each; any order gives the same bytes.
        destination: a path or a file object.
        weights: what the counts of each file are multiplied by; 1 when absent. The sums are rounded once, half to even.
        pretokenizer: the one the counts must be of; that of the first file when absent.
        workers: threads for the rounds before the last, where there are more than 64 files.
        folder: where those rounds keep their files; the system's temporary folder when empty.

    Returns:
        The number of distinct pieces written.

    Raises:
        ValueError: no file, a file that holds no counts, files of different pre-tokenizers, a negative weight, or
            counts that add up to more than int64 holds.
    """
    if not sources:
        raise ValueError("there are no counts to merge: give at least one file")
    shares = [Fraction(weight) for weight in weights] if weights is not None else [Fraction(1)] * len(sources)
    if len(shares) != len(sources):
        raise ValueError(f"weights has {len(shares)} entries and there are {len(sources)} files: give one a file")
    if min(shares) < 0:
        raise ValueError(f"weight {min(weights or shares)} is negative: a file counts 0 times or more")
    with _opened(sources[:1], pretokenizer) as [file]:
        of = with_unit(file.schema, 1)
    with contextlib.ExitStack() as stack:
        tables = stack.enter_context(added_files(sources, of, shares, folder, workers))
        writer = stack.enter_context(CountWriter(destination, of))
        for table in tables:
            writer.write(table)
    return writer.rows


@contextlib.contextmanager
def _opened(sources: Sequence[Any], pretokenizer: Pretokenizer | None = None) -> Iterator[list[CountFile]]:
    with contextlib.ExitStack() as stack:
        files = []
        for source in sources:
            stream = stack.enter_context(source()) if callable(source) else source
            files.append(CountFile(stream, pretokenizer, getattr(stream, "name", None)))
            stack.callback(files[-1].close)
        yield files


def temporary_folder(folder: str | None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gristmill-counts-", dir=folder)


@contextlib.contextmanager
def added_files(
    sources: Sequence[Any], of: pa.Schema, weights: Sequence[Fraction], folder: str | None, workers: int = 1
) -> Iterator[Iterator[pa.Table]]:
    """The sum of many files in the unit of ``of``, in as many rounds as it takes."""
    with contextlib.ExitStack() as stack:
        rounds = 0
        while len(sources) > _FAN_IN:
            root = Path(stack.enter_context(temporary_folder(folder)))
            groups = [range(i, min(i + _FAN_IN, len(sources))) for i in range(0, len(sources), _FAN_IN)]

            def add_group(
                number: int,
                group: range,
                sources: Sequence[Any] = sources,
                weights: Sequence[Fraction] = weights,
                root: Path = root,
            ) -> Path:
                path = root / f"{number:06}.parquet"
                own = [weights[i] for i in group]
                with _opened([sources[i] for i in group]) as files:
                    for file in files:
                        check_same(of, file.schema, file.name)
                    _, unit = _common([weight / unit_of(file.schema) for weight, file in zip(own, files)])
                    inner = with_unit(of, unit)
                    with CountWriter(path, inner, "lz4") as writer:
                        for table in _sums_of(files, own, inner):
                            writer.write(table)
                return path

            with ThreadPoolExecutor(max(1, workers)) as threads:
                sources = list(threads.map(add_group, range(len(groups)), groups))
            weights = [Fraction(1)] * len(sources)
            rounds += 1
        files = stack.enter_context(_opened(sources))
        for file in files:
            check_same(of, file.schema, file.name)
        yield _sums_of(files, weights, of)


def _sums_of(files: Sequence[CountFile], weights: Sequence[Fraction], of: pa.Schema) -> Iterator[pa.Table]:
    target = unit_of(of)
    factors, unit = _common([target * weight / unit_of(file.schema) for weight, file in zip(weights, files)])
    rows = max(1 << 10, _STREAM_ROWS // len(files))
    return _sums([file.batches(rows) for file in files], factors, unit, of)


def _common(shares: Sequence[Fraction]) -> tuple[np.ndarray, int]:
    """Fractions as whole numbers over one denominator, which is returned beside them.

    Raises:
        ValueError: they have so many digits that int64 cannot hold them.
    """
    unit = math.lcm(*(share.denominator for share in shares))
    factors = [int(share * unit) for share in shares]
    if max(unit, *factors) > LARGEST:
        raise ValueError("weights are too large, too small or of too many digits together: round them")
    return np.array(factors, np.int64), unit


def _sums(
    streams: Sequence[Iterator[pa.RecordBatch]], factors: np.ndarray, divisor: int, of: pa.Schema
) -> Iterator[pa.Table]:
    """Adds sorted streams up, each count times the factor of its stream, and divides, half to even; drops zeros."""
    held = _Held(streams)
    size = 0
    for stream in range(len(streams)):
        if held.fill(stream):
            enter_stream(held.data, held.offsets, held.at, held.words, held.heap, size, stream)
            size += 1
    rows = BATCH_ROWS
    out_data, out_offsets = np.empty(rows * 32, np.uint8), np.zeros(rows + 1, np.int64)
    out_counts = np.empty(rows, np.int64)
    used = np.array([size, 0], np.int64)
    while True:
        status = add_streams(
            held.data, held.offsets, held.counts, factors, held.at, held.rows, held.words, held.heap, used, out_data,
            out_offsets, out_counts,
        )  # fmt: skip
        if status >= 0:
            if held.fill(status):
                enter_stream(held.data, held.offsets, held.at, held.words, held.heap, used[0], status)
                used[0] += 1
        elif status == BEYOND_INT64:
            raise ValueError("counts add up to more than 2^63: weigh them less, or by numbers with fewer digits")
        else:
            filled = int(used[1])
            if filled:
                size = int(out_offsets[filled])
                yield _rounded(
                    out_data[:size].copy(), out_offsets[: filled + 1].copy(), out_counts[:filled], divisor, of
                )
            elif status == OUT_OF_ROOM:
                out_data = np.empty(2 * len(out_data), np.uint8)
            used[1] = 0
            if status == FINISHED:
                return


def _rounded(data: np.ndarray, offsets: np.ndarray, counts: np.ndarray, divisor: int, of: pa.Schema) -> pa.Table:
    if divisor == 1:
        counts = counts.copy()
    else:
        counts, rest = np.divmod(counts, divisor)
        half = divisor - rest
        counts += (rest > half) | ((rest == half) & (counts & 1 == 1))
    table = count_table(data, offsets, counts, of)
    return table if counts.all() else table.filter(pa.array(counts > 0))


class _Held:
    """One batch of each stream, in the arrays that ``addition_kernels`` reads."""

    def __init__(self, streams: Sequence[Iterator[pa.RecordBatch]]):
        self._streams = list(streams)
        count = len(self._streams)
        self._base, self._room = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.data = np.empty(0, np.uint8)
        self.offsets, self.counts = np.zeros((count, 1), np.int64), np.zeros((count, 0), np.int64)
        self.at, self.rows = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.words, self.heap = np.zeros(count, np.uint64), np.zeros(count, np.int64)

    def fill(self, stream: int) -> bool:
        """Takes the next batch of a stream; False at its end."""
        batch = next((batch for batch in self._streams[stream] if batch.num_rows), None)
        if batch is None:
            return False
        data, offsets = text_buffers(batch["piece"].view(pa.large_string()))
        size = int(offsets[-1] - offsets[0])
        if batch.num_rows > self.counts.shape[1]:
            more = batch.num_rows - self.counts.shape[1]
            self.offsets = np.pad(self.offsets, ((0, 0), (0, more)))
            self.counts = np.pad(self.counts, ((0, 0), (0, more)))
        if size > self._room[stream]:
            self._make_room(stream, size)
        base = int(self._base[stream])
        self.data[base : base + size] = data[offsets[0] : offsets[-1]]
        self.offsets[stream, : batch.num_rows + 1] = offsets - offsets[0] + base
        self.counts[stream, : batch.num_rows] = batch["count"].to_numpy(zero_copy_only=False)
        self.at[stream], self.rows[stream] = 0, batch.num_rows
        return True

    def _make_room(self, stream: int, size: int) -> None:
        """Lays the batches out anew with more room for one stream's."""
        room = self._room.copy()
        room[stream] = size + size // 4
        base = np.cumsum(room) - room
        data = np.empty(int(room.sum()), np.uint8)
        for i in range(len(room)):
            old = int(self._base[i])
            data[base[i] : base[i] + self._room[i]] = self.data[old : old + int(self._room[i])]
            self.offsets[i] += base[i] - old
        self.data, self._base, self._room = data, base, room
