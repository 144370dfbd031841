"""The command line, `gristmill`. Verbs are thin: what they do lies in packages that are imported when a verb runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from pipeline.cli import config, corpus, interruption, quality, quiet, shards, tokenizer, tools, training
from pipeline.cli.verbs import Verbs

app = typer.Typer(
    name="gristmill",
    cls=Verbs,
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
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 stopped by Ctrl-C.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"gristmill {version('gristmill')}")
        raise typer.Exit


@app.callback()
def _all(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


corpus.add_to(app)
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(shards.app, name="shards")
app.add_typer(quality.app, name="quality")
training.add_to(app)
tools.add_to(app)
app.add_typer(config.app, name="config")


def main() -> None:
    """Runs the command line; every failure ends in one clear line on stderr and an exit code."""
    from pipeline.errors import ConfigError, told

    quiet.quieten()
    code = 0
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except _CLICK_ERROR as error:
        code = _wrong_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        interruption.stop()
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ImportError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        _say(f"{error.name} is not installed: pip install 'gristmill[{extra}]'")
        code = 1
    except Exception as error:  # the last resort: whatever it is, a person gets one line and an exit code
        meant = told(error)
        came_from_elsewhere = meant is not error or (error.__cause__ and not isinstance(error, ConfigError))
        if quiet.wants_tracebacks() and came_from_elsewhere:
            raise
        _say(str(meant) if meant else _defect(error))
        code = 2 if isinstance(meant, ConfigError) else 1
    if code == interruption.CODE:  # some versions of Typer make an exit of it
        interruption.stop()
    sys.exit(code)


_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException, wherever this typer has its click


def _wrong_usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the help was shown
        return 2
    hint = f"; see `{context.command_path} --help`" if context else ""
    _say(error.format_message().rstrip(".") + hint)
    return error.exit_code


def _defect(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[-1] if text else 'no message'} ({quiet.TRACEBACK}=1 shows where)"


_EXTRAS = {"torch": "train", "triton": "train", "boto3": "aws", "google": "gcp", "pyspark": "spark"}


def _say(message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    for line in message.splitlines():
        console.print(Text.assemble(("error:", "bold red"), f" {line}"), soft_wrap=True)
