"""What the report reads: the manifests that the stages leave in an output folder, as types.

Every field has a default, because a report is also asked for of a run that stopped half way or came from an older
version; a value of the wrong type makes that stage unreadable, which the report says, and touches no other stage.
Unknown fields are kept and passed on to ``report.json``.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline import storage


class Part(BaseModel):
    """A piece of a manifest."""

    model_config = ConfigDict(extra="allow")


class StoredFile(Part):
    """A file a stage wrote."""

    path: str
    bytes: int = 0
    sha256: str = ""
    rows: int | None = None


class Manifest(Part):
    """What all stages say of themselves. ``seconds`` of wall time, ``created`` in ISO 8601.

    ``complete`` is false while the stage runs. ``tasks`` are all there are, of which ``tasks_run`` were done in
    those seconds; the others were done before and still held.
    """

    stage: str
    complete: bool = True
    tasks: list[Any] | None = None
    tasks_run: int | None = None
    fingerprint: str = ""
    version: str = ""
    created: str = ""
    seconds: float | None = None
    workers: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    files: list[StoredFile] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)


class Amount(Part):
    """Documents and their text in bytes, of a dump, a source or a language."""

    documents: int = 0
    text_bytes: int = 0
    rejects: int = 0
    files: int = 0


class Reject(Part):
    """A record that became no document. ``offset`` in bytes of the file as it lies."""

    file: str = ""
    offset: int | None = None
    record: int | None = None
    reason: str = ""
    detail: str = ""


class IngestDetails(Part):
    """Of stage ``ingest``."""

    dumps: dict[str, Amount] = Field(default_factory=dict)
    sources: dict[str, Amount] = Field(default_factory=dict)
    rejects: dict[str, int] = Field(default_factory=dict)
    reject_samples: list[Reject] = Field(default_factory=list)
    skipped: dict[str, int] = Field(default_factory=dict)


def _document_key(value: Any) -> str:
    """A document's key, as decimal digits: a browser cannot hold it as a number."""
    if not (isinstance(value, (int, str)) and str(value).isascii() and str(value).isdigit() and int(value) < 1 << 64):
        raise ValueError("a document's key is a whole number of 64 bits")
    return str(value)


Key = Annotated[str, BeforeValidator(_document_key)]


class Pair(Part):
    """A candidate pair, its addresses and its Jaccard similarity as judged, 0 to 1."""

    left: Key | None = None
    right: Key | None = None
    left_url: str | None = None
    right_url: str | None = None
    jaccard: float | None = None


class Pass(Part):
    """One round of verification: distinct candidate pairs, and how they were judged."""

    candidates: int = 0
    accepted: int = 0
    rejected: int = 0


class Against(Part):
    """Another corpus, and documents of this one that have a copy in it."""

    folder: str = ""
    documents_removed: int = 0


class MatchDetails(Part):
    """Of stage ``match``. Samples are the pairs nearest to the threshold on either side, the nearest first.

    ``scope`` as in the config: whether dumps were held against each other.
    """

    method: str = ""
    scope: str = "global"
    threshold: float | None = None
    passes: list[Pass] = Field(default_factory=list)
    accepted_samples: list[Pair] = Field(default_factory=list)
    rejected_samples: list[Pair] = Field(default_factory=list)
    against: list[Against] = Field(default_factory=list)


class CurvePoint(Part):
    """The first ``dumps`` dumps together, of which ``dump`` is the last, and that dump alone. Shares are 0 to 1."""

    dump: str = ""
    dumps: int
    documents: int = 0
    removed: int = 0
    share: float | None = None
    alone_removed: int | None = None
    alone_share: float | None = None


class Overlap(Part):
    """``matrix[i][j]``: documents of dump i whose cluster also has a member in dump j."""

    dumps: list[str] = Field(default_factory=list)
    matrix: list[list[int]] = Field(default_factory=list)


class LargeCluster(Part):
    """One of the largest clusters, with keys and URLs of some members, one beside the other."""

    cluster: int | str = ""
    size: int = 0
    keys: list[Key] = Field(default_factory=list)
    urls: list[str | None] = Field(default_factory=list)


class Components(Part):
    """How pairs became clusters: the method, how many pairs, the limit that decided it, rounds if it took any."""

    method: str = ""
    pairs: int | None = None
    limit: int | None = None
    rounds: int | None = None
    reason: str = ""


class Chains(Part):
    """Pairs that may lie between a removed document and the kept one, and documents that this bound kept.

    ``by_distance`` are numbers of pairs, and of removed documents that are so far from the kept one; the farthest are
    counted together, as ``dedup.limits.FARTHEST``.
    """

    max_chain: int | None = None
    documents_spared: int | None = None
    by_distance: list[tuple[int, int]] = Field(default_factory=list)


class Removed(Part):
    """What deduplication removed. ``outside``: documents removed for their copy in another corpus."""

    documents: int | None = None
    bytes: int | None = None
    words: int | None = None
    outside: int | None = None


class ClusterDetails(Part):
    """Of stage ``cluster``. ``sizes`` are pairs of cluster size and number of such clusters.

    ``curve_reversed`` is the curve of the dumps taken from the last to the first, where it was asked for.
    """

    components: Components = Field(default_factory=Components)
    chains: Chains = Field(default_factory=Chains)
    curve: list[CurvePoint] = Field(default_factory=list)
    curve_reversed: list[CurvePoint] = Field(default_factory=list)
    overlap: Overlap = Field(default_factory=Overlap)
    sizes: list[tuple[int, int]] = Field(default_factory=list)
    largest: list[LargeCluster] = Field(default_factory=list)
    removed: Removed = Field(default_factory=Removed)


class Paragraph(Part):
    """A paragraph that stands in several documents: the key of the first, its line there from 0, and how often."""

    key: Key | None = None
    line: int = 0
    copies: int = 0


class ParagraphDetails(Part):
    """Of stage ``paragraphs``. ``paragraphs`` are the most frequent ones."""

    paragraphs: list[Paragraph] = Field(default_factory=list)


class AnnotateDetails(Part):
    """Of stage ``annotate``."""

    languages: dict[str, Amount] = Field(default_factory=dict)


class Scores(Part):
    """Documents and bytes by score, in bins of equal width over 0 to 1."""

    documents: list[int] = Field(default_factory=list)
    text_bytes: list[int] = Field(default_factory=list)


class Model(Part):
    """What one quality model says: ``label`` whose probability is the score, ``languages`` that it judges, all if None.

    ``scores`` are empty when it gives none. ``labels``: documents and bytes by the most probable label, without a name
    for those in which it knows nothing.
    """

    label: str | None = None
    languages: list[str] | None = None
    documents: int = 0
    judged: int = 0
    judged_bytes: int = 0
    scores: Scores = Field(default_factory=Scores)
    labels: dict[str, Amount] = Field(default_factory=dict)


class QualityDetails(Part):
    """Of stage ``quality``."""

    models: dict[str, Model] = Field(default_factory=dict)


class Rule(Part):
    """A filter rule: documents and bytes it was the first to remove, documents that fail it at all.

    ``statistic`` is the column that it asks, ``threshold`` what it compares with; None where it names texts.
    """

    rule: str
    statistic: str = ""
    threshold: float | None = None
    documents: int = 0
    failing: int | None = None
    bytes: int | None = None


class Decided(Part):
    """Documents and bytes of a source, and those of them that pass the rules."""

    documents: int = 0
    kept: int = 0
    text_bytes: int = 0
    kept_bytes: int = 0


class DecideDetails(Part):
    """Of stage ``decide``. ``languages`` are those of the documents that pass, before line rules edit them."""

    funnel: list[Rule] = Field(default_factory=list)
    languages: dict[str, Amount] = Field(default_factory=dict)
    sources: dict[str, Decided] = Field(default_factory=dict)


class EvaluationSet(Part):
    """An evaluation set: its items, those of which some text was found, its texts and those too short to look for;
    documents that share text with it, and the runs of words that they share.
    """

    items: int = 0
    items_found: int = 0
    texts: int = 0
    texts_too_short: int = 0
    documents: int = 0
    runs: int = 0


class SharedText(Part):
    """A text of an evaluation set, and the document that has most of it: ``share`` of its runs, 0 to 1."""

    set: str = ""
    file: str = ""
    line: int = 0
    share: float = 0.0
    key: Key | None = None
    text: str = ""
    document: str = ""


class OverlapDetails(Part):
    """Of stage ``overlap``."""

    sets: dict[str, EvaluationSet] = Field(default_factory=dict)
    samples: list[SharedText] = Field(default_factory=list)


class Personal(Part):
    """Personal data of a kind that was replaced: how often, in how many documents, and its bytes."""

    found: int = 0
    documents: int = 0
    bytes: int = 0


class SelectDetails(Part):
    """Of stage ``select``. ``languages`` are those of the texts that are written."""

    languages: dict[str, Amount] = Field(default_factory=dict)
    personal_data: dict[str, Personal] = Field(default_factory=dict)


class Cell(Part):
    """One cell of the mixture, named on the axes that are steered; amounts are in the unit of the mixture."""

    domains: dict[str, str] = Field(default_factory=dict)
    documents: int = 0
    amount_before: int = 0
    amount_after: int = 0
    planned_epochs: float | None = None
    epochs: float = 0.0
    cap: float | None = None
    binds: bool = False


class Shares(Part):
    """A share of the whole, 0 to 1, of a domain: before mixing, as asked for, as planned, and as reached."""

    documents: int = 0
    amount_before: int = 0
    amount_after: int = 0
    before: float = 0.0
    target: float | None = None
    planned: float | None = None
    after: float = 0.0
    epochs: float | None = None


class MixDetails(Part):
    """Of stage ``mix``. ``asked``, ``planned`` and ``most`` are totals in ``unit``; None where nothing was asked."""

    unit: str = "bytes"
    message: str = ""
    asked: float | None = None
    planned: float | None = None
    most: float | None = None
    axes: dict[str, dict[str, Shares]] = Field(default_factory=dict)
    cells: list[Cell] = Field(default_factory=list)


class Compression(Part):
    """How far the tokenizer compresses one language."""

    language: str = ""
    bytes: int = 0
    tokens: int = 0
    bytes_per_token: float | None = None


class TokenizerDetails(Part):
    """Of stage ``tokenizer``. ``longest`` are tokens as text, or objects with a ``token`` or ``text`` field."""

    compression: list[Compression] = Field(default_factory=list)
    longest: list[Any] = Field(default_factory=list)


class Encoded(Part):
    """Bytes of text of a language, each document once, and the tokens they became."""

    bytes: int = 0
    tokens: int = 0


class EncodeDetails(Part):
    """Of stage ``encode``. ``domains``: tokens in the shards, by axis and domain of the mixture."""

    languages: dict[str, Encoded] = Field(default_factory=dict)
    domains: dict[str, dict[str, int]] = Field(default_factory=dict)


class Tokens(Part):
    """Documents and tokens of a split or a source."""

    documents: int = 0
    tokens: int = 0


class TokenizeDetails(Part):
    """Of stage ``tokenize``."""

    splits: dict[str, Tokens] = Field(default_factory=dict)
    sources: dict[str, Tokens] = Field(default_factory=dict)


class StageKind(NamedTuple):
    """A stage as it appears in an output folder: its folder, and the type of its details.

    A complete run may do without an ``optional`` one, which is not missed then.
    """

    stage: str
    folder: str
    details: type[Part]
    optional: bool = False


STAGES = (
    StageKind("ingest", "documents", IngestDetails),
    StageKind("sign", "signatures", Part, optional=True),
    StageKind("match", "candidates", MatchDetails),
    StageKind("score", "scores", Part, optional=True),
    StageKind("cluster", "clusters", ClusterDetails),
    StageKind("hash", "paragraph_hashes", Part, optional=True),
    StageKind("paragraphs", "paragraphs", ParagraphDetails, optional=True),
    StageKind("annotate", "annotations", AnnotateDetails),
    StageKind("quality", "quality", QualityDetails, optional=True),
    StageKind("overlap", "contamination", OverlapDetails, optional=True),
    StageKind("decide", "decisions", DecideDetails),
    StageKind("select", "filtered", SelectDetails),
    StageKind("survey", "domains", Part, optional=True),
    StageKind("yardstick", "yardstick", Part, optional=True),
    StageKind("weigh", "tokens", Part, optional=True),
    StageKind("tally", "cells", Part, optional=True),
    StageKind("mix", "mixture", MixDetails),
    StageKind("count", "counts", Part, optional=True),
    StageKind("tokenizer", "tokenizer", TokenizerDetails),
    StageKind("encode", "runs", EncodeDetails, optional=True),
    StageKind("tokenize", "shards", TokenizeDetails),
)


class StageRun(NamedTuple):
    """What was found of a stage: a manifest and its details, or why there is none.

    ``problem`` is empty, ``NOT_RUN``, ``UNFINISHED``, or says what is wrong with the manifest.
    """

    kind: StageKind
    manifest: Manifest | None
    details: Any
    problem: str

    @property
    def counts(self) -> dict[str, int]:
        """The stage's counts; empty when it has not run."""
        return self.manifest.counts if self.manifest else {}


NOT_RUN = "not run yet"
UNFINISHED = "not finished yet"


def read_stages(output: str) -> dict[str, StageRun]:
    """Reads the manifest of every stage below an output folder, local or remote; by name, in the pipeline's order."""
    return {kind.stage: _read_stage(output, kind) for kind in STAGES}


def _read_stage(output: str, kind: StageKind) -> StageRun:
    path = storage.join(output, kind.folder, "manifest.json")
    if not storage.exists(path):
        return StageRun(kind, None, None, NOT_RUN)
    try:
        manifest = Manifest.model_validate(read_json(path))
        if not manifest.complete:
            return StageRun(kind, None, None, UNFINISHED)
        return StageRun(kind, manifest, kind.details.model_validate(manifest.details), "")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        return StageRun(kind, None, None, f"{kind.folder}/manifest.json cannot be used: {where}: {first['msg']}")
    except (OSError, ValueError) as error:
        return StageRun(kind, None, None, f"{kind.folder}/manifest.json cannot be read: {error}")


def read_json(path: str) -> Any:
    """Reads JSON that may hold anything a crawl holds; what a report cannot carry is cleaned.

    Lone surrogates become ``?``, and numbers that are not finite become None, so that the result can be written as
    UTF-8 and as JSON that a browser accepts.
    """
    with storage.open_read(path) as file:
        return clean(json.load(file))


def clean(value: Any) -> Any:
    """A JSON value without lone surrogates and without numbers that are not finite."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return value
