"""`gristmill tokenizer`: train one, look into one, compare several."""

from __future__ import annotations

import typer

from pipeline.cli.tokenizer import corpus, counts, exchange, looks, merging, strings

app = typer.Typer(no_args_is_help=True, help="Train a tokenizer, look into it, compare it with others.")
for verbs in (corpus, counts, merging, strings, exchange, looks):
    verbs.add_to(app)
