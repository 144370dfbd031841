"""The scanner cuts every text exactly where `tokenizers` cuts it with the published expressions."""

import functools
import itertools
import json
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naughty import NAUGHTY, ends_in_tokenizers, in_tokenizers, piece_ends_of, pieces_of

from tokenizer.deepseek_classes import REPAIRS, deepseek_llm_mended
from tokenizer.patterns import DEEPSEEK_V3, GPT2, GPT4, UserPattern
from tokenizer.pretokenizers import PRETOKENIZERS, from_tokenizers, pretokenizer
from tokenizer.unicode_classes import NAMES, ask_tokenizers, unicode_class

POINTS = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
CHARACTERS = "".join(map(chr, POINTS))
AWKWARD = " \t\n\r\u3000\u2003\u00a0aZéßю中か・゙\u3040한ท्م!-،。'sSdtmlLvrReE\u017f7½②²\U0001f642\u0301\u200d\ufe0f\0£"
each_preset = pytest.mark.parametrize("name", PRETOKENIZERS)


@functools.cache
def oracle(name):
    return in_tokenizers(PRETOKENIZERS[name].to_tokenizers())


def check(texts, name):
    """Fails on the first text that `tokenizers` cuts another way."""
    preset, theirs = PRETOKENIZERS[name], oracle(name)
    for text in texts:
        assert piece_ends_of(text, preset) == ends_in_tokenizers(text, theirs), ascii(text)


@functools.cache
def representatives(name):
    """Three code points of every kind that the tables tell apart: the first, one in the middle, the last."""
    kinds = PRETOKENIZERS[name].tables.kinds
    members = [np.array([point for point in POINTS if kinds[point] == kind]) for kind in np.unique(kinds)]
    return [[chr(points[i]) for i in (0, len(points) // 2, -1)] for points in members if len(points)]


def random_texts(name, seed, count, longest):
    """Texts of the representatives and of awkward characters, every length alike."""
    rng = random.Random(seed)
    pool = [*itertools.chain.from_iterable(representatives(name)), *AWKWARD]
    for _ in range(count):
        yield "".join(rng.choices(pool, k=rng.randint(0, longest)))


@each_preset
def test_every_code_point(name):
    """Between two letters, in one text; the long test has other neighbours."""
    check(["a".join(CHARACTERS)], name)


@pytest.mark.long
@each_preset
@pytest.mark.parametrize(
    ("before", "behind"), [("", ""), (" ", "b"), ("7", "!"), ("中", " "), ("\u0301", "。"), ("\n ", "\0"), ("'", "")]
)
def test_every_code_point_between_all_neighbours(name, before, behind):
    size = 1 << 16
    texts = (CHARACTERS[start : start + size] for start in range(0, len(CHARACTERS), size))
    check((before + (behind + before).join(text) + behind for text in texts), name)


@each_preset
def test_all_pairs_and_triples_of_kinds(name):
    chosen = representatives(name)
    check(map("".join, itertools.product(itertools.chain.from_iterable(chosen), repeat=2)), name)
    check(map("".join, itertools.product([kind[0] for kind in chosen], repeat=3)), name)


@pytest.mark.long
@each_preset
def test_all_quadruples_of_kinds(name):
    chosen = representatives(name)
    for rank in range(3):
        check(map("".join, itertools.product([kind[rank] for kind in chosen], repeat=4)), name)


@each_preset
def test_white_space_before_everything(name):
    """Runs of white space are where the scanners look ahead."""
    check(map("".join, itertools.product(" \t\u3000aé!م中7\n", repeat=4)), name)


@pytest.mark.parametrize("name", ["gpt2", "gpt4"])
def test_everything_that_is_nearly_a_contraction(name):
    check((f"x'{''.join(rest)}" for rest in itertools.product("sSſlLvVrReE' t1", repeat=3)), name)


@each_preset
@given(text=st.text(max_size=60) | st.text(st.sampled_from(AWKWARD), max_size=40))
@settings(max_examples=500)
def test_any_text(name, text):
    check([text], name)


@each_preset
def test_generated_texts(name):
    check(random_texts(name, 1, 15_000, 14), name)
    check(random_texts(name, 2, 20, 10_000), name)


@pytest.mark.long
@each_preset
def test_hundreds_of_thousands_of_generated_texts(name):
    check(random_texts(name, 3, 300_000, 18), name)
    check(random_texts(name, 4, 300, 20_000), name)


@each_preset
def test_naughty_strings(name):
    check(NAUGHTY, name)
    check(map("".join, itertools.permutations(NAUGHTY, 2)), name)


@each_preset
def test_real_text(name, real_texts, shared_data):
    naughty = (shared_data / "text" / "naughty-strings.txt").read_text("utf-8")
    utf8 = (shared_data / "text" / "utf8-validity.txt").read_bytes().decode("utf-8", "replace")
    check([*real_texts[::4], *naughty.split("\n"), naughty, utf8], name)


@pytest.mark.long
@each_preset
def test_all_real_text(name, real_texts):
    check(real_texts, name)


def test_frozen_classes_are_those_of_tokenizers():
    asked = ask_tokenizers()
    for i, name in enumerate(NAMES):
        assert np.array_equal(unicode_class(name), asked >> i & 1), f"{name} differs in this version of tokenizers"


def test_deepseek_llm_is_the_published_file(shared_data, deepseek):
    published = json.loads((shared_data / "text" / "deepseek-llm-pre_tokenizer.json").read_text())
    assert deepseek.to_tokenizers() == published
    assert from_tokenizers(published) is deepseek


def test_deepseek_llm_quirks(deepseek):
    assert pieces_of("Führer naïve", deepseek) == ["F", "ü", "hrer", " na", "ï", "ve"]
    assert pieces_of("a 12\n\nb  c", deepseek) == ["a", " ", "1", "2", "\n", "\n", "b", " ", " c"]
    assert pieces_of("我 ok，好", deepseek) == ["我", " ok", "，", "好"]
    assert pieces_of("שלום עולם 🙂 x", deepseek) == ["שלום עולם 🙂", " x"]
    assert pieces_of("𠀀𠀁 안녕 세상", deepseek) == ["𠀀𠀁 ", "안녕", " ", "세상"]


@pytest.mark.parametrize(
    ("repair", "text", "without", "pieces"),
    [
        ("words", "Führer naïve", ["F", "ü", "hrer", " na", "ï", "ve"], ["Führer", " naïve"]),
        ("scripts", "שלום עולם x", ["שלום עולם", " x"], ["שלום", " עולם", " x"]),
        ("scripts", "cafe\u0301s, a", ["cafe", "\u0301", "s", ",", " a"], ["cafe\u0301s", ",", " a"]),
        ("han", "好\U00020000 \uf900", ["好", "\U00020000 \uf900"], ["好\U00020000", " ", "\uf900"]),
        ("symbols", "ok 🙂🙂 £5", ["ok", " 🙂🙂 £", "5"], ["ok", " 🙂🙂", " £", "5"]),
        ("spaced", "한국어 글 हिन्दी", ["한국어", " ", "글", " ", "हिन्दी"], ["한국어", " 글", " हिन्दी"]),
    ],
)
def test_repairs_of_mended(repair, text, without, pieces):
    mended = PRETOKENIZERS["deepseek-llm-mended"]
    assert pieces_of(text, deepseek_llm_mended(frozenset(REPAIRS) - {repair})) != pieces
    assert pieces_of(text, PRETOKENIZERS["deepseek-llm"]) == without
    assert pieces_of(text, mended) == pieces


@pytest.mark.parametrize("size", range(len(REPAIRS) + 1))
def test_any_choice_of_repairs_is_what_tokenizers_makes_of_it(size):
    for chosen in map(frozenset, itertools.combinations(REPAIRS, size)):
        preset = deepseek_llm_mended(chosen)
        theirs = in_tokenizers(preset.to_tokenizers())
        for text in [*NAUGHTY, *random_texts("deepseek-llm-mended", 5, 200, 30)]:
            assert piece_ends_of(text, preset) == ends_in_tokenizers(text, theirs), (chosen, ascii(text))
    assert deepseek_llm_mended(frozenset()).fingerprint == PRETOKENIZERS["deepseek-llm"].fingerprint


def test_mended_keeps_han_kana_and_thai_apart_from_words():
    mended = PRETOKENIZERS["deepseek-llm-mended"]
    assert pieces_of("見る。カタカナ・ｶﾅ x", mended) == ["見る", "。", "カタカナ", "・", "ｶﾅ", " x"]
    assert pieces_of("ไทย abc", mended) == ["ไทย", " abc"]
    assert pieces_of("می\u200cخواهم — “yes”", mended) == ["می\u200cخواهم", " —", " “", "yes", "”"]


def test_published_behaviour_of_the_others():
    gpt2, gpt4, v3, coder = (PRETOKENIZERS[name] for name in ("gpt2", "gpt4", "deepseek-v3", "deepseek-coder"))
    assert pieces_of("I'll DON'T  12345\n\n x", gpt2) == ["I", "'ll", " DON", "'", "T", " ", " 12345", "\n\n", " x"]
    assert pieces_of("I'LL don'\u017f 12345\n \nx  y", gpt4) == [
        "I", "'LL", " don", "'\u017f", " ", "123", "45", "\n \n", "x", " ", " y",
    ]  # fmt: skip
    assert pieces_of("(word) 1234 中文abc\0\0d!!\n", v3) == [
        "(word", ")", " ", "123", "4", " ", "中文", "abc", "\0", "\0d", "!!\n",
    ]  # fmt: skip
    assert pieces_of("Führer 中文 x\t12 $\n", coder) == ["Führer", " ", "中文", " x", "\t", "1", "2", " $", "\n"]


@each_preset
def test_files_of_each_family_are_recognised(name):
    preset = PRETOKENIZERS[name]
    assert from_tokenizers(preset.to_tokenizers()) is preset
    assert from_tokenizers(json.loads(json.dumps(preset.to_tokenizers()))) is preset


def test_other_spellings_of_the_same_are_recognised():
    def split(pattern, behavior="Isolated", **more):
        return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, **more}

    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    assert from_tokenizers({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}).name == "gpt2"
    kept = {"type": "Sequence", "pretokenizers": [split(GPT4, "Removed", invert=True), plain]}
    assert from_tokenizers(kept).name == "gpt4"
    v3 = {"type": "Sequence", "pretokenizers": [*(split(pattern, invert=False) for pattern in DEEPSEEK_V3), plain]}
    assert from_tokenizers(v3).name == "deepseek-v3"
    assert from_tokenizers({"type": "Sequence", "pretokenizers": [split(GPT2), plain]}).name == f"regex {GPT2}"
    for refused in (
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        {"type": "Sequence", "pretokenizers": [split(GPT4, "Removed", invert=False), plain]},
        {"type": "Sequence", "pretokenizers": [split(GPT4), {"type": "Digits", "individual_digits": True}, plain]},
        {"type": "Sequence", "pretokenizers": [split(GPT4)]},
    ):
        with pytest.raises(ValueError, match="is none that this reader runs"):
            from_tokenizers(refused)


def test_fingerprints_are_of_the_pieces_not_the_name(deepseek):
    fingerprints = {name: preset.fingerprint for name, preset in PRETOKENIZERS.items()}
    assert len(set(fingerprints.values())) == len(fingerprints)
    assert deepseek.fingerprint == "d4a75588111ddbe716f0fb2f73a2e927170bb3351b78aa1f74e91ee0402d95ff"
    assert deepseek_llm_mended(name="other").fingerprint == fingerprints["deepseek-llm-mended"]


@each_preset
def test_pickles_small_and_equal(name):
    preset = PRETOKENIZERS[name]
    pickled = pickle.dumps(preset)
    assert len(pickled) < 50_000
    assert pickle.loads(pickled).fingerprint == preset.fingerprint


def test_unknown_names_and_patterns_are_refused():
    with pytest.raises(ValueError, match=r"'deepseek-lm' is unknown: did you mean 'deepseek-llm'"):
        pretokenizer("deepseek-lm")
    with pytest.raises(ValueError, match=r"pre_tokenizer \(Whitespace\) is none that this reader runs"):
        from_tokenizers({"type": "Whitespace"})
    with pytest.raises(ValueError, match="repair 'word' is unknown"):
        deepseek_llm_mended(frozenset({"word"}))
    assert isinstance(pretokenizer({"regex": r"\w+"}), UserPattern)
    with pytest.raises(ValueError, match="give a name or"):
        pretokenizer({"pattern": "x"})
