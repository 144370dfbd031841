"""The addresses of a few documents, for people to look at."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.arrays import vector
from pipeline.corpus import Corpus, part_of, part_path
from pipeline.parts import read_part


def urls_of(corpus: Corpus, keys: list[int]) -> dict[int, str]:
    """Addresses of a few documents by key; reads two narrow columns of the parts they lie in."""
    wanted = np.unique(np.array(keys, np.uint64))
    dumps = corpus.dumps()
    urls: dict[int, str] = {}
    for part in np.unique(part_of(wanted)).tolist():
        for batch in read_part(corpus.path(f"documents/{part_path(part, dumps)}.parquet"), ["key", "url"]):
            chosen = batch.filter(pa.array(np.isin(vector(batch["key"]), wanted)))
            urls |= dict(zip(chosen["key"].to_pylist(), chosen["url"].to_pylist(), strict=True))
    return urls
