"""The six real snapshot dumps, signed once for all tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from dedup.banding import Banding, band_hashes
from dedup.minhash import MinHashSettings, Signatures, signatures


class Snapshots(NamedTuple):
    """A sample of the pages of all dumps: all versions of a page are in it, or none."""

    keys: np.ndarray
    texts: pa.Array
    signed: Signatures
    settings: MinHashSettings

    def buckets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keys, hashes and signature rows of all bands and of the content, as one partition would hold them."""
        rows = np.arange(len(self.keys))
        hashes = np.where(self.signed.words[:, None] > 0, band_hashes(self.signed.minima, Banding()), 0)
        bands = hashes.shape[1]
        worded = np.repeat(self.signed.words > 0, bands)
        return (
            np.concatenate((np.repeat(self.keys, bands)[worded], self.keys)),
            np.concatenate((hashes.reshape(-1)[worded], self.signed.content)),
            np.concatenate((np.repeat(rows, bands)[worded], rows)),
        )


@pytest.fixture(scope="session")
def snapshots(shared_data: Path) -> Snapshots:
    keys, texts = [], []
    for dump, path in enumerate(sorted((shared_data / "dumps").glob("*.warc.wet.gz"))):
        with path.open("rb") as stream:
            for row, record in enumerate(ArchiveIterator(stream, record_types=WarcRecordType.conversion)):
                page = urlsplit(record.headers["WARC-Target-URI"]).path
                if crc32(page.encode()) % 4 == 0:
                    keys.append((dump << 52) | row)
                    texts.append(record.reader.read().decode())
    column = pa.array(texts, pa.large_string())
    settings = MinHashSettings()
    return Snapshots(np.array(keys, np.uint64), column, signatures(column, settings), settings)
