"""The command line, `gristmill`. Verbs are thin: what they do lies in packages that are imported when a verb runs."""

from __future__ import annotations

import logging
import os
import sys

import typer

from pipeline.cli import config, corpus, quality, shards, tokenizer, tools, training

app = typer.Typer(
    name="gristmill",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="""
Turns web crawls into training-ready token shards, and trains on them.

    gristmill sample crawl               # a small crawl to try it on
    gristmill run crawl/corpus.yaml      # deduplicate, filter, mix, tokenize
    gristmill report crawl/corpus.yaml   # one HTML page of what happened
    gristmill train crawl/training.yaml  # pretrain a small model
""",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
)
corpus.add_to(app)
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(shards.app, name="shards")
app.add_typer(quality.app, name="quality")
training.add_to(app)
tools.add_to(app)
app.add_typer(config.app, name="config")


def main() -> None:
    """Runs the command line; every failure ends in one clear line on stderr and an exit code."""
    from pipeline.errors import ConfigError, GristmillError

    logging.getLogger().setLevel(logging.ERROR)  # Beam is chatty; its warnings concern engines, not corpora
    try:
        app()
    except ConfigError as error:
        _say(str(error))
        sys.exit(2)
    except GristmillError as error:
        _say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        _say("stopped; what was finished is kept, and the same command goes on from there")
        sys.exit(130)
    except ImportError as error:
        if not error.name or error.name.split(".")[0] not in _EXTRAS:
            raise
        _say(f"{error.name} is not installed: pip install 'gristmill[{_EXTRAS[error.name.split('.')[0]]}]'")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("GRISTMILL_TRACEBACK"):
            raise
        text = str(error).strip().splitlines()
        _say(f"{type(error).__name__}: {text[-1] if text else 'no message'} (GRISTMILL_TRACEBACK=1 shows where)")
        sys.exit(1)


_EXTRAS = {"torch": "train", "triton": "train", "boto3": "aws", "google": "gcp", "pyspark": "spark"}


def _say(message: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    for line in message.splitlines():
        console.print(f"[bold red]error[/]  {_escape(line)}", soft_wrap=True)


def _escape(line: str) -> str:
    from rich.markup import escape

    return escape(line)
