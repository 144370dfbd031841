# ruff: noqa: E501 (tables of examples)
"""`filter.by_language`: which presets and thresholds judge which language, and what such a config is refused for."""

import itertools
from collections import Counter
from pathlib import Path

import planted
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from planted import Part

from filters.decisions import judged
from pipeline import config_file, rules
from pipeline.config import Filter
from pipeline.errors import ConfigError
from pipeline.jobs import annotate, cluster, decide, match, sign
from pipeline.preset_uses import EVERYWHERE, Scope
from pipeline.sources.read import read_documents

MINIMAL = {"name": "tiny", "output": "out", "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}]}
CONFIGS = Path(__file__).parents[2] / "configs"
LANGUAGES = ["de", "en", "fr", "zh", "und"]


def filters(**settings) -> Filter:
    return config_file.parse(MINIMAL | {"filter": settings}).filter


def judging(config: Filter) -> dict[str, dict[str, float | None]]:
    """By language the rules that judge it, ``preset/rule`` as the config would name it, with their thresholds."""
    presets = rules.presets_of(config)
    found: dict[str, dict[str, float | None]] = {language: {} for language in LANGUAGES}
    for preset in presets:
        for language, asked in zip(LANGUAGES, judged(preset, pa.array(LANGUAGES)), strict=True):
            if asked:
                found[language] |= {f"{preset.name}/{rule.name}": rule.threshold for rule in preset.rules}
    return found


def test_five_languages_in_one_place():
    """Common rules for all; English, Chinese and the others by their own; German and French share theirs."""
    config = filters(
        presets=["gopher-repetition"],
        language={"keep": ["en", "zh", "de", "fr", "und"], "minimum_score": 0.6},
        overrides={"gopher-repetition": {"top-2-grams": 0.25}},
        by_language={
            "en": {"presets": ["gopher-quality", "fineweb"]},
            "zh": {
                "presets": ["chinese"],
                "overrides": {"gopher-repetition": {"top-2-grams": 0.4}},
                "minimum_score": 0.8,
            },
            "de, fr": {"presets": ["gopher-quality"], "overrides": {"gopher-quality": {"stop-words": None}}},
            "other": {"presets": ["fineweb"], "minimum_score": 0.3},
        },
    )
    found = judging(config)
    names = {language: {rule.partition("/")[0] for rule in found[language]} for language in LANGUAGES}
    assert names == {
        "en": {"language", "gopher-repetition", "gopher-quality-en", "fineweb-en"},
        "zh": {"language", "gopher-repetition-zh", "chinese"},
        "de": {"language", "gopher-repetition", "gopher-quality-de-fr"},
        "fr": {"language", "gopher-repetition", "gopher-quality-de-fr"},
        "und": {"language", "gopher-repetition", "fineweb-other"},
    }
    assert found["en"]["gopher-repetition/top-2-grams"] == found["und"]["gopher-repetition/top-2-grams"] == 0.25
    assert found["zh"]["gopher-repetition-zh/top-2-grams"] == 0.4
    assert found["zh"]["gopher-repetition-zh/top-3-grams"] == found["en"]["gopher-repetition/top-3-grams"]
    assert "gopher-quality-de-fr/stop-words" not in found["de"]
    assert found["en"]["gopher-quality-en/stop-words"] == 2
    scores = {
        language: [value for rule, value in found[language].items() if "/score" in rule] for language in LANGUAGES
    }
    assert scores == {"en": [0.6], "de": [0.6], "fr": [0.6], "zh": [0.8], "und": [0.3]}


def test_models_have_thresholds_by_language():
    config = filters(
        presets=[],
        quality={
            "edu": {"model": "edu.bin", "minimum": 0.5},
            "english": {"model": "en.bin", "minimum": 0.2, "languages": ["en"]},
            "noted": {"model": "noted.bin"},
        },
        by_language={
            "zh": {"quality": {"edu": 0.3, "noted": 0.1}},
            "de, fr": {"quality": {"edu": None}},
        },
    )
    assert judging(config) == {
        "en": {"quality/edu": 0.5, "quality/english": 0.2},
        "zh": {"quality/edu-zh": 0.3, "quality/noted-zh": 0.1},
        "de": {},
        "fr": {},
        "und": {"quality/edu": 0.5},
    }


def test_the_order_of_rules_is_that_of_the_config():
    config = filters(
        presets=["gopher-repetition", "fineweb"],
        by_language={"zh": {"presets": ["chinese"], "overrides": {"gopher-repetition": {"top-2-grams": 0.4}}}},
        quality={"edu": {"model": "edu.bin", "minimum": 0.5}},
        language={"keep": ["en", "zh"]},
    )
    order = [preset.name for preset in rules.presets_of(config)]
    repetition = ["gopher-repetition", "gopher-repetition-zh"]
    assert order == ["language", "language", *repetition, "fineweb", "chinese", "quality"]


scopes = st.builds(
    Scope,
    st.none() | st.frozensets(st.sampled_from(LANGUAGES)),
    st.frozensets(st.sampled_from(LANGUAGES)),
).map(lambda scope: scope if scope.only is None else Scope(scope.only - scope.but))


@given(scopes, scopes)
def test_scopes_are_sets_of_languages(one, other):
    def languages(scope):
        universe = {*LANGUAGES, "any other"}
        return (universe if scope.only is None else set(scope.only)) - scope.but

    assert languages(one.within(other)) == languages(one) & languages(other)
    assert languages(one.without(other)) == languages(one) - languages(other)
    assert one.empty == (not languages(one))


def scope_of(key, by_language) -> set[str]:
    """The languages that a key of ``by_language`` is about."""
    named = {name for other in by_language if other != "other" for name in other.split(", ")}
    return set(LANGUAGES) - named if key == "other" else set(key.split(", "))


groupings = st.lists(st.sampled_from(["en", "zh", "de, fr", "other"]), unique=True, max_size=4)


@given(groupings, groupings, st.none() | st.lists(st.sampled_from(["en", "zh", "de"]), min_size=1, unique=True))
def test_every_language_is_judged_by_one_threshold_of_a_rule(changed, scored, limited):
    """Whatever is divided, no language is judged twice by the same rule, and none falls between."""
    by_language: dict[str, dict] = {key: {} for key in [*changed, *scored]}
    use = "fineweb" if limited is None else {"name": "fineweb", "languages": limited}
    for place, key in enumerate(changed):
        by_language[key]["overrides"] = {"fineweb": {"short-lines": 0.1 + place / 100}}
    for place, key in enumerate(scored):
        by_language[key]["minimum_score"] = 0.2 + place / 100
    settings = {"presets": [use], "by_language": by_language, "language": {"minimum_score": 0.9}}
    without_effect = [key for key in changed if limited is not None and not scope_of(key, by_language) & set(limited)]
    if without_effect:
        with pytest.raises(ConfigError, match="does not judge"):
            filters(**settings)
        return
    config = filters(**settings)
    found = judging(config)
    for language in LANGUAGES:
        key = next((key for key in by_language if language in scope_of(key, by_language)), None)
        thresholds = [value for rule, value in found[language].items() if rule.endswith("/short-lines")]
        expected = 0.67 if key not in changed else 0.1 + changed.index(key) / 100
        assert thresholds == ([expected] if limited is None or language in limited else [])
        scores = [value for rule, value in found[language].items() if rule.startswith("language/score")]
        assert scores == [0.9 if key not in scored else 0.2 + scored.index(key) / 100]


def test_real_pages_are_judged_by_the_rules_of_their_language(shared_data, tmp_path):
    """As the example for English and Chinese has it: each page by its own presets, and Chinese not by English ones."""
    pages: dict[str, list[str]] = {"zh": [], "en": []}
    for batch in read_documents(str(shared_data / "dumps" / "2024-07-01.warc.wet.gz"), "wet"):
        for text in batch.documents["text"].to_pylist():
            pages["zh" if sum("\u4e00" <= c <= "\u9fff" for c in text) > 0.2 * len(text) else "en"].append(text)
    texts = [text for kind in pages for text in pages[kind][:120]]
    example = config_file.load(CONFIGS / "english-chinese.yaml").filter
    kept, english_only = {}, {"presets": ["gopher-repetition", "gopher-quality", "c4", "fineweb"]}
    for name, settings in (("routed", example.model_dump()), ("english", english_only)):
        corpus = planted.corpus_of(tmp_path / name, filter=settings, dedup={"min_jaccard": 1.0})
        planted.plant(corpus, [Part("2024", 0, texts)])
        planted.run(corpus, sign.JOB, match.JOB, cluster.JOB, annotate.JOB, decide.JOB)
        table = planted.table(tmp_path / name, "decisions")
        kept[name] = Counter(table.filter(table["kept"])["language"].to_pylist())
        if name == "english":
            continue
        names = [row["rule"].partition("/")[0] for row in corpus.manifest("decisions")["details"]["funnel"]]
        asked: dict[str, set[str]] = {"zh": set(), "en": set()}
        for language, failing in zip(table["language"].to_pylist(), table["failing"].to_pylist()):
            if language in asked:
                asked[language] |= {names[rule] for rule in failing}
        assert asked["zh"] <= {"language", "gopher-repetition-zh", "chinese"} and "chinese" in asked["zh"]
        assert (
            asked["en"] <= {"language", "gopher-repetition", "gopher-quality", "c4", "fineweb"} and "c4" in asked["en"]
        )
    assert kept["routed"]["zh"] > 60 > 10 > kept["english"]["zh"]
    assert kept["routed"]["en"] == kept["english"]["en"] > 0  # most of these hold code, and with it curly braces


def test_preset_files_are_found_from_the_folder_of_the_config(tmp_path):
    own = {"name": "own", "rules": [{"name": "min-words", "statistic": "words", "minimum": 3}]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    groups = {"zh": {"presets": ["own.yaml"], "overrides": {"own.yaml": {"min-words": 5}}}}
    quality = {"edu": {"model": "edu.bin"}}
    raw = MINIMAL | {"filter": {"presets": [], "by_language": groups, "quality": quality}}
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(raw))
    config = config_file.load(tmp_path / "corpus.yaml")
    [preset] = rules.presets_of(config.filter)
    assert (preset.name, preset.rules[0].threshold, preset.languages) == ("own", 5, ("zh",))
    assert config.filter.quality["edu"].model == str(tmp_path / "edu.bin")
    shown = config_file.parse(yaml.safe_load(config_file.show(config)))
    assert shown == config


EDU = {"edu": {"model": "edu.bin"}}
CLASSES = {"kinds": {"model": "kinds.bin", "classify": True}}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"by_language": {"zh": {"preset": []}}}, "filter.by_language.zh.preset: there is no such key; did you mean `presets`"),
        ({"by_language": {"zh": {"presets": ["chinees"]}}}, "filter.by_language.zh.presets[0]: unknown preset 'chinees'; did"),
        ({"by_language": {"zh": {"presets": ["c4"]}}}, "zh.presets[0]: `c4` judges these languages already, as filter.presets[2]"),
        ({"by_language": {"zh": {}, "de, zh": {}}}, "`zh` is named by `zh` and by `de, zh`: leave one of them out"),
        ({"by_language": {"zh,": {}}}, "`zh,` names no language where a comma says so"),
        ({"by_language": {"zh, other": {}}}, "`zh, other`: `other` stands alone"),
        ({"by_language": {"zh": {"overrides": {"fine": {}}}}}, "by_language.zh.overrides.fine: this preset does not judge zh; did you mean `fineweb`?"),
        ({"by_language": {"zh": {"overrides": {"c4": {"sentenses": 1}}}}}, "zh.overrides.c4: preset 'c4': unknown rule 'sentenses'; did"),
        (
            {"presets": [{"name": "c4", "languages": ["en"]}], "by_language": {"zh": {"overrides": {"c4": {"length": 1}}}}},
            "zh.overrides.c4: this preset does not judge zh",
        ),
        ({"language": {"keep": ["en"]}, "by_language": {"zh": {}}}, "by_language.zh has no documents: filter.language.keep leaves only en"),
        ({"language": {"keep": ["en"]}, "by_language": {"en, zh": {}}}, "`zh` has no documents, for filter.language.keep does not name it"),
        ({"language": {"keep": ["en"]}, "by_language": {"en": {}, "other": {}}}, "by_language.other has no documents"),
        ({"by_language": {"zh": {"quality": {"edu": 0.5}}}}, "by_language.zh.quality.edu is no model; there are none"),
        ({"quality": EDU, "by_language": {"zh": {"quality": {"edo": 0.5}}}}, "zh.quality.edo is no model; did you mean `edu`?"),
        (
            {"quality": {"edu": {"model": "e.bin", "languages": ["en"]}}, "by_language": {"zh": {"quality": {"edu": 0.5}}}},
            "zh.quality.edu: this model judges only en",
        ),
        ({"quality": CLASSES, "by_language": {"zh": {"quality": {"kinds": 0.5}}}}, "this model gives no score, only labels"),
        ({"quality": {"model": "quality.bin", "minimum": 0.5}}, "models stand under names of their own: `quality: {NAME: {model: "),
        ({"quality": {"my model": {"model": "m.bin"}}}, "'my model' cannot name a column: take letters, digits"),
        ({"quality": {"edu": {"modle": "m.bin"}}}, "filter.quality.edu.modle: there is no such key; did you mean `model`?"),
        ({"quality": {"edu": {}}}, "filter.quality.edu.model: field required"),
        ({"quality": {"edu": {"model": "m.bin", "minimum": 50}}}, "filter.quality.edu.minimum: input should be less than or equal to 1, not 50"),
        ({"quality": {"edu": {"model": "m.bin", "classify": True, "minimum": 0.5}}}, "`minimum` needs a score: give the `label`"),
    ],
)  # fmt: skip
def test_what_would_change_nothing_or_cannot_be_is_told_with_its_key(settings, told):
    with pytest.raises(ConfigError) as caught:
        filters(**settings)
    assert told in str(caught.value)


def test_rules_may_ask_what_models_say(tmp_path):
    own = {
        "name": "own",
        "rules": [
            {"name": "kind", "statistic": "label_kinds", "one_of": ["law", "code"], "reason": "neither law nor code"},
            {"name": "edu", "statistic": "quality_edu", "minimum": 0.4},
        ],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    [preset] = rules.presets_of(filters(presets=[str(tmp_path / "own.yaml")], quality=EDU | CLASSES))
    assert [str(rule) for rule in preset.rules] == ["label_kinds in law, code", "quality_edu ≥ 0.4"]
    with pytest.raises(ConfigError, match=r"rule own/kind asks for `label_kinds`, which is not measured"):
        filters(presets=[str(tmp_path / "own.yaml")], quality=EDU)
    with pytest.raises(ConfigError, match=r"rule 'kind' names texts and has no threshold; null switches it off"):
        filters(presets=[str(tmp_path / "own.yaml")], quality=EDU | CLASSES, overrides={"own": {"kind": 3}})
    own["rules"][0].pop("one_of")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    with pytest.raises(ConfigError, match=r"rule 'kind': label_kinds is text and needs one_of"):
        filters(presets=[str(tmp_path / "own.yaml")], quality=EDU | CLASSES)


def best_quality(models, **dedup):
    raw = MINIMAL | {"filter": {"quality": models}, "dedup": {"keep": "best-quality"} | dedup}
    return config_file.parse(raw).best_quality_model()[0]


def test_best_quality_says_which_model_where_there_are_several():
    two = EDU | {"math": {"model": "math.bin", "label": "math", "classify": True}}
    assert best_quality(EDU | CLASSES) == "edu"
    assert best_quality(two, quality="math") == "math"
    for models, dedup, told in [
        (CLASSES, {}, "names no model that scores"),
        (two, {}, "dedup.quality must say which model best-quality goes by: edu, math"),
        (two, {"quality": "maths"}, "dedup.quality: `maths` is no model that scores; did you mean `math`?"),
    ]:
        with pytest.raises(ConfigError) as caught:
            best_quality(models, **dedup)
        assert told in str(caught.value)


def test_without_groups_nothing_is_divided():
    for presets, keep in itertools.product(([], ["c4", "fineweb"]), ([], ["en"])):
        for preset in rules.presets_of(filters(presets=presets, language={"keep": keep})):
            assert preset.languages is None and preset.except_languages == ()
    assert not EVERYWHERE.empty
