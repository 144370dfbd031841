"""JSON lines: one document a line; plain, gzip or zstd."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from pipeline.sources.batches import BatchBuilder, Limits, SourceBatch
from pipeline.sources.columns import FIELDS, ColumnError, missing_column
from pipeline.sources.segments import Break, Segments

_LOOKED_AT = 100  # objects after which a column that none of them has is taken for a mistake


class _Line(NamedTuple):
    data: bytes
    number: int
    offset: int
    damage: Break | None  # in place of the line
    too_long: int


def read_jsonl(
    file: BinaryIO, builder: BatchBuilder, limits: Limits, columns: Mapping[str, str], path: str
) -> Iterator[SourceBatch]:
    """Reads one object a line; see ``read.read_documents``. The text is not altered; blank lines are no records.

    Raises:
        ColumnError: the text column, or one that ``columns`` names, is in none of the first objects.
    """
    lines = _Lines(file, limits)
    names = {field: columns.get(field, field) for field in FIELDS}
    wanted = {names["text"], *columns.values()}
    seen: dict[str, None] = {}
    objects = 0
    for line in lines:
        value = _parse(line, builder)
        if value is not None:
            if objects < _LOOKED_AT:
                objects += 1
                seen.update(dict.fromkeys(value))
                if objects == _LOOKED_AT:
                    _check(wanted, seen, names, path)
            _add(value, line, names, builder)
        if builder.full:
            yield builder.take(lines.position)
    if 0 < objects < _LOOKED_AT:
        _check(wanted, seen, names, path)
    yield builder.take(lines.position)


def _check(wanted: set[str], seen: dict[str, None], names: dict[str, str], path: str) -> None:
    for field, name in names.items():
        if name in wanted and name not in seen:
            raise ColumnError(missing_column(path, field, name, list(seen)))


def _parse(line: _Line, builder: BatchBuilder) -> dict[str, Any] | None:
    if line.damage:
        builder.reject(*line.damage)
        return None
    if line.too_long:
        detail = f"line {line.number} is longer than the {line.too_long} bytes that are allowed"
        builder.reject(line.offset, "too-long", detail)
        return None
    try:
        value = json.loads(line.data.decode())
    except UnicodeDecodeError as error:
        builder.reject(line.offset, "invalid-utf8", f"line {line.number}: {error.reason} at its byte {error.start}")
        return None
    except (ValueError, RecursionError) as error:
        builder.reject(line.offset, "bad-json", f"line {line.number}: {error}")
        return None
    if not isinstance(value, dict):
        builder.reject(line.offset, "bad-json", f"line {line.number}: not an object, but {type(value).__name__}")
        return None
    return value


def _add(value: dict[str, Any], line: _Line, names: dict[str, str], builder: BatchBuilder) -> None:
    text = value.get(names["text"])
    if text is None:
        builder.reject(line.offset, "no-text", f"line {line.number} has no `{names['text']}`")
    elif not isinstance(text, str):
        builder.reject(line.offset, "not-text", f"line {line.number}: `{names['text']}` is {type(text).__name__}")
    elif not text or text.isspace():
        builder.skip("empty-text")
    else:
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            builder.reject(line.offset, "invalid-utf8", f"line {line.number}: {error.reason} at {error.start}")
            return
        builder.add(
            data,
            line.offset,
            _string(value.get(names["id"])),
            _string(value.get(names["url"])),
            _date(value.get(names["date"])),
            _string(value.get(names["language"])),
        )


def _string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _date(value: Any) -> str | int | None:
    """ISO 8601, or a number of seconds since 1970."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e11:
        return round(value * 1_000_000)
    return None


class _Lines:
    """Iterates over the lines that are not blank, and the damages between them."""

    def __init__(self, file: BinaryIO, limits: Limits):
        self._segments = Segments(file, plausible=_may_be_text, plain=None)
        self._limit = limits.record_bytes

    @property
    def position(self) -> int:
        return self._segments.position

    def __iter__(self) -> Iterator[_Line]:
        held: list[bytes] = []  # the begin of a line whose end is still to come
        held_size = 0
        held_offset = 0
        number = 0
        after_break = False  # what comes next may be the rest of a line whose begin is lost
        while (piece := self._segments.next()) is not None:
            if isinstance(piece, Break):
                held, held_size = [], 0
                yield _Line(b"", number, 0, piece, 0)
                after_break = True
                continue
            data = piece.data
            if number == 0 and not held and data.startswith(b"\xef\xbb\xbf"):
                data = data[3:]
            at = 0
            while at < len(data):
                end = data.find(b"\n", at)
                stop = len(data) if end < 0 else end
                if not held:
                    shift = len(piece.data) - len(data)
                    held_offset = piece.start + piece.inner + shift + at if piece.stored else piece.start
                if held_size <= self._limit:
                    held.append(data[at:stop])
                held_size += stop - at
                at = stop + 1
                if end < 0:
                    break
                number += 1
                line = _Line(b"".join(held), number, held_offset, None, 0)
                too_long = held_size > self._limit
                held, held_size = [], 0
                if too_long:
                    line = line._replace(data=b"", too_long=self._limit)
                if after_break:
                    after_break = False
                    if not _is_object(line.data):
                        continue
                if too_long or (line.data and not line.data.isspace()):
                    yield line
        if held and (held_size > self._limit or b"".join(held).strip()):
            line = _Line(b"".join(held), number + 1, held_offset, None, 0)
            if held_size > self._limit:
                line = line._replace(data=b"", too_long=self._limit)
            if not after_break or _is_object(line.data):
                yield line


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _may_be_text(data: bytes) -> bool:
    """Whether plain bytes are UTF-8, but for a character that is cut at either end."""
    for skip in range(4):
        try:
            data[skip:].decode()
        except UnicodeDecodeError as error:
            if error.start == 0:
                continue
            return len(data) - skip - error.start < 4
        return bool(data)
    return False
