"""The verb that finds where to cut the scores of a quality model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import as_one_line
from pipeline.cli.quality_inputs import SampleBytes, share, texts
from pipeline.cli.quality_looks import Json, Label, scorer_of

if TYPE_CHECKING:
    import numpy as np

    from filters.quality_threshold import Cut


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(help=threshold.__doc__)(threshold)


def threshold(
    path: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A fastText classifier.", show_default=False)
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A sample of the documents: files or globs, as `evaluate` reads them.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(metavar="CORPUS.YAML", help="In place of both: a corpus whose documents the filter has scored."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Which model of the corpus.")] = None,
    language: Annotated[str | None, typer.Option(help="Only the corpus's documents in this language.")] = None,
    keep: Annotated[str, typer.Option(metavar="SHARE", help="The share that is to stay.")] = "10%",
    by: Annotated[str, typer.Option(metavar="documents|bytes", help="Of what it is a share.")] = "documents",
    label: Label = None,
    sample: Annotated[
        str, typer.Option(metavar="SHARE", help="Score only this share of --text, chosen by a hash of the text.")
    ] = "100%",
    sample_bytes: SampleBytes = None,
    as_json: Json = False,
) -> None:
    """Find the score from which a share of the documents stays, and how far it may be off.

    gristmill quality threshold quality.bin --text 'crawl/*.parquet' --keep 10% --by bytes

    gristmill quality threshold --corpus corpus.yaml --model edu --language zh --keep 30%
    """
    from filters.quality_threshold import find_cut
    from pipeline.errors import ConfigError, GristmillError

    if by not in ("documents", "bytes"):
        raise ConfigError(f"--by: {by!r} is unknown; give documents or bytes")
    wanted, scored = share(keep, "--keep"), share(sample, "--sample")
    with as_one_line():
        if corpus is not None:
            if path or text:
                raise ConfigError("--corpus takes the place of MODEL and --text: give one or the other")
            scores, sizes = _of_corpus(corpus, model, language)
        elif path is None or not text:
            raise ConfigError("give a MODEL and --text, or --corpus and --model")
        elif model or language:
            raise ConfigError("--model and --language belong to --corpus, and not to --text")
        else:
            scores, sizes = _of_texts(path, text, label, sample_bytes, scored)
        if not len(scores):
            where = f"--text {' '.join(text)}" if text else f"--corpus {corpus}"
            raise GristmillError(f"{where}: there are no documents in it to find a threshold from")
        cut = find_cut(scores, wanted, sizes if by == "bytes" else None)
    if as_json:
        typer.echo(json.dumps(cut._asdict()))
    else:
        _tell(cut, by, whole=corpus is not None)


def _of_texts(
    path: Path, text: list[str], label: str | None, sample_bytes: int | None, scored: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a share of the documents in files, float32, and their bytes of text."""
    import numpy as np
    import pyarrow.compute as pc

    from text.arrow_buffers import text_buffers
    from text.hashing import below, hash_texts

    scorer = scorer_of(path, label, None, sample_bytes)
    scores, sizes = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    for column in texts(text):
        chosen = column.filter(below(hash_texts(*text_buffers(column), 0), scored))
        scores.append(scorer.score(chosen))
        sizes.append(pc.binary_length(chosen).to_numpy(zero_copy_only=False))
    return np.concatenate(scores), np.concatenate(sizes)


def _of_corpus(path: Path, model: str | None, language: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all documents of a corpus that a model judges, float32, and their bytes of text. Reads no text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from pipeline import annotated
    from pipeline.config import nearest
    from pipeline.config_file import load
    from pipeline.corpus import Corpus
    from pipeline.errors import ConfigError
    from pipeline.runners import connect

    config = load(path)
    scoring = [name for name, each in config.filter.quality.items() if each.scored_label]
    if model is None:
        raise ConfigError(f"--model: say which; {path} has {', '.join(scoring) or 'none in filter.quality'}")
    if model not in scoring:
        raise ConfigError(f"--model: {path} has no model `{model}` that scores; {nearest(model, scoring)}")
    connect(config.engine)
    corpus, column = Corpus(config, read_only=True), f"quality_{model}"
    columns = ["key", "text_bytes", "language", column]
    found = pa.concat_tables(
        annotated.read(corpus, inputs, columns) for inputs in annotated.files(corpus, columns).values()
    )
    known = sorted(pc.unique(found["language"]).to_pylist())
    if language is not None and language not in known:
        raise ConfigError(f"--language: no document of the corpus is in `{language}`; {nearest(language, known)}")
    wanted = pc.is_valid(found[column])
    if language is not None:
        wanted = pc.and_(wanted, pc.equal(found["language"], language))
    found = found.filter(wanted)
    return found[column].to_numpy(), found["text_bytes"].to_numpy()


def _tell(cut: Cut, by: str, whole: bool) -> None:
    typer.echo(f"minimum  {cut.minimum}")
    typer.echo(f"keeps    {cut.kept:.1%} of the {by}: {cut.kept_documents:,} of {cut.documents:,} documents")
    if whole:
        typer.echo("within   these are all documents that it judges, so there is no sampling error")
    else:
        typer.echo(
            f"within   ± {1.96 * cut.error:.1%} of a corpus that this is a random sample of (95 %), "
            f"minimum {cut.low} to {cut.high}"
        )
    if cut.tied > max(1, cut.documents // 100):
        typer.echo(f"ties     {cut.tied:,} documents score exactly {cut.minimum}: no threshold comes nearer")
