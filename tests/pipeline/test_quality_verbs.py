"""`gristmill quality` on real pages: a model that is trained, judged and cut, and one line for what is refused."""

import contextlib
import hashlib
import io
import json
import re
import shutil
import sys

import numpy as np
import planted
import pyarrow as pa
import pytest
import quality_examples
from command_line import Said, gristmill
from planted import Part

from filters.quality import QualityModel
from filters.quality_threshold import find_cut
from pipeline import cli, config_file
from pipeline.jobs import annotate, cluster, match, quality, sign

pytest.importorskip("fasttext_pybind")

CLASSES = ("--positive", "good.jsonl", "--negative", "other.jsonl")
SETTINGS = ("--sample-bytes", 2000, "--dimension", 16, "--epochs", 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared_data):
    """Good documents are the English pages of one snapshot dump, others are crawled or noised."""
    made = tmp_path_factory.mktemp("quality")
    good = quality_examples.english(shared_data / "dumps" / "2025-07-01.warc.wet.gz")
    quality_examples.write_jsonl(made / "good.jsonl", good)
    quality_examples.write_jsonl(made / "other.jsonl", quality_examples.other(shared_data, good))
    (made / "broken.jsonl").write_text('{"text": "a good line"}\n{"text": \n{"text": 5}\n')
    (made / "fields.jsonl").write_text('{"content": "a text"}\n')
    (made / "empty.jsonl").write_text("")
    said = gristmill("quality", "train", *CLASSES, "--out", "quality.bin", *SETTINGS, folder=made)
    assert said.code == 0, said.err
    assert said.out == "quality.bin\n"
    (made / "said.txt").write_text(said.err)
    return made


@pytest.fixture
def verb(monkeypatch):
    """Runs a verb in this process, which has imported what it needs: a program of its own takes two seconds a call."""

    def run(*arguments, folder):
        monkeypatch.setattr(sys, "argv", ["gristmill", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.chdir(folder)
        monkeypatch.setattr(cli.quiet, "quieten", lambda: None)  # the log of this process stays as it is
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return Said(ended.value.code, out.getvalue(), err.getvalue())

    return run


def texts(path):
    return pa.array([json.loads(line)["text"] for line in path.read_text().splitlines()])


def test_training_tells_how_it_does_on_real_pages_that_it_has_not_seen(folder):
    report = json.loads((folder / "quality.bin.json").read_text())
    found = report["held_out"]["evaluation"]
    # Most noised pages are told from their originals by what stands beside what; words alone give .46 here.
    assert found["roc_auc"] > 0.7
    assert found["positives"] + found["negatives"] > 60
    shown = (folder / "said.txt").read_text()
    assert re.search(rf"roc auc +{found['roc_auc']:.4f}", shown)
    assert f"positive: {report['classes']['positive']['trained']} documents to learn from" in shown
    assert report["model"]["sha256"] == hashlib.sha256((folder / "quality.bin").read_bytes()).hexdigest()
    assert report["classes"]["negative"]["files"] == ["other.jsonl"]


def test_evaluation_as_lines_as_json_and_as_a_page(verb, folder):
    call = ("quality", "evaluate", "quality.bin", *CLASSES, "--minimum", 0.4, "--sample-bytes", 2000)
    lines, as_json = verb(*call, folder=folder), verb(*call, "--json", "--html", "pages/it.html", folder=folder)
    assert lines.code == as_json.code == 0, lines.err + as_json.err
    judged = json.loads(as_json.out)
    found = judged["labels"]["positive"]["evaluation"]
    model = QualityModel(folder / "quality.bin", "positive", 2000)
    good, other = (model.score(texts(folder / name)) for name in ("good.jsonl", "other.jsonl"))
    assert (found["positives"], found["negatives"]) == (len(good), len(other))
    assert found["recall"] == (good >= np.float32(0.4)).mean()
    assert found["roc_auc"] == pytest.approx(np.mean(good[:, None] > other) + np.mean(good[:, None] == other) / 2)
    assert re.search(rf"^precision +{found['precision']:.4f}$", lines.out, re.MULTILINE)
    for row in judged["labels"]["positive"]["calibration"]:
        assert not row["documents"] or f"{row['good']:.1%}" in lines.out
    assert max(map(len, lines.out.splitlines())) <= 80
    page = (folder / "pages" / "it.html").read_text()
    assert all(title in page for title in ("ROC curve", "Precision and recall", "Calibration", "Scores of positive"))
    assert f"{found['roc_auc']:.3f}" in page


def test_a_threshold_keeps_what_it_says(verb, folder):
    call = ("quality", "threshold", "quality.bin", "--text", "other.jsonl", "--text", "good.jsonl")
    by_documents, by_bytes, sampled, lines = (
        verb(*call, *more, folder=folder)
        for more in (
            ("--keep", "30%", "--json"),
            ("--keep", 0.3, "--by", "bytes", "--json"),
            ("--sample", "25%", "--json"),
            ("--keep", "30%"),
        )
    )
    both = pa.concat_arrays([texts(folder / name) for name in ("other.jsonl", "good.jsonl")])
    scores = QualityModel(folder / "quality.bin").score(both)
    sizes = np.array([len(text.encode()) for text in both.to_pylist()])
    assert json.loads(by_documents.out) == pytest.approx(find_cut(scores, 0.3)._asdict())
    assert json.loads(by_bytes.out) == pytest.approx(find_cut(scores, 0.3, sizes)._asdict())
    assert 0.15 < json.loads(sampled.out)["documents"] / len(both) < 0.35
    cut = json.loads(by_documents.out)
    assert f"minimum  {cut['minimum']}\n" in lines.out
    assert f"{cut['kept_documents']} of {len(both)} documents" in lines.out
    assert f"± {1.96 * cut['error']:.1%}" in lines.out


def test_a_threshold_from_the_scores_of_a_corpus(verb, folder, tmp_path):
    """Of all documents or of one language, without a text being read: the documents are gone by then."""
    planted_corpus = planted.corpus_of(
        tmp_path / "out",
        filter={"presets": [], "quality": {"edu": {"model": str(folder / "quality.bin")}}},
        dedup={"min_jaccard": 1.0},
    )
    chinese = [f"磨坊主在两块石头之间磨谷物，然后筛面粉，这是第{i}个故事。" for i in range(9)]
    pages = [page[:3000] for page in texts(folder / "good.jsonl").to_pylist()[:60]]
    planted.plant(planted_corpus, [Part("a", 0, pages), Part("a", 1, chinese)])
    planted.run(planted_corpus, sign.JOB, match.JOB, cluster.JOB, annotate.JOB, quality.JOB)
    shutil.rmtree(tmp_path / "out" / "documents" / "dump=a")
    (tmp_path / "corpus.yaml").write_text(config_file.show(planted_corpus.config))
    call = ("quality", "threshold", "--corpus", "corpus.yaml", "--model", "edu", "--keep", "30%")
    annotations = planted.table(tmp_path / "out", "annotations")
    scores = planted.table(tmp_path / "out" / "quality", "edu")["quality_edu"].to_numpy()
    found = verb(*call, "--json", folder=tmp_path)
    assert json.loads(found.out) == pytest.approx(find_cut(scores, 0.3)._asdict()), found.err
    by_bytes = verb(*call, "--json", "--by", "bytes", folder=tmp_path)
    sizes = annotations["text_bytes"].to_numpy()
    assert json.loads(by_bytes.out) == pytest.approx(find_cut(scores, 0.3, sizes)._asdict())
    inside = np.array([language == "zh" for language in annotations["language"].to_pylist()])
    assert 0 < inside.sum() < len(inside)
    one = verb(*call, "--language", "zh", folder=tmp_path)
    assert f"of {inside.sum()} documents" in one.out and "there is no sampling error" in one.out
    assert "is in `zn`; did you mean `zh`?" in verb(*call, "--language", "zn", folder=tmp_path).err


def test_a_classifier_of_domains(verb, folder, tmp_path):
    pages = texts(folder / "good.jsonl").to_pylist()
    kinds = {"vue": "vue", "rust": "rust", "script": "javascript"}
    named: dict[str, list[str]] = {kind: [] for kind in kinds}
    for page in pages:
        counts = {kind: page.lower().count(word) for kind, word in kinds.items()}
        if sum(count > 2 for count in counts.values()) == 1:
            named[max(counts, key=counts.get)].append(page)
    named = {kind: found for kind, found in named.items() if len(found) > 20}
    assert len(named) >= 2
    classes = []
    for kind, found in named.items():
        quality_examples.write_jsonl(tmp_path / f"{kind}.jsonl", found)
        classes += ["--class", f"{kind}={kind}.jsonl"]
    trained = verb("quality", "train", *classes, "--out", "domains.bin", *SETTINGS, folder=tmp_path)
    assert trained.code == 0, trained.err
    judged = verb("quality", "evaluate", "domains.bin", *classes, "--json", "--html", "d.html", folder=tmp_path)
    assert judged.code == 0, judged.err
    found = json.loads(judged.out)
    assert found["classification"]["accuracy"] > 0.9
    assert {row["label"]: row["documents"] for row in found["classification"]["labels"]} == {
        kind: len(pages) for kind, pages in named.items()
    }
    shown = verb("quality", "evaluate", "domains.bin", *classes, folder=tmp_path)
    assert f"accuracy {found['classification']['accuracy']:.4f}" in shown.out
    assert "By label" in (tmp_path / "d.html").read_text()


def test_records_that_are_no_documents_are_told(verb, folder, tmp_path):
    classes = ("--positive", folder / "broken.jsonl", "--negative", folder / "good.jsonl")
    said = verb("quality", "train", *classes, "--out", "q.bin", "--epochs", 1, folder=tmp_path)
    assert said.code == 0, said.err
    assert "broken.jsonl: 2 records are left out, the first for " in said.err
    assert "no metrics, for not every class has documents held out" in said.err


def test_what_is_wrong_is_one_line(verb, folder, tmp_path):
    model, train, evaluate = folder / "quality.bin", ("quality", "train", "--out", "m.bin"), ("quality", "evaluate")
    good, other = folder / "good.jsonl", folder / "other.jsonl"
    both = ("--positive", good, "--negative", other)
    (tmp_path / "text.bin").write_text("no model")
    corpus = {"name": "c", "output": "out", "sources": [{"name": "web", "format": "jsonl", "paths": ["x.jsonl"]}]}
    corpus["filter"] = {"quality": {"edu": {"model": str(model)}, "kinds": {"model": str(model), "classify": True}}}
    (tmp_path / "corpus.yaml").write_text(json.dumps(corpus))
    (tmp_path / "cut.bin").write_bytes(model.read_bytes()[:5000])
    cases = {
        (*train, "--positive", good): (2, "--negative: no files; give both --positive and --negative, or --class"),
        (*train, *both, "--class", "a=b"): (2, "--class takes the place of --positive and --negative"),
        (*train, "--class", f"a={good}"): (2, "--class: a alone has nothing to be told apart from"),
        (*train, "--class", "a"): (2, "--class: 'a' is no NAME=FILES"),
        (*train, *both, "--held-out", "110%"): (2, "--held-out: '110%' is no share; give one such as 10% or 0.1"),
        (*train, "--positive", folder / "empty.jsonl", "--negative", other): (1, "no positive documents with text"),
        (*train, "--positive", folder / "fields.jsonl", "--negative", other): (2, "fields.jsonl.*`text`"),
        (*train, "--positive", "none-*.jsonl", "--negative", other): (2, "none-"),
        (*evaluate, "quality.bun", *both): (2, "quality.bun: there is no such file"),
        (*evaluate, "text.bin", *both): (1, "text.bin.* is not a fastText model"),
        (*evaluate, "cut.bin", *both): (1, "cut.bin.* is cut short or damaged"),
        (*evaluate, model, *both, "--label", "positif"): (1, "unknown label 'positif'; did you mean 'positive'"),
        (*evaluate, model, "--class", f"good={good}", "--class", f"x={other}"): (1, "unknown label 'good'"),
        (*evaluate, model, "--positive", folder / "empty.jsonl", "--negative", other): (1, "no documents in it for po"),
        ("quality", "threshold", model): (2, "give a MODEL and --text, or --corpus and --model"),
        ("quality", "threshold", model, "--text", good, "--model", "edu"): (
            2,
            "--model and --language belong",
        ),
        ("quality", "threshold", model, "--corpus", "corpus.yaml"): (2, "--corpus takes the place of MODEL and --text"),
        ("quality", "threshold", "--corpus", "corpus.yaml"): (2, "--model: say which; .* has edu"),
        ("quality", "threshold", "--corpus", "corpus.yaml", "--model", "ede"): (2, "no model `ede` .*mean `edu`"),
        ("quality", "threshold", "--corpus", "corpus.yaml", "--model", "edu"): (1, "is not finished: run"),
        ("quality", "threshold", model, "--text", good, "--keep", "0"): (1, "a share of 0 cannot be kept"),
        ("quality", "threshold", model, "--text", good, "--keep", "ten"): (2, "--keep: 'ten' is no share"),
        ("quality", "threshold", model, "--text", good, "--by", "words"): (2, "--by: 'words' is unknown"),
        ("quality", "threshold", model, "--text", folder / "empty.jsonl"): (
            1,
            "no documents in it to find a threshold from",
        ),
    }
    before = sorted(path.name for path in tmp_path.iterdir())
    for call, (code, words) in cases.items():
        said = verb(*call, folder=tmp_path)
        assert said.code == code, (call, said)
        assert len(said.errors) == 1, (call, said.err)
        assert [line for line in said.err.splitlines() if not line.startswith(("! ", "error: "))] == []
        assert re.search(words, said.errors[0]), (call, said.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
