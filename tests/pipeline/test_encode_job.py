"""The encode job's own figures."""

import numpy as np
import pyarrow as pa

from pipeline import manifests
from pipeline.jobs.encode import _compression


def test_documents_without_a_language_add_up_beside_others():
    batch = pa.record_batch([["en", None, None], ["ab", "c", "dé"]], ["language", "text"])
    found = _compression(batch, np.array([1, 2, 3]))
    assert manifests.add_nested([found, found]) == {
        "en": {"bytes": 4, "tokens": 2},
        "und": {"bytes": 8, "tokens": 10},
    }
