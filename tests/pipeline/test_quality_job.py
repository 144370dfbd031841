"""What quality models say of a corpus: columns beside the annotations, rules over them, and what is done again when."""

import json
from collections import Counter

import numpy as np
import planted
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from planted import Part

from filters.quality import QualityModel
from filters.quality_training import Settings, train
from pipeline import annotated, job, stages
from pipeline.jobs import cluster, match, sign

pytest.importorskip("fasttext_pybind")

ENGLISH = "The miller grinds the grain between two stones and sifts the flour for the bread of the village, number {}."
ADVERT = "Buy cheap shoes now and click here for the best price of the week on all of our watches and bags, number {}."
CHINESE = "磨坊主在两块石头之间磨谷物，然后筛面粉，为村里的人做面包，这是第{}个故事。"
KINDS = {"mill": ENGLISH, "shop": ADVERT}
RULE = {"name": "own", "rules": [{"name": "kind", "statistic": "label_kinds", "one_of": ["mill"]}]}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One that scores mills, one that tells kinds apart."""
    folder = tmp_path_factory.mktemp("models")
    texts = {kind: pa.array([text.format(i) for i in range(200)]) for kind, text in KINDS.items()}
    settings = Settings(dimension=8, epochs=5, held_out=0)
    train({"positive": texts["mill"], "negative": texts["shop"]}, folder / "good.bin", settings)
    train({**texts, "story": pa.array([CHINESE.format(i) for i in range(200)])}, folder / "kinds.bin", settings)
    return folder


def texts_of(start):
    return [text.format(i) for text in (ENGLISH, ADVERT, CHINESE) for i in range(start, start + 4)]


PARTS = [Part("2021", 0, texts_of(1000)), Part("2022", 0, texts_of(2000)), Part("2022", 1, [])]


def brought_up(folder, **filters):
    """A corpus after its filter stage, and the tasks that each job did in this run."""
    corpus = planted.corpus_of(folder, filter={"presets": []} | filters, dedup={"min_jaccard": 1.0})
    if not (folder / "clusters").exists():
        planted.plant(corpus, PARTS)
        planted.run(corpus, sign.JOB, match.JOB, cluster.JOB)
    tasks = {}
    for each in stages.jobs("filter", corpus.config):
        tasks[each.name] = sorted(task.name for task in job.state_of(each, corpus).pending)
        job.run(each, corpus)
    return corpus, tasks


def kept(folder):
    table = planted.table(folder, "decisions")
    return dict(zip(table["key"].to_pylist(), table["kept"].to_pylist()))


def test_columns_are_what_the_models_say_by_key(models, tmp_path):
    good, kinds = str(models / "good.bin"), str(models / "kinds.bin")
    quality = {
        "mills": {"model": good},
        "adverts": {"model": good, "label": "negative", "languages": ["en"]},
        "kinds": {"model": kinds, "classify": True, "sample_bytes": 64},
        "both": {"model": kinds, "label": "shop", "classify": True},
    }
    corpus, _ = brought_up(tmp_path, quality=quality)
    names = ["key", "language", "quality_mills", "quality_adverts", "label_kinds", "quality_both", "label_both"]
    files = annotated.files(corpus, names)
    tables = [annotated.read(corpus, inputs, names) for inputs in files.values()]
    assert all(table.column_names == names for table in tables)
    found = pa.concat_tables(tables).combine_chunks()
    texts = pa.array([text for part in PARTS for text in part.texts])
    assert found["quality_mills"].to_pylist() == QualityModel(good).score(texts).tolist()
    scores = QualityModel(good, "negative").score(texts)
    english = [language == "en" for language in found["language"].to_pylist()]
    assert any(english) and not all(english)
    expected = [score if inside else None for score, inside in zip(scores.tolist(), english)]
    assert found["quality_adverts"].to_pylist() == expected
    assert found["label_kinds"].to_pylist() == QualityModel(kinds, None, 64).judge(texts).labels.to_pylist()
    judged = QualityModel(kinds, "shop").judge(texts)
    assert found["quality_both"].to_pylist() == judged.scores.tolist()
    assert (
        found["label_both"].to_pylist()
        == judged.labels.to_pylist()
        == (["mill"] * 4 + ["shop"] * 4 + ["story"] * 4) * 2
    )
    some = found["key"].take([3, 9]).combine_chunks().to_numpy()
    assert annotated.read(corpus, files["dump=2021/part-00000"], names, some) == found.take([3, 9])
    assert set(kept(tmp_path).values()) == {True}  # without a threshold models only annotate

    details = corpus.manifest("quality")["details"]["models"]
    assert (details["adverts"]["judged"], details["adverts"]["documents"]) == (sum(english), 24)
    assert sum(details["mills"]["scores"]["documents"]) == 24
    assert sum(details["mills"]["scores"]["text_bytes"]) == sum(len(text.as_py().encode()) for text in texts)
    labels = {label: row["documents"] for label, row in details["kinds"]["labels"].items()}
    assert labels == Counter(found["label_kinds"].to_pylist())
    json.dumps(details, allow_nan=False)


def test_thresholds_and_labels_are_rules(models, tmp_path):
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(RULE))
    quality = {
        "mills": {"model": str(models / "good.bin"), "minimum": 0.5, "languages": ["en"]},
        "kinds": {"model": str(models / "kinds.bin"), "classify": True},
    }
    out = tmp_path / "out"
    corpus, _ = brought_up(out, quality=quality)
    table = planted.table(out, "decisions")
    reasons = ([None] * 4 + ["quality/mills"] * 4 + [None] * 4) * 2
    assert table["rule"].to_pylist() == reasons  # Chinese documents are not asked
    corpus, tasks = brought_up(out, quality=quality, presets=[str(tmp_path / "own.yaml")])
    assert (tasks["annotate"], tasks["quality"]) == ([], [])
    assert planted.table(out, "decisions")["rule"].to_pylist() == ([None] * 4 + ["own/kind"] * 8) * 2
    funnel = {row["rule"]: row for row in corpus.manifest("decisions")["details"]["funnel"]}
    assert funnel["quality/mills"]["failing"] == 8


def test_a_threshold_by_language(models, tmp_path):
    quality = {"mills": {"model": str(models / "good.bin"), "minimum": 0.5}}
    brought_up(tmp_path, quality=quality)
    chinese = planted.table(tmp_path, "decisions").filter(pc.field("language") == "zh")
    assert len(set(chinese["kept"].to_pylist())) == 1
    other = {"zh": {"quality": {"mills": 0 if not chinese["kept"][0].as_py() else 1}}}
    _, tasks = brought_up(tmp_path, quality=quality, by_language=other)
    assert tasks["quality"] == []
    changed = planted.table(tmp_path, "decisions").filter(pc.field("language") == "zh")
    assert changed["kept"].to_pylist() == [not value for value in chinese["kept"].to_pylist()]


def test_one_more_model_measures_nothing_else_again(models, tmp_path):
    parts = ["dump=2021/part-00000", "dump=2022/part-00000", "dump=2022/part-00001"]
    one = {"mills": {"model": str(models / "good.bin"), "minimum": 0.5}}
    two = one | {"kinds": {"model": str(models / "kinds.bin"), "classify": True}}
    _, tasks = brought_up(tmp_path)
    assert set(tasks) == {"annotate", "decide", "select"} and not (tmp_path / "quality").exists()
    _, tasks = brought_up(tmp_path, quality=one)
    assert tasks == {
        "annotate": [],
        "quality": [f"mills/{part}" for part in parts],
        "decide": parts,
        "select": tasks["select"],
    }
    _, tasks = brought_up(tmp_path, quality=two)  # no rule asks it
    assert tasks == {"annotate": [], "quality": [f"kinds/{part}" for part in parts], "decide": [], "select": []}
    two["mills"]["minimum"] = 0.9
    _, tasks = brought_up(tmp_path, quality=two)
    assert tasks["annotate"] == tasks["quality"] == [] and tasks["decide"] == parts
    two["kinds"]["label"] = "shop"
    _, tasks = brought_up(tmp_path, quality=two)
    assert tasks["quality"] == [f"kinds/{part}" for part in parts] and tasks["decide"] == []
    _, tasks = brought_up(tmp_path, quality=one | {"mills": two["mills"]})
    assert tasks["quality"] == tasks["decide"] == []
    assert not (tmp_path / "quality" / "kinds" / "dump=2021" / "part-00000.parquet").exists()


def test_a_model_whose_content_changes_is_asked_again(models, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes((models / "good.bin").read_bytes())
    quality = {"mine": {"model": str(path), "minimum": 0.5}}
    brought_up(tmp_path / "out", quality=quality)
    before = kept(tmp_path / "out")
    path.write_bytes((models / "good.bin").read_bytes())
    _, tasks = brought_up(tmp_path / "out", quality=quality)
    assert tasks["quality"] == []
    texts = {"positive": [ADVERT, CHINESE], "negative": [ENGLISH]}
    classes = {kind: pa.array([t.format(i) for t in each for i in range(99)]) for kind, each in texts.items()}
    train(classes, path, Settings(dimension=8, epochs=5, held_out=0))
    _, tasks = brought_up(tmp_path / "out", quality=quality)
    assert len(tasks["quality"]) == 3
    assert kept(tmp_path / "out") != before


def test_scores_do_not_depend_on_how_texts_are_batched(models):
    texts = pa.array([text for part in PARTS for text in part.texts])
    model = QualityModel(models / "good.bin")
    one_by_one = np.concatenate([model.score(texts.slice(i, 1)) for i in range(len(texts))])
    assert (one_by_one == model.score(texts)).all()
