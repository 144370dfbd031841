"""A page about one quality model on held-out documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import quality as charts
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.page import Page

_FOOTER = (
    "Precision and all that follows from it hold for classes in the proportions they have here. This file needs no "
    "network and sends nothing."
)


def page_of(judged: Mapping[str, Any]) -> Page:
    """The page for what `gristmill quality evaluate --json` prints."""
    classes = ", ".join(f"{formats.count(documents)} {name}" for name, documents in judged["classes"].items())
    sections = [_discrimination(judged["labels"]), _scores(judged["labels"])]
    if "classification" in judged:
        sections.insert(0, _classification(judged["classification"]))
    return Page(PurePath(judged["model"]).name, f"documents: {classes}", _tiles(judged), sections, _FOOTER)


def _tiles(judged: Mapping[str, Any]) -> list[Tile]:
    if "classification" in judged:
        found = judged["classification"]
        return [
            Tile("Accuracy", formats.share(found["accuracy"]), "taken for the right label"),
            Tile("Macro F1", formats.similarity(found["macro_f1"]), "the mean over labels"),
        ]
    [(name, one)] = judged["labels"].items()
    found = one["evaluation"]
    return [
        Tile("ROC AUC", formats.similarity(found["roc_auc"]), f"how often {name} scores higher than another"),
        Tile("Precision", formats.share(found["precision"]), f"of what scores {found['minimum']:g} or more is right"),
        Tile("Recall", formats.share(found["recall"]), f"of {name} scores that much"),
        Tile("Best F1", formats.similarity(found["best_f1"]), f"from a score of {found['best_minimum']:.4g} on"),
        Tile("Calibration error", formats.similarity(found["calibration_error"]), "mean distance of score and share"),
    ]


def _discrimination(labels: Mapping[str, Any]) -> Section:
    cards = [
        Card(
            "ROC curve",
            "How many others get in with how many of the right ones, at every threshold: the nearer to the upper left "
            "corner, the better.",
            charts.roc(labels),
            wide=False,
        ),
        Card(
            "Precision and recall",
            "How pure what stays is, against how much of the right stays. Precision falls where others are many.",
            charts.precision_recall(labels),
            wide=False,
        ),
        Card(
            "Calibration",
            "On the diagonal a score is a probability. Below it the model is too sure; the order of documents, and so "
            "a threshold by share, may still be right.",
            charts.reliability(labels),
            [
                Column("label", "label"),
                Column("scores", "score"),
                Column("documents", "documents", "count"),
                Column("mean_score", "mean score", "similarity"),
                Column("good", "right", "share"),
                Column("good_low", "from (95 %)", "share"),
                Column("good_high", "to", "share"),
            ],
            [
                {"label": name, "scores": f"{row['low']:g} to {row['high']:g}", **row}
                for name, one in labels.items()
                for row in one["calibration"]
                if row["documents"]
            ],
            beside=True,
        ),
    ]
    return Section("discrimination", "What thresholds give", "", [], cards)


def _scores(labels: Mapping[str, Any]) -> Section:
    cards = [
        Card(
            f"Scores of {name}",
            "Each kind by itself adds up to all of it; the dotted line is the threshold, and what lies on the wrong "
            "side of it is what it gets wrong.",
            charts.two_histograms(one["histogram"]["good"], one["histogram"]["other"], one["evaluation"]["minimum"]),
            wide=len(labels) == 1,
        )
        for name, one in labels.items()
    ]
    return Section("scores", "Scores", "", [], cards)


def _classification(found: Mapping[str, Any]) -> Section:
    rows = [row for row in found["labels"] if row["documents"]]
    names = [row["label"] for row in found["labels"]]
    confused = [
        {"label": name, "taken": names[i], "documents": count, "share": count / sum(row)}
        for name, row in zip(names, found["confusion"])
        for i, count in enumerate(row)
        if count and names[i] != name
    ]
    cards = [
        Card(
            "By label",
            "Each document is taken for its most probable label.",
            None,
            [
                Column("label", "label"),
                Column("documents", "documents", "count"),
                Column("precision", "precision", "share"),
                Column("recall", "recall", "share"),
                Column("f1", "F1", "similarity"),
                Column("roc_auc", "ROC AUC", "similarity"),
            ],
            rows,
            wide=False,
        ),
        Card(
            "Taken for another",
            "The most frequent mistakes first.",
            None,
            [
                Column("label", "label"),
                Column("taken", "taken for"),
                Column("documents", "documents", "count"),
                Column("share", "of the label", "share"),
            ],
            sorted(confused, key=lambda row: (-row["documents"], row["label"], row["taken"]))[:20],
            wide=False,
        ),
    ]
    return Section("labels", "Labels", "", [], [card for card in cards if card.rows])
