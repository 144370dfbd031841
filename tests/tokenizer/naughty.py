"""Strings that break tokenizers, and where `tokenizers` cuts a text: what several tests of this room share."""

import itertools
import json

import numpy as np
from tokenizers import Tokenizer, models

from tokenizer.scanner_kernels import piece_ends

NAUGHTY = [
    "",
    " ",
    "\n",
    "\0",
    "\0\0a\0 \0\n",
    "\x7f\x80\x9f\x85",
    # Line breaks of every kind, mixed, at the ends and doubled.
    "a\r\nb\rc\n\rd\n\n\r\r\ne",
    "\r\n\r\n \r\n\t\n x \n",
    "a\u2028b\u2029c\x0bd\x0ce\x85f",
    "\n \n  \n   x",
    "x   \n",
    "x   ",
    "   x",
    " \t \u3000 \u2003x\u3000",
    "\u00a0\u00a0word\u202fword\u205f\u1680end",
    # Byte order marks, non-characters, neighbours of the surrogates, the ends of the planes and of Unicode.
    "\ufeffstart \ufffe \uffff",
    "\ud7fb\ud7fc\ud7ff\ue000\uf8ff",
    "\U00010000\U0001fffe\U0010fffe\U0010ffff",
    "\u0378\u0379 \U000e0000\U000e0001\U000f0000",
    # Combining marks: none to carry them, many on one letter, after spaces, digits and line breaks.
    "e\u0301 \u0301e 1\u0301 \n\u0301x",
    "Z\u0351\u036b\u0343\u036aA\u0302\u033bL\u0320\u0348G\u0345O\u0316!\u030d\u0306",
    "\u0301\u0301\u0301",
    "n\u0303 o\u0308\u0323 \u1e9b\u0323 \u212b\u2126\u212a",
    # Joiners and other characters that are not seen.
    "می\u200cخواهم ක්\u200dෂ \u200b\u200c\u200d\u2060\ufeff",
    "soft\u00adhyphen zero\u200bwidth word\u2060joiner",
    "\u202eright to left\u202c \u2066isolate\u2069 \u200f!\u200e",
    "a\u180eb\u061cc\u115f\u1160\u3164\uffa0",
    # Emoji: families, skins, flags, keycaps, tags, variation selectors, unpaired parts.
    "👨‍👩‍👧‍👦👍🏽🏳️‍🌈🇩🇪🇫1️⃣#️⃣🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "❤️❤🙂 🙂\n🙂a🙂1🙂!\u200d🙂\ufe0f",
    # Contractions, their cases and those that fold to them.
    "don't DON'T I'll we've he'd you're I'm 'tis 'Twas rock'n'roll",
    "'s'S'\u017f'd'D'm'M't'T'll'LL'lL'Ll'l'v've'VE'vE'r're'RE'rE'l l'v e'r\ne",
    " 's  't 'x ''s '''re s' \u2019s ʼs ＇s",
    "'re'real 'vex 'lling 'darn 'sue 'más 'té",
    # Numbers in groups, of other scripts, of other kinds.
    "1 12 123 1234 12345 1234567890 1,234.50 0x1F 1e-9",
    "١٢٣٤ १२३४ ๑๒๓๔ 一二三四 ①②③④ ⅣⅫ ½⅓ x²y³ 🄀🄁 𝟏𝟐𝟑 𒐀𒐁 𖩠𖩡",
    # Letters where classes disagree: cased, modified, titlecase, fullwidth, ligatures.
    "Führer naïve ÅNGSTRÖM ǅ ʰ ª º ﬀ ﬁ ﬆ ＡＢＣａｂｃ ſ ß ẞ İ ı ŉ Ǆ",
    "ΑΒΓ Кириллица Հայերեն ქართული ᲥᲐᲠᲗᲣᲚᲘ Ⲁⲁ 𐐀𐐨 𞤀𞤢 Ꭰꭰ",
    "שָׁלוֹם עולם, العَرَبِيَّة؟ 'تجربة' ܫܠܡܐ ߒߞߏ ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "हिन्दी में १२३ বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ไทยไม่มีวรรค ລາວ မြန်မာ ខ្មែរ བོད་སྐད།",
    "中文。日本語、ひらがなカタカナー・゛゜ヽヾ゙か゚\u3040\u3097\u3098 한국어 텍스트 ㄅㄆㄇ ꀀꀁ ｶﾀｶﾅﾞ",
    "㐀䶵一龥龦鿿\uf900\ufa29𠀀𪛖𫜴𫝀𰀀𱍊\U0002ebf0\U000323af\U000323b0 々〇〡〆",
    # Punctuation and symbols of every width, and what the engines call either.
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    'a!b "c" #d $e %f &g (h) *i +j ,k -l .m /n :o ;p <q =r >s ?t @u [v] \\w ^x _y `z {A} |B ~C',
    " !\n !!\r\n ...\n\n -- \n—x– …\u3002\n",
    "£°×÷©®§¶·¿¡«»¬¯´¸ € ₿ ∑∫√ ←→ ═║ ▓█ ♠♣ ⠁⠃ 〒〓 ＄＋＜ ﹩",
    "　「全角」　（括号）、。！？　",
    "<|end_of_text|> <|fim_prefix|>\0<|user|>",
    "\u3000\u3000!\u3000a\u3000\n\u3000",
    "a" * 300 + " " * 300 + "!" * 300 + "\n" * 300 + "7" * 301,
    "def f(x):\n\treturn  {k: v**2 for k,v in x.items()}  # it's\r\n\r\n",
]


def piece_ends_of(text, pretokenizer):
    """Byte ends of the pieces of a text, from the scanner."""
    data = np.frombuffer(text.encode(), np.uint8)
    tables = pretokenizer.tables_for(data, np.array([0, len(data)]))
    return piece_ends(data, 0, len(data), *tables).tolist()


def pieces_of(text, pretokenizer):
    """The pieces of a text, from the scanner."""
    data = text.encode()
    return [data[start:stop].decode() for start, stop in itertools.pairwise([0, *piece_ends_of(text, pretokenizer)])]


def in_tokenizers(description):
    """A ``pre_tokenizer`` object of a ``tokenizer.json`` as `tokenizers` runs it."""
    document = json.loads(Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = description
    return Tokenizer.from_str(json.dumps(document)).pre_tokenizer


def ends_in_tokenizers(text, oracle):
    """Byte ends of the pieces, from `tokenizers`, whose byte-level pieces have one character a byte."""
    return list(itertools.accumulate(len(piece) for piece, _ in oracle.pre_tokenize_str(text)))
