"""Special tokens are matched where that is asked for, and then as `tokenizers` matches them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer, to_json
from tokenizer.special_matching import encode_matching

OVERLAPPING = {"end": "<|end|>", "ending": "<|end|>ing", "begin": "<|b|>", "bar": "|>"}
words = st.sampled_from(["<|end|>", "<|end|>ing", "<|b|>", "|>", "<|", " the mill", "é", "\n", "四"])


@settings(max_examples=100)
@given(st.lists(st.lists(words, max_size=8).map("".join), max_size=5))
def test_ids_are_those_of_tokenizers(trained, texts):
    tokenizer = Tokenizer(trained.pretokenizer, trained.merges, OVERLAPPING)
    peer = tokenizers.Tokenizer.from_str(to_json(tokenizer)["tokenizer.json"])
    encoder = Encoder(tokenizer)
    tokens, offsets = encode_matching(encoder, pa.array(texts, pa.large_string()))
    assert len(offsets) == len(texts) + 1
    for i, text in enumerate(texts):
        assert tokens[offsets[i] : offsets[i + 1]].tolist() == peer.encode(text).ids
    specials = set(tokenizer.special_ids.values())
    plain = encoder.encode(pa.array(texts, pa.large_string())).tokens
    assert not specials & set(plain.tolist()), "unless asked, text never becomes a special token"
    assert encoder.decode(np.asarray(plain)).decode() == "".join(texts)
