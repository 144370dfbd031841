"""Counting a mixture: weights, the sum of all parts, the same bytes for any workers and after any kill."""

from __future__ import annotations

import collections
import random
import re
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted import Part

from pipeline import tokenizer_files
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.jobs import count, mix, train_tokenizer
from tokenizer import checkpoints, counts, formats
from tokenizer.count_files import read_counts
from tokenizer.counts import count_pieces
from tokenizer.pretokenizers import pretokenizer

_RNG = random.Random(5)


VOCABULARY = ["".join(_RNG.choices("abcdeilmnorstuw", k=_RNG.randrange(1, 11))) for _ in range(300)]


def texts(documents: int) -> list[str]:
    return [" ".join(_RNG.choices(VOCABULARY, k=_RNG.randrange(1, 60))) for _ in range(documents)]


PARTS = [
    Part("2021", 0, texts(60), "web", ["en", "zh", "fi"] * 20),
    Part("2021", 1, texts(40), "books", ["en", "zh"] * 20),
    Part("2022", 0, texts(70), "web", ["zh"] * 70),
    Part("2022", 1, [], "web", []),
]
WEIGHTS = {"sources": {"web": 0.5, "books": 2.5}, "languages": {"zh": 0.1, "fi": 0}}


def counted(output: Path, workers: int = 1, **tokenizer: Any) -> Corpus:
    corpus = planted.corpus_of(output, ("web", "books"), workers, tokenizer={"vocabulary": 400} | tokenizer)
    planted.plant(corpus, PARTS, "filtered")
    planted.run(corpus, mix.JOB, count.JOB)
    return corpus


def total(output: Path) -> dict[bytes, int]:
    table = pq.read_table(output / "counts" / count.TOTAL)
    return dict(zip(table["piece"].to_pylist(), table["count"].to_pylist()))


def test_the_sum_is_that_of_all_documents(tmp_path):
    counted(tmp_path)
    every = count_pieces(pa.array([text for part in PARTS for text in part.texts]), pretokenizer("deepseek-llm"))
    assert read_counts(tmp_path / "counts" / count.TOTAL).equals(every, check_metadata=True)


def test_weights_by_source_and_language_multiply_and_are_rounded_at_the_end(tmp_path):
    counted(tmp_path, weights=WEIGHTS)
    exact: dict[bytes, Fraction] = collections.defaultdict(Fraction)
    for part in PARTS:
        for text, language in zip(part.texts, part.languages):
            weight = Fraction(str(WEIGHTS["sources"][part.source])) * Fraction(
                str(WEIGHTS["languages"].get(language, 1))
            )
            one = count_pieces(pa.array([text]), pretokenizer("deepseek-llm"))
            for piece, number in zip(one["piece"].to_pylist(), one["count"].to_pylist()):
                exact[piece] += weight * number
    assert total(tmp_path) == {piece: round(value) for piece, value in exact.items() if round(value)}


@pytest.mark.parametrize("weights", [{}, WEIGHTS])
def test_workers_and_memory_change_no_byte(tmp_path, weights, monkeypatch):
    one = counted(tmp_path / "one", weights=weights)
    planted.run(one, train_tokenizer.JOB)
    monkeypatch.setattr(counts, "TABLE_BYTES", 1)
    two = counted(tmp_path / "two", 2, weights=weights)
    planted.run(two, train_tokenizer.JOB)
    assert planted.digests(tmp_path / "one", "counts") == planted.digests(tmp_path / "two", "counts")
    assert len(planted.digests(tmp_path / "one", "counts")) == len(PARTS) + 1
    for name in ("tokenizer.json", "tokenizer_config.json"):
        content = [(tmp_path / run / "tokenizer" / name).read_bytes() for run in ("one", "two")]
        assert content[0] == content[1]


def test_a_weight_counts_again_and_a_part_that_is_there_is_kept(tmp_path):
    corpus = counted(tmp_path)
    assert planted.run(corpus, count.JOB, train_tokenizer.JOB) == ["tokenizer"]
    (tmp_path / "counts" / count.TOTAL).unlink()
    assert planted.run(corpus, count.JOB, train_tokenizer.JOB) == ["count"]
    assert corpus.manifest("counts")["tasks_run"] == 0
    corpus.config.tokenizer.weights.languages["zh"] = 2
    assert planted.run(corpus, count.JOB, train_tokenizer.JOB) == ["count", "tokenizer"]
    assert corpus.manifest("counts")["tasks_run"] == len(PARTS)


def test_weights_that_cannot_be_added_up_are_one_line(tmp_path):
    with pytest.raises(GristmillError, match=r"tokenizer: weights up to \d+ can add up to more than 2\^63: give wei"):
        counted(tmp_path, weights={"sources": {"web": 999.999999}, "languages": {"zh": 999.999999}})


def test_a_weight_times_the_copies_does_not_wrap():
    """Half of 2^64 wraps to a number below 0, twice that to 0."""
    languages, weights = pa.array(["zh", "en", None]), {"zh": 1 << 61, "": 3}
    assert count.times_of(np.array([1, 2, 0], np.uint8), languages, weights).tolist() == [1 << 61, 6, 0]
    for copies in (4, 8):
        with pytest.raises(ValueError, match=r"make it count [\d,]+ times: give weights of fewer digits"):
            count.times_of(np.array([copies, 1, 1], np.uint8), languages, weights)


def test_entries_of_a_forbidden_file(tmp_path):
    """As editors of other systems write it: a mark at its beginning, other ends of lines."""
    corpus = counted(tmp_path / "out", max_token_length=3, forbidden_file=str(tmp_path / "forbidden"))
    (tmp_path / "forbidden").write_bytes("\ufeff/a/\r\n/e/\r\n".encode())
    planted.run(corpus, train_tokenizer.JOB)
    further = formats.load(tmp_path / "out" / "tokenizer").merges.tokens()[256:]
    assert len(further) > 50 and not any(b"a" in token or b"e" in token for token in further)
    for content, told in [(b"a\n\xe4\n", "line 2 is not UTF-8"), (b"/(/\n", "is no regular expression")]:
        (tmp_path / "forbidden").write_bytes(content)
        with pytest.raises(GristmillError, match=rf"tokenizer.forbidden_file: \S+forbidden: .*{told}"):
            planted.run(corpus, train_tokenizer.JOB)


def test_sources_and_weights_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"tokenizer.weights.sources: `wep` is no source; did you mean `web`\?"):
        counted(tmp_path, weights={"sources": {"wep": 2}})
    with pytest.raises(ConfigError, match="at most six digits behind the point"):
        counted(tmp_path, weights={"sources": {"web": 0.1234567}})
    with pytest.raises(ConfigError, match=r"tokenizer.weights: sources and languages have products of too many digits"):
        counted(tmp_path, weights={"sources": {"web": 99999.999999}, "languages": {"zh": 99999.999999}})


class Killed(Exception):
    """What ends a training from outside."""


def test_a_killed_training_goes_on_and_leaves_no_trace(tmp_path, monkeypatch):
    whole = counted(tmp_path / "whole", vocabulary=700)
    planted.run(whole, train_tokenizer.JOB)
    corpus = counted(tmp_path / "killed", vocabulary=700)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    replace = tokenizer_files._replace

    def replace_and_die(path: str, content: bytes) -> None:
        replace(path, content)
        raise Killed

    monkeypatch.setattr(tokenizer_files, "_replace", replace_and_die)
    with pytest.raises(RuntimeError, match="Killed"):
        planted.run(corpus, train_tokenizer.JOB)
    monkeypatch.setattr(tokenizer_files, "_replace", replace)
    left = tmp_path / "killed" / "tokenizer" / "merges.checkpoint"
    assert left.exists()
    starts: list[int] = []
    monkeypatch.setattr(train_tokenizer.progress, "expect", lambda done, of: starts.append(done))
    planted.run(corpus, train_tokenizer.JOB)
    assert starts[0] > 256 + 64  # the first 64 merges were not learned again
    assert not left.exists()
    files = [path / "tokenizer" / "tokenizer.json" for path in (tmp_path / "whole", tmp_path / "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_settings_reach_the_tokenizer(tmp_path):
    plain = counted(tmp_path / "plain", special_tokens={"end": "<e>", "begin": "<b>"}, max_token_length=3)
    planted.run(plain, train_tokenizer.JOB)
    base = formats.load(tmp_path / "plain" / "tokenizer")
    assert base.special_ids == {"end": base.merges.vocabulary_size, "begin": base.merges.vocabulary_size + 1}
    assert max(map(len, base.merges.tokens())) == 3
    (tmp_path / "forbidden").write_text("/a.*e/\n")
    larger = counted(
        tmp_path / "larger",
        vocabulary=600,
        extend=str(tmp_path / "plain" / "tokenizer"),
        special_tokens={"end": "<e>"},
        forbidden=[" s"],
        forbidden_file=str(tmp_path / "forbidden"),
    )
    planted.run(larger, train_tokenizer.JOB)
    found = formats.load(tmp_path / "larger" / "tokenizer")
    known = base.merges.vocabulary_size
    assert found.merges.pairs[: known - 256].tolist() == base.merges.pairs.tolist()
    assert found.special_ids == base.special_ids
    further = found.merges.tokens()[known:]
    assert len(further) > 50 and not any(re.search(b"a.*e", token) for token in further)
    assert b" s" in base.merges.tokens()  # it was there before
    shutil.rmtree(tmp_path / "plain" / "tokenizer")
    with pytest.raises(GristmillError, match=r"tokenizer.extend: .* cannot be read"):
        planted.run(larger, train_tokenizer.JOB)
