"""Fill-in-the-middle: some documents read prefix, suffix, middle, so that a model learns to fill a gap.

Document level, in the order prefix–suffix–middle of DeepSeek-Coder and DeepSeek-V3 (Bavarian et al. 2022, section 3):

    [begin] <fim_prefix> prefix <fim_suffix> suffix <fim_middle> middle [end]

Which documents, and where they are cut, are hashes of (key, copy, seed): the same for any worker, and anew for each
copy of a document that the mixture repeats. The three parts are encoded apart, so no token spans a cut.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_array, text_buffers
from tokenizer.encoder import Encoded, Encoder
from tokenizer.shuffle import shuffle_hash

TOKENS = ("fim_prefix", "fim_suffix", "fim_middle")
# Each question asks a hash of its own, so that none is a function of another's answer.
_CHOICE, _FIRST_CUT, _SECOND_CUT = 0xF111, 0xF112, 0xF113


def chosen(keys: np.ndarray, copies: np.ndarray | int, seed: int, rate: float) -> np.ndarray:
    """Which documents are rearranged: bool [documents]. A higher rate only adds documents.

    Args:
        keys: uint64 [documents].
        copies: which copy of each: uint16 [documents], or one number.
        seed: of the shards.
        rate: the share [0, 1] of documents.
    """
    if rate >= 1:
        return np.ones(len(keys), bool)
    return shuffle_hash(keys, copies, seed ^ _CHOICE) < np.uint64(rate * 2.0**64)


def cut(texts: pa.Array, keys: np.ndarray, copies: np.ndarray | int, seed: int) -> pa.LargeStringArray:
    """Cuts each document at two places into three parts, between characters; a part may be empty.

    Both places are uniform over the document's bytes, then moved back to the start of the character they fall in.

    Args:
        texts: ``string`` or ``large_string`` [documents].
        keys, copies, seed: what the places are hashes of.

    Returns:
        ``large_string`` [3 * documents]: prefix, middle and suffix of the first document, then of the next; views
        of the same bytes.
    """
    data, offsets = text_buffers(texts)
    starts, lengths = offsets[:-1], np.diff(offsets)
    cuts = np.sort([starts + _below(lengths + 1, keys, copies, seed ^ each) for each in (_FIRST_CUT, _SECOND_CUT)], 0)
    for _ in range(3):  # a character has at most three bytes behind its first
        inside = (cuts > starts) & (cuts < offsets[1:])
        cuts[inside] -= data[cuts[inside]] & 0xC0 == 0x80
    bounds = np.append(np.column_stack([starts, *cuts]).ravel(), offsets[-1])
    return text_array(data, bounds)


def _below(bounds: np.ndarray, keys: np.ndarray, copies: np.ndarray | int, seed: int) -> np.ndarray:
    """A number in [0, bound) for each document: int64 [documents]; bounds below 2^31."""
    high = shuffle_hash(keys, copies, seed) >> np.uint64(32)
    return ((high * bounds.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def encode_rearranged(
    encoder: Encoder,
    texts: pa.Array,
    keys: np.ndarray,
    copies: np.ndarray | int,
    seed: int,
    *,
    begin: bool = False,
    end: bool = False,
) -> Encoded:
    """Encodes documents in the order prefix, suffix, middle, between the three tokens.

    Raises:
        ValueError: the tokenizer lacks one of the tokens.
    """
    parts = encoder.encode(cut(texts, keys, copies, seed))
    documents = len(keys)
    names = [*TOKENS, *(["begin"] if begin else []), *(["end"] if end else [])]
    single = np.array([encoder.tokenizer.special(name) for name in names], np.uint32)
    # The parts, and behind them each special token as a part of its own: a document is then a choice of parts.
    tokens = np.concatenate([parts.tokens, single])
    offsets = np.concatenate([parts.offsets, parts.offsets[-1] + np.arange(1, len(single) + 1)])
    place = {name: np.full(documents, 3 * documents + i) for i, name in enumerate(names)}
    prefix, middle, suffix = 3 * np.arange(documents) + np.arange(3)[:, None]
    order = [place["fim_prefix"], prefix, place["fim_suffix"], suffix, place["fim_middle"], middle]
    order = [*([place["begin"]] if begin else []), *order, *([place["end"]] if end else [])]
    rows = np.column_stack(order).ravel() if documents else np.empty(0, np.int64)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(tokens)).take(pa.array(rows))
    ends = lists.offsets.to_numpy()[:: len(order)]
    return Encoded(lists.values.to_numpy(), ends)
