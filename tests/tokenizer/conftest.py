"""Real text, a tokenizer trained on it, and the same tokenizer in `tokenizers`."""

import contextlib

import pyarrow as pa
import pytest
import tokenizers
from fastwarc.warc import ArchiveIterator, WarcRecordType

from tokenizer.counts import count_pieces
from tokenizer.formats import Tokenizer, to_json
from tokenizer.merges import train
from tokenizer.pretokenizers import pretokenizer

# English, German, Vietnamese, Chinese, Japanese, Arabic, Hebrew, Hindi, Thai, code, numbers, emoji: enough for every
# branch of the scanner where the shared texts are absent.
SENTENCES = [
    "The quick brown fox doesn't jump over 12 lazy dogs; it walks around them, naïvely.\n",
    "Der Führer durch das Museum öffnet täglich um 9:30 Uhr — außer montags.\r\n",
    "Tôi đang học tiếng Việt và uống cà phê mỗi buổi sáng.\n\n",
    "今天天气很好，我们去公园散步吧。机器学习是人工智能的一个分支。\n",
    "吾輩は猫である。名前はまだ無い。　どこで生れたか頓と見当がつかぬ。\n",
    "كان هناك رجل في المدينة القديمة   يبيع الكتب كل يوم\n",
    "שלום עולם, זה מבחן של טקסט בעברית\t\t\n",
    "मशीन लर्निंग १२३ एक शाखा है।  ภาษาไทยไม่มีวรรค\n",
    "def f(x):\n    return {k: v ** 2 for k, v in x.items() if v > 0.5}  # comment\n",
    "x₁ + ½ = ² 🙂🙃👨‍👩‍👧 \u00a0\u2003\u3000end\u2028\u2029 \u0085 \x00\x01 ﬀ ＡＢＣ！\n",
]


def texts_of(paths, limit):
    """Up to ``limit`` texts, evenly from the WET files."""
    texts = []
    for path in paths:
        with path.open("rb") as stream:
            records = ArchiveIterator(stream, record_types=WarcRecordType.conversion)
            found = []
            with contextlib.suppress(OSError):  # one of the crawl files is broken behind its first records
                found.extend(record.reader.read().decode("utf-8", "replace") for record in records)
        texts += found[:: max(1, len(found) * len(paths) // limit)]
    return texts


@pytest.fixture(scope="session")
def real_texts(shared_data):
    """About 150 real pages: Chinese and English documentation, and a crawl in Cyrillic, Latin and Arabic."""
    return texts_of(sorted((shared_data / "dumps").glob("*.wet.gz"))[:2], 90) + texts_of(
        [shared_data / "commoncrawl" / "sparkwarc-2016.warc.wet.gz"], 60
    )


@pytest.fixture(scope="session")
def deepseek():
    return pretokenizer("deepseek-llm")


@pytest.fixture(scope="session")
def trained(deepseek):
    """A tokenizer of 600 regular tokens learned from the sentences above."""
    return Tokenizer(deepseek, train(count_pieces(pa.array(SENTENCES * 3), deepseek), 600))


@pytest.fixture(scope="session")
def oracle(trained):
    """The same in `tokenizers`."""
    return hugging_face(trained)


def hugging_face(tokenizer):
    """A `tokenizers.Tokenizer` from the files, with special tokens not matched in text."""
    built = tokenizers.Tokenizer.from_str(to_json(tokenizer)["tokenizer.json"])
    built.encode_special_tokens = True
    return built


@pytest.fixture(scope="session")
def as_hugging_face():
    """Function that gives the `tokenizers.Tokenizer` of a tokenizer of ours."""
    return hugging_face


@pytest.fixture(scope="session")
def sentences():
    return SENTENCES
