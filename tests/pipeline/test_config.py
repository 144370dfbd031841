"""The corpus configuration: what is refused, and in which words."""

import json

import pytest
import yaml

from pipeline import config
from pipeline.errors import ConfigError
from pipeline.sources.paths import expand

MINIMAL = {"name": "tiny", "output": "out", "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}]}


def refused(change: dict) -> str:
    raw = json.loads(json.dumps(MINIMAL))
    for path, value in change.items():
        *parents, last = path.split(".")
        place = raw
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[last] = value
    with pytest.raises(ConfigError) as caught:
        config.parse(raw, "corpus.yaml")
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
        ({"dedup.verify": 1.7}, "dedup.verify: input should be less than or equal to 1, not 1.7"),
        ({"dedup.bands": 0}, "dedup.bands: input should be greater than or equal to 1, not 0"),
        ({"dedup.bands": "many"}, "dedup.bands: input should be a valid integer"),
        ({"mix.sources": {"web": 0.5}}, "mix.sources adds up to 0.5, not to 1"),
        ({"mix.sources": {"wep": 1.0}}, "mix.sources.wep is no source; did you mean `web`?"),
        ({"filter.presets": ["gopher-qualty"]}, "gopher-quality"),
        ({"filter.overrides": {"gopher": {}}}, "filter.overrides.gopher: this preset is not among filter.presets"),
        ({"filter.overrides": {"gopher-quality": {"no-such-rule": 1}}}, "filter.presets:"),
        ({"tokenizer.pretokenizer": "deepsek-llm"}, "did you mean `deepseek-llm`?"),
        ({"sources": []}, "sources: list should have at least 1 item"),
        ({"sources.0.paths": []}, "sources[0]: needs `paths` or `path_lists`"),
        ({"sources.0.columns": {"txt": "body"}}, "`txt` is no document field; did you mean `text`?"),
        ({"name": "a b"}, "name: string should match pattern"),
    ],
)
def test_refusals_name_the_key_and_the_remedy(change, told):
    assert told in refused(change)


def test_a_missing_key_says_what_it_is_for():
    with pytest.raises(ConfigError, match=r"output: field required \(Folder for everything that is made"):
        config.parse({"name": "x", "sources": MINIMAL["sources"]})


def test_every_problem_has_its_line():
    assert len(refused({"dedub": 1, "dedup.bands": 0, "sources.0.format": "x"}).splitlines()) == 3


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path):
    path = tmp_path / "corpus.yaml"
    raw = MINIMAL | {"tokenizer": {"path": "../tok"}, "output": "s3://bucket/out"}
    path.write_text(yaml.safe_dump(raw))
    loaded = config.load(path)
    assert loaded.sources[0].paths == [str(tmp_path / "*.wet.gz")]
    assert loaded.tokenizer.path == str(tmp_path.parent / "tok")
    assert loaded.output == "s3://bucket/out"


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path):
    folder = tmp_path / "a[b]*"
    folder.mkdir()
    (folder / "one.wet.gz").write_bytes(b"")
    own = {"name": "own", "rules": [{"name": "min-words", "statistic": "words", "minimum": 3}]}
    (folder / "own.yaml").write_text(yaml.safe_dump(own))
    (folder / "corpus.yaml").write_text(yaml.safe_dump(MINIMAL | {"filter": {"presets": ["own.yaml"]}}))
    loaded = config.load(folder / "corpus.yaml")
    assert [file.path for file in expand(loaded.sources[0].paths)] == [str(folder / "one.wet.gz")]
    assert loaded.filter.presets == [str(folder / "own.yaml")]


def test_show_is_a_config_again_and_explains_every_key(tmp_path):
    path = tmp_path / "corpus.yaml"
    presets = {"presets": ["c4", {"name": "gopher-quality", "languages": ["en"]}]}
    path.write_text(yaml.safe_dump(MINIMAL | {"mix": {"sources": {"web": 1.0}}, "filter": presets}))
    loaded = config.load(path)
    shown = config.show(loaded)
    assert config.parse(yaml.safe_load(shown)) == loaded
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
        config.load(path)
    with pytest.raises(ConfigError, match=r"there is no such file; did you mean `corpus.yaml`\?"):
        config.load(tmp_path / "corpos.yaml")
