"""What a run needs is looked at before it begins: languages, models and tokens that are not there."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from filters import fasttext_model
from filters.language import LanguageIdentifier, default_model
from filters.quality_training import Settings, train
from pipeline import config_file, preflight
from pipeline.config import STAGES
from pipeline.errors import ConfigError
from tokenizer import formats
from tokenizer.merges import Merges
from tokenizer.pretokenizers import PRETOKENIZERS

FOLDER = str(Path(__file__).parent)  # there, and without a tokenizer
MINIMAL = {"name": "tiny", "output": "out", "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}]}


def check(stages=STAGES, **sections) -> None:
    preflight.check(config_file.parse(MINIMAL | sections), stages)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        (
            {"filter": {"language": {"keep": ["en", "eng"]}}},
            "filter.language.keep: the language model has no `eng`; did you mean `en`?",
        ),
        ({"filter": {"language": {"keep": ["zh-CN"]}}}, "did you mean `zh`?"),
        ({"filter": {"language": {"keep": ["EN"]}}}, "did you mean `en`?"),
        ({"filter": {"language": {"keep": ["klingon"]}}}, "has no `klingon`; its 176 labels are such as en, ru, de"),
        (
            {"filter": {"presets": ["c4", {"name": "fineweb", "languages": ["deu"]}]}},
            "filter.presets[1].languages: the language model has no `deu`; did you mean `de`?",
        ),
        ({"mix": {"languages": {"eng": 0.5, "other": 0.5}}}, "mix.languages: the language model has no `eng`"),
        (
            {"filter": {"language": {"model": "gs://models/lid.bin"}}},
            "filter.language.model: gs://models/lid.bin lies in a remote store, and models are read from local disk "
            "only: copy it",
        ),
        (
            {"filter": {"quality": {"edu": {"model": "s3://m/q.bin"}}}},
            "filter.quality.edu.model: s3://m/q.bin lies in a remote",
        ),
        ({"filter": {"language": {"model": "no.bin"}}}, "filter.language.model: fastText model 'no.bin': no such file"),
        ({"tokenizer": {"path": "nowhere"}}, "tokenizer.path: nowhere: No such file or directory"),
        ({"tokenizer": {"path": FOLDER}}, f"tokenizer.path: {FOLDER}/tokenizer.json: No such file or directory"),
    ],
)
def test_what_is_not_there_is_told_with_its_key(sections, told):
    with pytest.raises(ConfigError) as caught:
        check(**sections)
    assert told in str(caught.value)


def test_languages_that_documents_can_be_in_are_taken():
    check(filter={"language": {"keep": ["en", "zh", "und"]}, "presets": ["chinese"]}, mix={"languages": {"und": 1.0}})
    check(mix={"languages": {"en": 0.5, "other": 0.5}})


def test_languages_that_only_the_tokenizer_weighs_are_asked_for_too():
    weights = {"tokenizer": {"weights": {"languages": {"chinese": 3}}}}
    with pytest.raises(ConfigError, match=r"tokenizer.weights.languages: the language model has no `chinese`; "):
        check(["tokenizer"], **weights)
    check(["ingest"], **weights)


def test_a_tokenizer_that_cannot_be_extended_is_told_before_counting(tmp_path):
    base = formats.Tokenizer(PRETOKENIZERS["gpt2"], Merges(np.array([[1, 2], [2, 3]], np.int32), np.zeros(2, np.int64)))
    formats.save(base, tmp_path)
    given = {"extend": str(tmp_path), "pretokenizer": "gpt2", "vocabulary": 258}
    check(["tokenizer"], tokenizer=given)
    with pytest.raises(ConfigError, match=r"tokenizer.extend: vocabulary 257 is below the 258 tokens of the"):
        check(["tokenizer"], tokenizer=given | {"vocabulary": 257})
    with pytest.raises(ConfigError, match=r"tokenizer.extend: .* has the pre-tokenizer 'gpt2' and not 'deepseek-llm'"):
        check(["tokenizer"], tokenizer=given | {"pretokenizer": "deepseek-llm"})


def test_what_later_stages_need_is_left_to_them():
    check(("ingest", "dedup"), filter={"language": {"keep": ["eng"]}}, tokenizer={"path": "nowhere"})


def test_the_labels_of_a_model_are_read_without_its_matrices():
    assert fasttext_model.labels(default_model()) == LanguageIdentifier().model.labels
    with pytest.raises(ValueError, match="no such file"):
        fasttext_model.labels("no.bin")


def test_labels_of_a_cut_model_are_refused(tmp_path):
    cut = tmp_path / "cut.ftz"
    cut.write_bytes(default_model().read_bytes()[:5000])
    with pytest.raises(ValueError, match="cut short or damaged"):
        fasttext_model.labels(cut)


def test_languages_are_those_of_the_model_of_the_users_own(tmp_path):
    pytest.importorskip("fasttext_pybind")
    texts = [pa.array([f"{word} text of this kind number {i}" for i in range(40)]) for word in ("plain", "other")]
    classes = dict(zip(("positive", "negative"), texts))
    train(classes, tmp_path / "own.bin", Settings(dimension=4, epochs=1, held_out=0))
    own = {"model": str(tmp_path / "own.bin")}
    check(filter={"language": own | {"keep": ["positive"]}})
    with pytest.raises(
        ConfigError, match=r"filter.language.keep: the language model has no `en`; its 2 labels are such"
    ):
        check(filter={"language": own | {"keep": ["en"]}})
    with pytest.raises(ConfigError, match=r"filter.presets\[0\].languages: the language model has no `zh`"):
        check(filter={"language": own, "presets": ["chinese"]})


def test_quality_models_are_read_before_anything_runs(tmp_path):
    pytest.importorskip("fasttext_pybind")
    texts = [pa.array([f"{word} text of this kind number {i}" for i in range(40)]) for word in ("plain", "other")]
    path = tmp_path / "own.bin"
    train(dict(zip(("positive", "negative"), texts)), path, Settings(dimension=4, epochs=1, held_out=0))
    (tmp_path / "cut.ftz").write_bytes(default_model().read_bytes()[:100_000])
    (tmp_path / "text.bin").write_text("no model at all")
    vectors = bytearray(path.read_bytes())
    vectors[36:40] = (1).to_bytes(4, "little")  # the kind of model: cbow
    (tmp_path / "vectors.bin").write_bytes(bytes(vectors))
    wrong = {
        "own.bin": ({"label": "positiv"}, "unknown label 'positiv'; did you mean 'positive'?"),
        "none.bin": ({}, "none.bin': no such file"),
        "cut.ftz": ({"classify": True}, "cut.ftz' is cut short or damaged"),
        "text.bin": ({}, "text.bin' is not a fastText model (its first bytes are b'no m'); give a .bin or .ftz file"),
        "vectors.bin": ({}, "vectors.bin' holds word vectors, no classifier; train it with supervised labels"),
    }
    good = {"good": {"model": str(path)}}
    for name, (more, told) in wrong.items():
        models = {"quality": good | {"bad": {"model": str(tmp_path / name)} | more}}
        with pytest.raises(ConfigError) as caught:
            check(filter=models)
        assert str(caught.value).startswith("filter.quality.bad: ") and told in str(caught.value)
        check(("ingest", "dedup"), filter=models)  # dedup asks the model that it goes by, and no other
        chosen = {"keep": "best-quality", "quality": "good"}
        if "classify" not in more:
            check(("dedup",), filter=models, dedup=chosen)
            with pytest.raises(ConfigError, match=r"^filter\.quality\.bad: "):
                check(("dedup",), filter=models, dedup=chosen | {"quality": "bad"})
    check(filter={"quality": good | {"languages": {"model": str(default_model()), "classify": True}}})
    with pytest.raises(
        ConfigError, match=r"filter.quality.good.languages: the language model has no `eng`; did you mea"
    ):
        check(filter={"quality": {"good": good["good"] | {"languages": ["eng"]}}})
    with pytest.raises(ConfigError, match=r"filter.by_language.de, cn: the language model has no `cn`"):
        check(filter={"by_language": {"de, cn": {}}})


def test_a_given_tokenizer_must_have_the_tokens_that_shards_ask_for(tmp_path):
    merges = Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))
    whole = formats.Tokenizer(PRETOKENIZERS["deepseek-llm"], merges)
    formats.save(whole, tmp_path / "whole")
    formats.save(formats.Tokenizer(whole.pretokenizer, merges, {"end": "<end>"}), tmp_path / "plain")
    check(tokenizer={"path": str(tmp_path / "whole")}, shards={"begin_token": True})
    check(tokenizer={"path": str(tmp_path / "plain" / "tokenizer.json")})
    with pytest.raises(ConfigError, match=r"shards.begin_token: .*plain has no such token, only end: set it to false"):
        check(("tokenize",), tokenizer={"path": str(tmp_path / "plain")}, shards={"begin_token": True})
    (tmp_path / "plain" / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece"}}))
    with pytest.raises(ConfigError, match=r"tokenizer.path: .*model.type 'WordPiece' is not supported"):
        check(tokenizer={"path": str(tmp_path / "plain")})


def test_a_config_that_was_shown_can_be_run(tmp_path):
    formats.save(
        formats.Tokenizer(PRETOKENIZERS["deepseek-llm"], Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))),
        tmp_path,
    )
    shown = config_file.show(config_file.parse(MINIMAL | {"tokenizer": {"path": str(tmp_path)}}))
    preflight.check(config_file.parse(yaml.safe_load(shown)), STAGES)
