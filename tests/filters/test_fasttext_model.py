# ruff: noqa: E501, RUF007 (tables of examples)
"""Prediction from fastText files equals fastText's own, for language and quality models alike."""

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import fasttext_model, quality_training
from filters.language import UNKNOWN, LanguageIdentifier, default_model
from filters.quality import QualityModel, check_label
from filters.samples import line_samples

fasttext_pybind = pytest.importorskip("fasttext_pybind")

GOOD = [f"The theory of the {word} is explained with care, and the proof of it follows here." for word in
        ["group", "ring", "field", "module", "lattice", "graph", "curve", "surface", "knot", "sheaf", "bundle", "flow"]]  # fmt: skip
BAD = [f"buy cheap {word} now best price click here free {word} deal win" for word in
       ["shoes", "watches", "pills", "phones", "bags", "tickets", "games", "cars", "rings", "hats", "socks"]]  # fmt: skip
TEXTS = [
    *GOOD,
    *BAD,
    "",
    " ",
    "\n",
    "好的，这是中文。再见",
    "naïve café\u00a0über",
    "a",
    "__label__positive the",
    "\x00\t",
    "🙂 🙂",
]


def fasttext_scores(path, texts: list[str]) -> list[dict[str, float]]:
    model = fasttext_pybind.fasttext()
    model.loadModel(str(path))
    return [
        {label.removeprefix("__label__"): score for score, label in model.predict(text + "\n", -1, 0.0, "strict")}
        for text in texts
    ]


def assert_equals_fasttext(path, texts: list[str], error: float = 2e-4) -> None:
    data, offsets = line_samples(pa.array(texts), None)
    model = fasttext_model.load(path)
    found = model.probabilities(data, offsets)
    lines = [data[begin:end].tobytes().decode() for begin, end in zip(offsets[:-1], offsets[1:], strict=True)]
    for row, line, expected in zip(found, lines, fasttext_scores(path, lines), strict=True):
        if not line.strip() or not row.any():  # fastText scores the line's end alone; nothing is known here
            continue
        assert expected
        ours = dict(zip(model.labels, row, strict=True))
        assert all(abs(ours[label] - score) < error for label, score in expected.items()), line
        ranked = sorted(expected.values())
        if len(ranked) < 2 or ranked[-1] - ranked[-2] > error:
            assert max(ours, key=ours.get) == max(expected, key=expected.get)


def test_language_model_equals_fasttext():
    assert_equals_fasttext(default_model(), TEXTS)


@given(st.lists(st.text(max_size=60), max_size=3))
def test_language_model_equals_fasttext_on_any_text(texts):
    assert_equals_fasttext(default_model(), [text.replace("\x00", " ") for text in texts] or ["x"])


TRAIN = """
import json, sys
import fasttext_pybind
settings = json.load(sys.stdin)
arguments = fasttext_pybind.args()
arguments.model = getattr(fasttext_pybind.model_name, settings.pop("model"))
arguments.loss = getattr(fasttext_pybind.loss_name, settings.pop("loss"))
for name, value in settings.items():
    setattr(arguments, name, value)
model = fasttext_pybind.fasttext()
fasttext_pybind.train(model, arguments)
model.saveModel(sys.argv[1])
"""


LABELLED = [(label, text) for label, texts in (("positive", GOOD), ("negative", BAD)) for text in texts]


def write_model(path, labelled=LABELLED, **settings):
    """Trains with fastText in a process of its own, for the reason that ``filters.quality_training`` gives."""
    training = path.with_suffix(".txt")
    training.write_text("".join(f"__label__{label} {text}\n" for label, text in labelled))
    defaults = {"input": str(training), "output": "", "minCount": 1, "dim": 8, "bucket": 1_100_000, "minn": 0, "maxn": 0,
                "thread": 1, "verbose": 0, "epoch": 20, "lr": 0.5, "wordNgrams": 1, "loss": "softmax",
                "model": "supervised"}  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", TRAIN, str(path)],
        input=json.dumps(defaults | settings),
        text=True,
        check=True,
        env=os.environ | quality_training._FRESH_MEMORY,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"wordNgrams": 3},
        {"minn": 2, "maxn": 4},
        {"minn": 1, "maxn": 3, "wordNgrams": 2, "dim": 7},
        {"loss": "hs", "wordNgrams": 2},
        {"loss": "ova"},
        {"loss": "ns", "minn": 2, "maxn": 3, "neg": 1},
    ],
)
def test_every_kind_of_classifier_equals_fasttext(tmp_path, settings):
    write_model(tmp_path / "model.bin", **settings)
    # fastText looks the logistic function up in a table of 512 steps for one-versus-all and negative sampling.
    error = 2e-2 if settings.get("loss") in ("ova", "ns") else 2e-4
    assert_equals_fasttext(tmp_path / "model.bin", TEXTS, error)


@pytest.mark.parametrize("normalized", [False, True])
def test_compressed_classifiers_equal_fasttext(tmp_path, normalized):
    write_model(tmp_path / "model.bin", minn=2, maxn=5, dim=10)
    model = fasttext_pybind.fasttext()
    model.loadModel(str(tmp_path / "model.bin"))
    model.quantize("", False, 500, False, 5, 0.1, 1, 0, 4, normalized)
    model.saveModel(str(tmp_path / "model.ftz"))
    assert_equals_fasttext(tmp_path / "model.ftz", TEXTS)


@pytest.mark.parametrize("settings", [{"loss": "hs"}, {"loss": "softmax"}, {"loss": "softmax", "compressed": True}])
def test_models_of_many_labels_equal_fasttext(tmp_path, settings):
    """Their tree has many levels, and compression takes in the labels too."""
    settings = dict(settings)
    compressed = settings.pop("compressed", False)
    rows = [(f"étiquette{n}", f"{GOOD[n % 12]} {BAD[n % 11]} only{n}") for n in range(300) for _ in range(1 + n % 3)]
    write_model(tmp_path / "model.bin", rows, epoch=3, dim=16, **settings)
    path = tmp_path / "model.bin"
    if compressed:
        model = fasttext_pybind.fasttext()
        model.loadModel(str(path))
        model.quantize("", True, 1000, False, 5, 0.1, 1, 0, 2, True)
        model.saveModel(str(tmp_path / "model.ftz"))
        path = tmp_path / "model.ftz"
    assert len(fasttext_model.labels(path)) == 300
    assert_equals_fasttext(path, TEXTS)


def test_languages_of_real_pages(shared_data):
    import gzip

    text = gzip.decompress((shared_data / "dumps/2020-07-01.warc.wet.gz").read_bytes()).decode("utf-8", "replace")
    records = [record.split("\r\n\r\n", 1) for record in text.split("WARC/1.0\r\n")[2:]]
    english = [body for head, body in records if "//doc.rust-lang.org" in head or "rust" in head.lower()]
    chinese = [body for _, body in records if sum("\u4e00" <= c <= "\u9fff" for c in body) > 0.3 * len(body)]
    assert len(english) > 50 and len(chinese) > 50
    identifier = LanguageIdentifier()
    for bodies, label in ((english, "en"), (chinese, "zh")):
        labels, scores = identifier.identify(pa.array(bodies))
        right = np.array([found == label for found in labels.to_pylist()])
        assert right.mean() > 0.97
        assert scores.dtype == np.float32
        assert np.median(scores) > 0.7


def test_documents_without_words_have_no_language():
    labels, scores = LanguageIdentifier().identify(pa.array(["", " \n\t ", None, "Guten Tag, wie geht es Ihnen?"]))
    assert labels.to_pylist() == [UNKNOWN, UNKNOWN, UNKNOWN, "de"]
    assert scores[:3].tolist() == [0, 0, 0]
    labels, scores = LanguageIdentifier().identify(pa.array([], pa.string()))
    assert len(labels) == len(scores) == 0


def test_neighbours_do_not_change_a_score():
    identifier = LanguageIdentifier()
    together = identifier.identify(pa.array(TEXTS * 3))[1]
    alone = np.concatenate([identifier.identify(pa.array([text]))[1] for text in TEXTS])
    assert (together == np.tile(alone, 3)).all()


@given(st.text(min_size=1, max_size=300), st.integers(16, 120))
def test_samples_are_bounded_lines_of_valid_text(text, size):
    data, offsets = line_samples(pa.array([text, text]), size)
    assert (np.diff(offsets) <= size).all()
    sample = data[: offsets[1]].tobytes().decode()  # raises if a character was cut
    encoded = text.encode()
    if len(encoded) <= size:
        assert sample == "".join({"\xa0": "  "}.get(c, " " if c < " " or c == "\x7f" else c) for c in text)
    assert not any(c < " " for c in sample)


def test_words_joined_by_no_break_spaces_are_words():
    spaced = "The miller grinds the grain between two stones and sifts the flour."
    labels, scores = LanguageIdentifier().identify(pa.array([spaced, spaced.replace(" ", "\xa0")]))
    assert labels.to_pylist() == ["en", "en"]
    assert scores[0] == scores[1]


def test_a_sample_holds_the_beginning_and_the_middle():
    text = "begin " * 100 + "middle " * 100 + "end " * 300
    data, _ = line_samples(pa.array([text]), 200)
    assert b"begin" in data.tobytes() and b"middle" in data.tobytes()
    with pytest.raises(ValueError, match="too small"):
        line_samples(pa.array(["x"]), 3)


def test_bad_models_are_refused_clearly(tmp_path):
    model = tmp_path / "model.bin"
    write_model(model)
    for refuse in (QualityModel, check_label):
        with pytest.raises(
            ValueError, match=r"has the labels .*negative.*unknown label 'positiv'; did you mean 'positive'"
        ):
            refuse(model, "positiv")
        with pytest.raises(ValueError, match="no such file"):
            refuse(tmp_path / "missing.bin", "positive")
    with pytest.raises(ValueError, match="no such file"):
        LanguageIdentifier(tmp_path / "missing.ftz")
    for content in (b"", b"PK\x03\x04 a zip file", b"hello"):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ValueError, match="is not a fastText model"):
            LanguageIdentifier(tmp_path / "other")
    whole = model.read_bytes()
    for size in (10, 60, 100, 300, len(whole) // 2, len(whole) - 4):
        (tmp_path / "short").write_bytes(whole[:size])
        with pytest.raises(ValueError, match="cut short or damaged"):
            fasttext_model.load(tmp_path / "short")
    (tmp_path / "newer").write_bytes(whole[:4] + b"\x0d\0\0\0" + whole[8:])
    with pytest.raises(ValueError, match="has version 13; versions 11 and 12 can be read"):
        fasttext_model.load(tmp_path / "newer")


@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_word_vectors_are_no_classifier(tmp_path, kind):
    write_model(tmp_path / "vectors.bin", model=kind, bucket=1000, ws=5, neg=5, loss="ns")
    with pytest.raises(ValueError, match=r"vectors.bin.* holds word vectors, no classifier"):
        fasttext_model.load(tmp_path / "vectors.bin")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_model_is_refused_or_read_but_never_read_past(tmp_path, compressed):
    """Bytes of the header, of the dictionary and of what follows it, each set to values that are far off."""
    path = tmp_path / "model.bin"
    write_model(path, minn=2, maxn=3, bucket=10_000, dim=4)  # as few as fastText learns with
    if compressed:
        model = fasttext_pybind.fasttext()
        model.loadModel(str(path))
        model.quantize("", False, 400, False, 5, 0.1, 1, 0, 2, True)
        model.saveModel(str(path))
    whole = path.read_bytes()
    data, offsets = line_samples(pa.array(TEXTS), None)
    refused: list[str] = []
    places = [*range(8, 120), *range(120, len(whole), max(1, len(whole) // 150))]
    for place in places:
        for value in (0x7F, 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                model = fasttext_model.load(path)
            except ValueError as error:
                refused.append(str(error))
            else:
                assert model.probabilities(data, offsets).shape == (len(TEXTS), len(model.labels))
    assert len(refused) > 20
    assert all("model.bin" in message and "\n" not in message for message in refused)
