"""The corpus configuration: what is refused, and in which words."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from dedup.minhash import MinHashSettings, signatures
from filters.decisions import decide
from filters.mixture import draws, plan
from filters.mixture.targets import Wishes
from pipeline import config, config_file, manifests, rules
from pipeline.errors import ConfigError
from pipeline.jobs import annotate, train_tokenizer
from pipeline.sources.paths import expand
from tokenizer import shuffle
from training.config import training_config

MINIMAL = {"name": "tiny", "output": "out", "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}]}


LIMITS = {
    "dedup.seed": 2**63 - 1,
    "mix.seed": 2**63 - 1,
    "shards.seed": 2**63 - 1,
    "mix.total": 2**63 - 1,
    "tokenizer.min_frequency": 2**63 - 1,
    "tokenizer.model_vocabulary": 2**31 - 1,
    "tokenizer.vocabulary": 2**21 - 1,
    "shards.tokens_per_shard": 2**31,
}


def changed(change: dict) -> dict:
    raw = json.loads(json.dumps(MINIMAL))
    for path, value in change.items():
        *parents, last = path.split(".")
        place = raw
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[last] = value
    return raw


def refused(change: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        config_file.parse(changed(change), "corpus.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dedub": {}}, "corpus.yaml: dedub: there is no such key; did you mean `dedup`? (Removing copies"),
        ({"dedup.band": 3}, "dedup.band: there is no such key; did you mean `bands`? (Bands of the signature"),
        ({"filter.language.keeps": ["en"]}, "filter.language.keeps: there is no such key; did you mean `keep`?"),
        ({"sources.0.pathes": []}, "sources[0].pathes: there is no such key; did you mean `paths`?"),
        (
            {"sources.0.format": "docx"},
            "sources[0].format: input should be 'wet', 'warc', 'jsonl' or 'parquet', not 'docx'",
        ),
        ({"dedup.min_jaccard": 1.7}, "dedup.min_jaccard: input should be less than or equal to 1, not 1.7"),
        (
            {"dedup.min_jaccard": "0,7"},
            "dedup.min_jaccard: input should be a valid number, not '0,7' (The least",
        ),
        ({"dedup.scope": "per_dump"}, "not 'per_dump'; did you mean `per-dump`? (Whether"),
        ({"dedup.keep": "longst"}, "not 'longst'; did you mean `longest`? (Which"),
        (
            {"dedup.against": "../x"},
            "dedup.against: input should be a valid list, not '../x'; as a list it is `against: [../x]` (Output",
        ),
        ({"dedup.bands": 0}, "dedup.bands: input should be greater than or equal to 1, not 0"),
        ({"dedup": {"bands": 2, "rows": 65536}}, "bands × rows = 2 × 65536 = 131072 values, and 65536 is the most"),
        ({"dedup.max_pairs_in_memory": 2**30 + 1}, "in_memory: input should be less than or equal to 1073741824"),
        ({"dedup.bands": "many"}, "dedup.bands: input should be a valid integer"),
        ({"mix.sources": {"web": 0.5}}, "mix.sources: adds up to 0.5, not to 1"),
        ({"mix.sources": {"wep": 1.0}}, "mix.sources.wep is no source; did you mean `web`?"),
        ({"mix.sources.weights": {"wep": 1.0}}, "mix.sources.wep is no source; did you mean `web`?"),
        (
            {"mix.languages.temprature": 0.3},
            "mix.languages.temprature: there is no such key; did you mean `temperature`",
        ),
        (
            {"mix.languages": {"temperature": 0.3, "shares": {"en": 1}}},
            "mix.languages: `shares` and `temperature` exclude each other: give one of them",
        ),
        ({"mix.languages": {"shares": {"en": 1}, "at_least": {"en": 0.5}}}, "`at_least` has no effect on `shares`"),
        ({"mix.languages.at_least": {"en": 0.7, "zh": 0.7}}, "mix.languages: `at_least` adds up to 1.4, more than 1"),
        ({"mix.hosts": {"weights": {"a": 1}}}, "mix.hosts: needs `lists` or `files`"),
        (
            {"mix.hosts": {"lists": {"code": ["x.org"]}, "weights": {"cod": 1}}},
            "mix.hosts: `cod` is no list of hosts; did you mean `code`?",
        ),
        ({"mix.hosts": {"lists": {"other": ["x.org"]}}}, "mix.hosts: `other` stands for hosts of no list"),
        ({"mix.labels": {"topic": {}}}, "mix.labels: `topic` asks for nothing; give shares"),
        (
            {"mix.labels": {"topik": {"a": 1}}, "filter.quality": {"topic": {"model": "m.bin", "classify": True}}},
            "mix.labels.topik is no model of filter.quality that classifies; did you mean `topic`?",
        ),
        (
            {"mix.languages.weights": {"fi": 3}},
            "mix: `languages.weights.fi` repeats documents 3 times and `max_epochs` is",
        ),
        (
            {"mix.rehydrate": {"up_to": 10}},
            "mix: `rehydrate` repeats documents 10 times and `max_epochs` is 1: raise it",
        ),
        ({"mix.rehydrate": {}}, "mix.rehydrate: give either `weights` or `up_to`"),
        ({"mix.rehydrate": {"weights": {2: 2}}}, "begin with size 1"),
        ({"mix.unit": "token"}, "mix.unit: "),
        ({"filter.presets": ["gopher-qualty"]}, "gopher-quality"),
        ({"filter.overrides": {"gopher": {}}}, "filter.overrides.gopher: this preset is not among filter.presets"),
        (
            {"filter.overrides": {"gopher-quality": {"min-word": 1}}},
            "filter.overrides.gopher-quality: preset 'gopher-quality': unknown rule 'min-word'; did you mean",
        ),
        ({"tokenizer.pretokenizer": "deepsek-llm"}, "did you mean `deepseek-llm`?"),
        (
            {"tokenizer.pretokenizer": {"regex": "(a"}},
            "tokenizer.pretokenizer: regex '(a' is none that `tokenizers` reads: ",
        ),
        (
            {"tokenizer.pretokenizer": {"rgex": "a"}},
            "tokenizer.pretokenizer.rgex: there is no such key; did you mean `regex`?",
        ),
        ({"tokenizer.pretokenizer": 7}, "tokenizer.pretokenizer: input should be a valid string, not 7"),
        ({"sources": []}, "sources: list should have at least 1 item"),
        ({"sources.0.paths": []}, "sources[0]: needs `paths` or `path_lists`"),
        (
            {"sources.0.format": "jsonl", "sources.0.columns": {"txt": "body"}},
            "`txt` is no document field; did you mean `text`?",
        ),
        ({"name": "a b"}, "name: string should match pattern"),
        (
            {"filter.presets": [{"name": "c4", "langauges": ["en"]}]},
            "filter.presets[0].langauges: there is no such key;",
        ),
        ({"filter.presets": [5]}, "filter.presets[0]: input should be a valid string, not 5"),
        (
            {"filter.presets": [{"name": "c4", "languages": []}]},
            "filter.presets[0].languages: list should have at least",
        ),
        ({"filter.presets": [{"name": "c4", "label": "a/b"}]}, "filter.presets[0].label: string should match pattern"),
        (
            {"filter.presets": ["c4", "fineweb", "c4"]},
            "filter.presets[2]: `c4` is filter.presets[0] already; give one of",
        ),
        (
            {"filter.presets": ["c4", {"name": "fineweb", "label": "c4"}]},
            "filter.presets[1]: `c4` is filter.presets[0]",
        ),
        ({"filter.presets": [{"name": "c4", "label": "quality"}]}, "filter.presets[0]: `quality` is what rules of the"),
        ({"filter.presets": ["c4", "own.yaml"]}, "filter.presets[1]: preset 'own.yaml': no such file"),
        (
            {"sources.0.columns": {"text": "body"}},
            "sources[0].columns: has no effect on wet files, which have no columns; leave it out",
        ),
        ({"sources.0.base": "https://x/"}, "sources[0].base: has no effect without `path_lists`"),
        (
            {"filter.language.keep": ["en", "de"], "mix.languages": {"en": 0.5, "zh": 0.5}},
            "mix.languages.zh has no documents: filter.language.keep leaves only en, de",
        ),
        (
            {"filter.language.keep": ["en"], "mix.languages": {"en": 0.5, "other": 0.5}},
            "mix.languages.other has no documents: filter.language.keep leaves only those named",
        ),
        (
            {"tokenizer": {"vocabulary": 1000, "model_vocabulary": 1014}},
            "tokenizer.model_vocabulary: 1,014 rows are too few for the vocabulary of 1,000 and 15 special tokens: "
            "give at least 1,015",
        ),
        ({"tokenizer": {"path": "t", "vocabulary": 1000}}, "tokenizer.vocabulary: 1000 has no effect: tokenizer.path"),
        ({"tokenizer": {"path": "t", "strict": True}}, "tokenizer.strict: true has no effect"),
        ({"tokenizer": {"path": "t", "min_frequency": 3}}, "tokenizer.min_frequency: 3 has no effect"),
        ({"tokenizer": {"path": "t", "model_vocabulary": 102400}}, "tokenizer.model_vocabulary: 102400 has no effect"),
        ({"tokenizer": {"path": "t", "pretokenizer": "gpt2"}}, "tokenizer.pretokenizer: 'gpt2' has no effect"),
        *[
            ({key: limit + 1}, f"{key}: input should be less than or equal to {limit}, not {limit + 1}")
            for key, limit in LIMITS.items()
        ],
        *[
            (
                {"shards": {"validation_share": validation, "test_share": test}},
                f"`validation_share` {validation} and `test_share` {test} together leave no documents to train on: "
                "lower one of them, their sum must be below 1",
            )
            for validation, test in [(1, 0), (0, 1), (0.5, 0.5), (0.75, 0.5)]
        ],
        *[
            ({key: float("nan")}, f"{key}: input should be ")
            for key in (
                "mix.max_epochs",
                "dedup.min_jaccard",
                "filter.language.minimum_score",
                "shards.validation_share",
            )
        ],
    ],
)
def test_refusals_name_the_key_and_the_remedy(change, told):
    assert told in refused(change)


def test_the_largest_numbers_that_are_allowed_work():
    largest = config_file.parse(changed(LIMITS))
    keys, texts = np.arange(8, dtype=np.uint64), pa.array(["to be or not to be that is the question"] * 8)
    seed = largest.dedup.seed
    signatures(texts, MinHashSettings(seed=1))  # the kernels are compiled for a small seed already
    draws.buckets_of(keys, 0)
    assert len(set(signatures(texts, MinHashSettings(seed=seed)).minima[:, 0].tolist())) == 1
    assert len(set(draws.buckets_of(keys, largest.mix.seed).tolist())) == 8
    assert len(set(shuffle.shuffle_hash(keys, 0, largest.shards.seed).tolist())) == 8
    assert len(shuffle.splits_of(keys, largest.shards.seed, 0.5)) == len(keys)
    assert plan.plan({("web",): 10**6}, {"source": Wishes()}, total=largest.mix.total).total == 10**6


def filters(**settings) -> config.Filter:
    return config_file.parse(MINIMAL | {"filter": settings}).filter


def test_a_preset_can_be_used_twice_and_each_use_has_its_thresholds():
    uses = [{"name": "c4", "languages": ["en"]}, {"name": "c4", "languages": ["de", "fr"]}, "fineweb"]
    overrides = {"c4": {"sentences": 4, "length": 9}, "c4-de-fr": {"sentences": 2}}
    english, other, fineweb = rules.presets_of(filters(presets=uses, overrides=overrides))
    assert [english.name, other.name, fineweb.name] == ["c4-en", "c4-de-fr", "fineweb"]
    assert [english.languages, other.languages, fineweb.languages] == [("en",), ("de", "fr"), None]
    thresholds = [{rule.name: rule.threshold for rule in preset.rules} for preset in (english, other)]
    assert [each["sentences"] for each in thresholds] == [4, 2]
    assert [each["length"] for each in thresholds] == [9, 9]
    labelled = filters(presets=["c4", {"name": "c4", "label": "strict"}], overrides={"strict": {"sentences": 9}})
    assert [preset.name for preset in rules.presets_of(labelled)] == ["c4", "strict"]
    assert [preset.rules[0].threshold for preset in rules.presets_of(labelled)] == [3, 9]


def test_uses_of_a_preset_of_ones_own_are_named_by_what_it_says_inside(tmp_path):
    own = {"name": "own", "rules": [{"name": "min-words", "statistic": "words", "minimum": 3}]}
    (tmp_path / "file.yaml").write_text(yaml.safe_dump(own))
    use = {"presets": ["file.yaml"], "overrides": {"file.yaml": {"min-words": 5}}}
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(MINIMAL | {"filter": use}))
    [preset] = rules.presets_of(config_file.load(tmp_path / "corpus.yaml").filter)
    assert (preset.name, preset.rules[0].threshold) == ("own", 5)


def test_line_rules_are_changed_in_a_config_too():
    changes = {"lines.min_words": 3, "lines.end_marks": ".", "lines.refuse_ellipsis": False, "length": None}
    [c4] = rules.presets_of(filters(presets=["c4"], overrides={"c4": changes}))
    assert (c4.lines.min_words, c4.lines.end_marks, c4.lines.refuse_ellipsis) == (3, ".", False)
    with pytest.raises(ConfigError, match=r"filter.overrides.c4: .*'sentences': the threshold must be a number"):
        filters(presets=["c4"], overrides={"c4": {"sentences": True}})


def written(folder: Path, name: str, statistics: list[str]) -> str:
    own = [{"name": f"r{i}", "statistic": statistic, "minimum": 0} for i, statistic in enumerate(statistics)]
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, "rules": own}))
    return str(folder / f"{name}.yaml")


def test_there_can_be_any_number_of_rules(tmp_path):
    assert len(rules.presets_of(filters(presets=[written(tmp_path, "many", ["words"] * 300)]))[0].rules) == 300


def test_a_rule_needs_a_column_that_will_be_measured(tmp_path):
    asks = written(tmp_path, "asks", ["words", "quality_mine"])
    with pytest.raises(
        ConfigError, match=r"filter.presets\[1\]: rule asks/r1 asks for `quality_mine`, which is not measured"
    ):
        filters(presets=["c4", asks])
    asking = filters(presets=["c4", asks], quality={"mine": {"model": "m.bin"}})
    # What the check goes by is what there will be.
    measured = [field for field in rules.annotation_schema(asking) if field.name != "quality_mine"]
    assert [annotate.SCHEMA.field(field.name) for field in measured] == measured


@pytest.mark.parametrize(
    ("language", "kept"),
    [
        ({}, [0, 1, 2]),
        ({"keep": ["en"]}, [0]),
        ({"keep": ["en"], "minimum_score": 0.2}, [0, 1]),
        ({"minimum_score": 0.65}, [0, 2]),
        ({"minimum_score": 0.95}, [2]),
    ],
)
def test_the_least_score_of_a_language_holds_with_and_without_a_list(language, kept):
    columns = [pa.array(["en", "en", "zh"]), pa.array([0.9, 0.3, 0.99], pa.float32())]
    annotations = pa.table(columns, ["language", "language_score"])
    decisions = decide(annotations, rules.presets_of(filters(presets=[], language=language)))
    assert np.flatnonzero(decisions.first < 0).tolist() == kept


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_example_configs_are_right(path):
    assert config_file.load(path).name


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("training/*.yaml")), ids=lambda path: path.stem)
def test_the_training_configs_are_right(path):
    assert training_config(yaml.safe_load(path.read_text("utf-8"))).total_steps > 0


def test_a_missing_key_says_what_it_is_for():
    with pytest.raises(ConfigError, match=r"output: field required \(Folder for everything that is made"):
        config_file.parse({"name": "x", "sources": MINIMAL["sources"]})


def test_every_problem_has_its_line():
    assert len(refused({"dedub": 1, "dedup.bands": 0, "sources.0.format": "x"}).splitlines()) == 3


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path):
    path = tmp_path / "corpus.yaml"
    others = {"against": ["../other", "s3://bucket/other"]}
    raw = MINIMAL | {"tokenizer": {"path": "../tok"}, "output": "s3://bucket/out", "dedup": others}
    path.write_text(yaml.safe_dump(raw))
    loaded = config_file.load(path)
    assert loaded.sources[0].paths == [str(tmp_path / "*.wet.gz")]
    assert loaded.tokenizer.path == str(tmp_path.parent / "tok")
    assert loaded.output == "s3://bucket/out"
    assert loaded.dedup.against == [str(tmp_path.parent / "other"), "s3://bucket/other"]
    assert yaml.safe_load(config_file.show(loaded))["dedup"]["against"] == loaded.dedup.against


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for there in ("", f"; did you mean {folder}.yaml?"):
        with pytest.raises(ConfigError) as caught:
            config_file.load(folder)
        assert str(caught.value) == f"{folder}: is a folder, and the YAML file of a corpus is wanted{there}"
        (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(MINIMAL))


def test_ids_of_special_tokens_go_by_their_order_in_the_file():
    def of(*names: str) -> config.CorpusConfig:
        return config_file.parse(MINIMAL | {"tokenizer": {"special_tokens": {name: f"<{name}>" for name in names}}})

    for names in (["end", "begin", "pad"], ["pad", "end", "begin"]):
        shown = config_file.parse(yaml.safe_load(config_file.show(of(*names))))
        assert list(shown.tokenizer.special_tokens) == names
    ahead, behind = (train_tokenizer.settings_of(of(*names)) for names in (["end", "begin"], ["begin", "end"]))
    assert manifests.fingerprint(ahead) != manifests.fingerprint(behind)


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path):
    folder = tmp_path / "a[b]*"
    folder.mkdir()
    (folder / "one.wet.gz").write_bytes(b"")
    own = {"name": "own", "rules": [{"name": "min-words", "statistic": "words", "minimum": 3}]}
    (folder / "own.yaml").write_text(yaml.safe_dump(own))
    (folder / "corpus.yaml").write_text(yaml.safe_dump(MINIMAL | {"filter": {"presets": ["own.yaml"]}}))
    loaded = config_file.load(folder / "corpus.yaml")
    assert [file.path for file in expand(loaded.sources[0].paths)] == [str(folder / "one.wet.gz")]
    assert loaded.filter.presets == [str(folder / "own.yaml")]


def test_show_is_a_config_again_and_explains_every_key(tmp_path):
    path = tmp_path / "corpus.yaml"
    presets = {"presets": ["c4", {"name": "c4", "languages": ["en"]}], "overrides": {"c4-en": {"sentences": 5}}}
    path.write_text(yaml.safe_dump(MINIMAL | {"mix": {"sources": {"web": 1.0}}, "filter": presets}))
    loaded = config_file.load(path)
    shown = config_file.show(loaded)
    assert config_file.parse(yaml.safe_load(shown)) == loaded
    for text in (config.Dedup.model_fields["bands"].description, config.Source.model_fields["base"].description):
        assert f"# {text}" in shown


def test_every_field_has_a_help_text_that_reaches_the_schema():
    schema = config.CorpusConfig.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    fields = [(section["title"], name, field) for section in sections for name, field in section["properties"].items()]
    assert len(fields) > 40
    help_of = {f"#/$defs/{name}": section.get("description") for name, section in schema["$defs"].items()}
    unexplained = [
        (title, name)
        for title, name, field in fields
        if not (field.get("description") or help_of.get(field.get("$ref")))
    ]
    assert unexplained == []


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe", b"just text", b""])
def test_a_file_that_is_no_config(tmp_path, content):
    path = tmp_path / "corpus.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"corpus\.yaml: "):
        config_file.load(path)
    with pytest.raises(ConfigError, match=r"there is no such file; did you mean `corpus.yaml`\?"):
        config_file.load(tmp_path / "corpos.yaml")
