"""Real text, a tokenizer trained on it, and the same tokenizer in `tokenizers`."""

import pyarrow as pa
import pytest
import tokenizers

from pipeline.sources.read import read_documents
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


def texts_of(paths, limit, format="wet"):
    """Up to ``limit`` texts, evenly from crawl files."""
    texts = []
    for path in paths:
        found = [text for batch in read_documents(str(path), format) for text in batch.documents["text"].to_pylist()]
        texts += found[:: max(1, len(found) * len(paths) // limit)]
    return texts


@pytest.fixture(scope="session")
def real_texts(shared_data):
    """About 170 real pages: Chinese and English documentation, and crawls in Cyrillic, Latin, Arabic and Chinese."""
    crawl = shared_data / "commoncrawl"
    texts = texts_of(sorted((shared_data / "dumps").glob("*.wet.gz"))[:2], 90)
    texts += texts_of([crawl / "sparkwarc-2016.warc.wet.gz"], 65)
    texts += texts_of([crawl / "chinese-gbk-2020.warc.gz"], 16, "warc")
    assert len(texts) > 150
    return texts


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
