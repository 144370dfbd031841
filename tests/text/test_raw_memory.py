"""Kernels that work by address, in a process whose allocator gives freed memory back to the system at once.

There a kernel that keeps an address longer than its array reads or writes what is no longer there, and dies. On an
ordinary day it would write into memory that somebody else has got in the meantime.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_TEXTS = """
import pyarrow as pa
line = "The mill grinds 42 sacks; 磨坊磨了四十二袋。\\n"
texts = pa.array([line * 20_000, "", "a" * 200_000, "字" * 100_000])
"""
_KERNELS = {
    "encode and decode": """
from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.merges import train
from tokenizer.pretokenizers import pretokenizer
preset = pretokenizer("deepseek-llm")
encoder = Encoder(Tokenizer(preset, train(count_pieces(texts, preset), 300)))
tokens, offsets = encoder.encode(texts)
assert encoder.decode_batch(tokens, offsets).to_pylist() == [text.encode() for text in texts.to_pylist()]
""",
    "sign": """
from dedup.minhash import MinHashSettings, signatures
assert signatures(texts, MinHashSettings()).words.tolist()[:2] == [20_000 * 13, 0]
""",
    "paragraphs": """
from dedup.paragraphs import paragraphs
assert len(paragraphs(texts, 5).hashes) == 20_001
""",
    "statistics and line rules": """
from filters.line_rules import edit_lines, published_line_rules
from filters.statistics import statistics
assert statistics(texts).column("lines").to_pylist() == [20_000, 0, 1, 1]
assert all(removed[0] > 0 for removed in [edit_lines(texts, rules)[1] for rules in published_line_rules().values()])
""",
}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator's switches are glibc's")
@pytest.mark.parametrize("kernels", _KERNELS)
def test_no_address_outlives_its_array(kernels):
    switches = {"MALLOC_MMAP_THRESHOLD_": "1024", "MALLOC_TOP_PAD_": "0", "MALLOC_TRIM_THRESHOLD_": "0"}
    script = _TEXTS + _KERNELS[kernels]
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | switches, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
