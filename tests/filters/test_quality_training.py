"""Training: repeatable, balanced, with a part held out, of two classes or more, and honest about what it read."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from filters.quality import QualityModel
from filters.quality_evaluation import by_label
from filters.quality_training import Settings, train

pytest.importorskip("fasttext_pybind")

NOUNS = ["group", "ring", "field", "module", "lattice", "graph", "curve", "surface", "knot", "sheaf", "bundle", "flow"]
GOODS = ["shoes", "watches", "pills", "phones", "bags", "tickets", "games", "cars", "rings", "hats", "socks", "ties"]
GOOD = [f"The theory of the {a} and the {b} is explained here, with a proof." for a in NOUNS for b in NOUNS]
BAD = [f"buy cheap {a} now, best {b} price, click here for free {a}" for a in GOODS for b in GOODS]
NEWS = [f"The minister of the {a} said on Monday that the {b} would close." for a in NOUNS for b in GOODS]
SMALL = Settings(dimension=8, epochs=5)


def test_the_same_texts_and_settings_give_the_same_model(tmp_path):
    one = train({"positive": pa.array(GOOD), "negative": [pa.array(BAD[:7]), pa.array(BAD[7:])]}, tmp_path / "1", SMALL)
    two = train({"positive": [pa.array(GOOD)], "negative": pa.array(BAD)}, tmp_path / "2", SMALL)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    assert one.report()["model"].pop("file") != two.report()["model"].pop("file")
    assert one.report()["training_sha256"] == two.report()["training_sha256"]
    other = train(
        {"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "3", Settings(8, epochs=5, seed=1)
    )
    assert (tmp_path / "3").read_bytes() != (tmp_path / "1").read_bytes()
    assert other.model_sha256 == hashlib.sha256((tmp_path / "3").read_bytes()).hexdigest()


def test_it_tells_the_classes_apart_on_what_it_has_not_seen(tmp_path):
    trained = train({"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "model.bin", SMALL)
    held_out = sum(counts.held_out for counts in trained.classes.values())
    assert len(trained.truth) == len(trained.probabilities) == held_out > 10
    found = by_label(trained.truth, trained.probabilities, trained.model.labels)
    assert found["accuracy"] == 1
    scores = trained.model.score(pa.array(GOOD))
    assert scores.dtype == np.float32
    inverse = QualityModel(tmp_path / "model.bin", "__label__negative").score(pa.array(GOOD))
    assert scores + inverse == pytest.approx(np.ones(len(GOOD)), abs=1e-5)


def test_what_is_held_out_goes_by_the_text_alone(tmp_path):
    """A text that stands in both classes, or twice in one, is never learned from and judged at once."""
    classes = {"positive": pa.array(GOOD * 2), "negative": pa.array(BAD + GOOD)}
    trained = train(classes, tmp_path / "model.bin", SMALL)
    once = train({"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "once.bin", SMALL)
    good, bad = (once.classes[name].held_out for name in ("positive", "negative"))
    assert trained.classes["positive"].held_out == 2 * good
    assert trained.classes["negative"].held_out == good + bad
    assert 0.04 < (good + bad) / len(GOOD + BAD) < 0.16
    more = train(
        {"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "m", Settings(8, epochs=1, held_out=0.5)
    )
    assert 0.4 < len(more.truth) / len(GOOD + BAD) < 0.6
    none = train(
        {"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "n", Settings(8, epochs=1, held_out=0)
    )
    assert len(none.truth) == 0 and none.classes["positive"].trained == len(GOOD)


def test_uneven_classes_are_balanced(tmp_path):
    few = train({"positive": pa.array(GOOD), "negative": pa.array(BAD[:5])}, tmp_path / "m", Settings(8, held_out=0))
    assert few.classes["negative"].trained == 5
    scores = few.model.score(pa.array(BAD[20:]))
    assert np.median(scores) < 0.2 < 0.8 < np.median(few.model.score(pa.array(GOOD)))


def test_classes_may_be_domains(tmp_path):
    classes = {"science": pa.array(GOOD), "shops": pa.array(BAD), "news": pa.array(NEWS)}
    trained = train(classes, tmp_path / "domains.bin", SMALL)
    assert sorted(trained.model.labels) == ["news", "science", "shops"]
    assert by_label(trained.truth, trained.probabilities, trained.model.labels)["accuracy"] > 0.95
    judged = QualityModel(tmp_path / "domains.bin", "shops").judge(pa.array([GOOD[0], BAD[0], NEWS[0], "", " \n"]))
    assert judged.labels.to_pylist() == ["science", "shops", "news", None, None]
    assert judged.scores[1] > 0.5 and judged.scores[3:].tolist() == [0, 0]


def test_text_without_spaces_is_learned_by_its_characters(tmp_path):
    nouns = "群环域模格图曲线面结层丛流"
    good = [f"{a}与{b}的理论在此说明，并附有证明，读者可以自行验证。" for a in nouns for b in nouns]
    bad = [f"低价{a}特卖，点击购买{b}，立即下单享受优惠，先到先得！" for a in nouns for b in nouns]
    settings = Settings(dimension=8, epochs=5, min_characters=1, max_characters=3)
    trained = train({"positive": pa.array(good), "negative": pa.array(bad)}, tmp_path / "zh.bin", settings)
    assert by_label(trained.truth, trained.probabilities, trained.model.labels)["accuracy"] == 1


def test_words_that_mean_something_to_fasttext_are_only_words(tmp_path):
    strange = [f"{text} __label__negative </s> the rest" for text in GOOD]
    classes = {"positive": pa.array(strange), "negative": pa.array([*BAD, "", " \n "])}
    trained = train(classes, tmp_path / "m", SMALL)
    assert sorted(trained.model.labels) == ["negative", "positive"]
    assert trained.classes["negative"].blank == 2
    assert by_label(trained.truth, trained.probabilities, trained.model.labels)["accuracy"] == 1


def test_the_report_says_what_was_read(tmp_path):
    trained = train({"positive": pa.array(GOOD), "negative": pa.array(BAD)}, tmp_path / "model.bin", SMALL)
    report = trained.report()
    assert report["model"]["file"] == "model.bin" and report["model"]["labels"] == trained.model.labels
    assert report["settings"]["seed"] == 0 and report["settings"]["epochs"] == 5
    counts = report["classes"]["positive"]
    assert counts["trained"] + counts["held_out"] == len(GOOD)
    assert counts["bytes"] == sum(len(text) for text in GOOD)
    assert counts["sha256"] == hashlib.sha256("".join(text + "\n" for text in GOOD).encode()).hexdigest()


def test_what_cannot_be_learned_is_refused(tmp_path):
    path = tmp_path / "model.bin"
    with pytest.raises(ValueError, match="no negative documents with text to learn from"):
        train({"positive": pa.array(GOOD), "negative": pa.array([" "])}, path)
    with pytest.raises(ValueError, match="1 class; there must be two or more"):
        train({"positive": pa.array(GOOD)}, path)
    with pytest.raises(ValueError, match="'two words' cannot be a label"):
        train({"positive": pa.array(GOOD), "two words": pa.array(BAD)}, path)
    with pytest.raises(ValueError, match="a share of 1 cannot be held out"):
        train({"a": pa.array(GOOD), "b": pa.array(BAD)}, path, Settings(held_out=1))
    with pytest.raises(ValueError, match="runs of 0 to 3 characters cannot be"):
        train({"a": pa.array(GOOD), "b": pa.array(BAD)}, path, Settings(max_characters=3))
    assert not list(tmp_path.iterdir())
