"""Do our presets decide as datatrove's filters do? And where they do not, which definition is the reason?

    python -m benchmarks.filter_agreement --json

The English documents of the snapshot dumps (or of ``--wet``), each asked of datatrove's Gopher repetition, Gopher
quality, C4 (two settings) and FineWeb filters with their defaults, and of our presets that follow them. Twice:

- with one word splitting: datatrove's filters take a tokenizer, and are given ours. This is what must agree on 99 %.
- with datatrove's own (spaCy's for English), on ``--own-documents`` of the documents.

For each disagreement the rules are measured again with datatrove's definitions, one at a time, then together until the
decision is datatrove's (``benchmarks.peers.datatrove_definitions``). The first that turns it is the cause. That the
definitions are the whole story is checked: with none of them every value is that of our kernels, with all of them
every decision is datatrove's.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import against, finish, machine, row
from benchmarks.peers.datatrove_definitions import DEFINITIONS, Sentences, Statistics, Words, measure, same
from benchmarks.peers.datatrove_filters import datatrove_filters, our_tokenizer, words_of
from benchmarks.signatures import load_texts
from filters.decisions import decide
from filters.language import LanguageIdentifier
from filters.presets import Preset, load_preset
from filters.statistics import statistics

LEAST_AGREEMENT = 0.99
TOKENIZER = "its tokenizer's words and sentences"
LEAST_LANGUAGE_SCORE = 0.65  # FineWeb's


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", help="glob of WET files to take the text from")
    parser.add_argument("--every", type=int, default=1, help="take every n-th English document")
    parser.add_argument("--own-documents", type=int, default=500, help="documents for datatrove's own tokenizer")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()

    texts, origin = load_texts(arguments.wet)
    texts = english(texts)[:: arguments.every]
    presets = {name: load_preset(name) for name in DEFINITIONS}
    tokenizer = our_tokenizer(texts)
    ours = Run(texts, presets, tokenizer, words_of, lambda line: len(tokenizer.span_tokenize(line)), ())
    results, checks = ours.results("one word splitting"), ours.checks("one word splitting")
    causes = {"one word splitting": ours.causes}
    notes = []
    try:
        from datatrove.utils.text import split_into_sentences, split_into_words

        split_into_words("Is spaCy there?", "en")
    except ImportError as error:
        notes.append(f"datatrove's own tokenizer was not compared: {error}")
    else:
        few = [texts[i] for i in np.linspace(0, len(texts) - 1, min(arguments.own_documents, len(texts))).astype(int)]
        own = Run(
            few,
            presets,
            "en",
            lambda text: split_into_words(text, "en"),
            lambda line: len(split_into_sentences(line, "en")),
            (TOKENIZER,),
        )
        results += own.results("its own word splitting")
        checks |= own.checks("its own word splitting")
        causes["its own word splitting"] = own.causes
    measured = {name: 1 - wrong / len(texts) for name, wrong in ours.disagreements.items()}
    report = {
        "name": "filter_agreement",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts), "origin": origin},
        "results": results,
        "ratios": {},
        "checks": checks,
        "targets": against({f"share agreed: {name}": LEAST_AGREEMENT for name in measured},
                           {f"share agreed: {name}": round(share, 5) for name, share in measured.items()}),
        "causes": causes,
        "notes": notes + [
            f"{splitting}, {name}: {count} documents, {kind}: {cause}"
            for splitting, by_preset in causes.items()
            for name, found in by_preset.items()
            for (kind, cause), count in ((key.split(": ", 1), count) for key, count in found.items())
        ],
    }  # fmt: skip
    return finish(report, arguments.json)


def english(texts: list[str]) -> list[str]:
    """Those that the language model calls English with FineWeb's certainty."""
    labels, scores = LanguageIdentifier().identify(pa.array(texts, pa.large_string()))
    chosen = (np.array(labels.to_pylist()) == "en") & (scores >= LEAST_LANGUAGE_SCORE)
    return list(itertools.compress(texts, chosen))


class Run:
    """One comparison of all presets.

    ``disagreements``: documents on which a preset and the filter it follows differ. ``causes``: by preset, how many for
    each ``only ours keeps`` or ``only datatrove keeps`` and cause.
    """

    def __init__(
        self,
        texts: list[str],
        presets: dict[str, Preset],
        language: Any,
        words: Words,
        sentences: Sentences,
        more: tuple[str, ...],
    ) -> None:
        """Compares; ``more``: definitions of datatrove that the caller's ``words`` and ``sentences`` stand for."""
        self.documents = len(texts)
        self.disagreements: dict[str, int] = {}
        self.causes: dict[str, dict[str, int]] = {}
        self.kept: dict[str, tuple[int, int]] = {}
        self.unexplained = self.unequal = 0
        table = statistics(pa.array(texts, pa.large_string()))
        filters = datatrove_filters(presets, language)
        # One document at a time: datatrove keeps the words of the last few texts.
        theirs = {name: np.zeros(len(texts), bool) for name in presets}
        for i, text in enumerate(texts):
            for name, stays in filters.items():
                theirs[name][i] = stays(text)
        own = (words_of, _kernel_sentences)
        for name, preset in presets.items():
            ours = decide(table, [preset]).first < 0
            self.kept[name] = int(ours.sum()), int(theirs[name].sum())
            found: Counter[str] = Counter()
            for i in np.flatnonzero(ours != theirs[name]):
                values = dict(zip(table.schema.names, (column[i].as_py() for column in table.columns), strict=True))

                def again(definitions: set[str], i: int = int(i), name: str = name) -> Statistics:
                    split, count = (words, sentences) if not more or set(more) & definitions else own
                    return measure(name, texts[i], split, count, definitions)

                self.unequal += not same(again(set()), values)
                cause = _cause(again, preset, bool(theirs[name][i]), (*more, *DEFINITIONS[name]))
                self.unexplained += cause is None
                kind = "only ours keeps" if ours[i] else "only datatrove keeps"
                found[f"{kind}: {cause or 'not explained'}"] += 1
            self.disagreements[name] = sum(found.values())
            self.causes[name] = dict(found.most_common())

    def results(self, case: str) -> list[dict[str, Any]]:
        """Rows of the report: what share agrees, and what each keeps."""
        rows = []
        for name, wrong in self.disagreements.items():
            ours, theirs = self.kept[name]
            rows.append(row("gristmill", f"{case}: {name}", "share_agreed", 1 - wrong / self.documents, "of documents"))
            rows.append(row("gristmill", f"{case}: {name}", "kept", ours, f"of {self.documents}"))
            rows.append(row("datatrove", f"{case}: {name}", "kept", theirs, f"of {self.documents}"))
        return rows

    def checks(self, case: str) -> dict[str, bool]:
        """What must be so for the causes to be computed, not guessed."""
        return {
            f"{case}: without datatrove's definitions every value is that of our kernels": self.unequal == 0,
            f"{case}: every disagreement is explained by datatrove's definitions": self.unexplained == 0,
            f"{case}: both keep some documents and remove some": all(
                0 < kept < self.documents for pair in self.kept.values() for kept in pair
            ),
        }


def _kernel_sentences(line: str) -> int:
    return int(statistics(pa.array([line])).column("sentences")[0].as_py())


def _cause(
    again: Callable[[set[str]], Statistics], preset: Preset, theirs: bool, definitions: tuple[str, ...]
) -> str | None:
    """The definition, or the smallest set of them, with which our rules decide as datatrove does."""
    for size in range(1, len(definitions) + 1):
        for chosen in itertools.combinations(definitions, size):
            values = {name: pa.array([value], pa.float32()) for name, value in again(set(chosen)).items()}
            if (decide(pa.record_batch(values), [preset]).first[0] < 0) == theirs:
                return " + ".join(chosen)
    return None


if __name__ == "__main__":
    sys.exit(main())
