"""Curves for TensorBoard, written without it: its event files are a few lines of protocol buffer in checked records.

A record is its length (uint64), the length's checksum, the bytes, their checksum (TensorFlow's ``record_writer.cc``);
the bytes are an ``Event`` of ``event.proto`` with a ``Summary`` of ``summary.proto``. Checksums are CRC-32C, masked.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_POLYNOMIAL = 0x82F63B78  # CRC-32C, bits reversed
_MASK = 0xA282EAD8
_FLUSH_SECONDS = 5.0


class EventFile:
    """Scalars by tag and step, in a new file of a folder; TensorBoard reads all files of a folder as one run.

    ``first`` is the first step that this file holds: what older files of the folder hold from there on is void.
    """

    def __init__(self, folder: Path, first: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1_000_000_000:010d}.{socket.gethostname()}.{os.getpid()}"
        self._file = open(folder / f"{name}.{first}", "ab")  # noqa: SIM115
        self._flushed = time.monotonic()
        self._write(_text(3, b"brain.Event:2"))
        self._write(_whole(2, first) + _text(7, _whole(1, 1)))  # session_log: START
        self._file.flush()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """One value a tag at a step. They reach the disk within seconds, or at ``close``."""
        values = b"".join(
            _text(1, _text(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in scalars.items()
        )
        self._write(_whole(2, step) + _text(5, values))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._file.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Writes what is left."""
        self._file.close()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _write(self, event: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))


def _whole(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _text(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)
